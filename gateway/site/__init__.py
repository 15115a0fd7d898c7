"""What the gateway answers: CoAP requests in, ``aiocoap.Message`` out.

Thin: rules stand in ``gateway.lwm2m``, state in ``registry``. Knows no sockets and no retransmission.
"""
