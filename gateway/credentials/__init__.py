"""Certificates and keys at rest: what the gateway proves itself by, whom it trusts, which device is whose.

Knows files, the registry and the values of `gateway.dtls`. Knows no handshake and no socket.
"""
