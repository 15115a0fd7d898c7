"""LwM2M as rules and codecs: what a message says and whether it is allowed.

Pure: no sockets, clocks, entropy or logging. Knows CoAP only as query strings, content-format numbers
and payload bytes; which response code a refusal becomes is decided in ``gateway.site.respond``.
"""
