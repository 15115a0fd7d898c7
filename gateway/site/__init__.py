"""What the gateway answers: CoAP requests in, responses out.

Thin: rules stand in ``gateway.lwm2m``, state in ``registry``. Knows no sockets and no retransmission.
"""
