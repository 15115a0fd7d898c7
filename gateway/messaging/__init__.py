"""CoAP messages: their format, acknowledgement, retransmission and deduplication (RFC 7252 §4)."""
