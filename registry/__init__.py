"""The truth about devices: who may come, who is here, what happened.

Knows SQLite and the clock on the wall. Knows no protocol: neither CoAP nor DTLS nor LwM2M's
wire formats appear here, only the facts that came of them.
"""
