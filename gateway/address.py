"""Where a datagram came from, and by which of our own addresses it came in.

The lowest module of the gateway: a value, no sockets.
"""

from __future__ import annotations

from typing import NamedTuple


class Address(NamedTuple):
    """A peer as a transport sees it. Hashable; equal only for the same path (both ends)."""

    host: str
    "IP address as text, never a name; an IPv4 peer is never written as a mapped IPv6 address."

    port: int

    scope: int = 0
    "IPv6 scope id of a link-local peer."

    local: bytes = b""
    "Packet information naming our own end on a wildcard socket, opaque above the transport."

    @classmethod
    def parse(cls, text: str) -> Address:
        """What `str` wrote; the local end is not in it."""
        host, _, port = text.rpartition(":")
        host, _, scope = host.strip("[]").partition("%")
        return cls(host, int(port), int(scope or 0))

    def __str__(self) -> str:
        """``IP:PORT``, IPv6 in brackets, a scope id behind ``%`` (RFC 4007 §11)."""
        if ":" not in self.host:
            return f"{self.host}:{self.port}"
        scope = f"%{self.scope}" if self.scope else ""
        return f"[{self.host}{scope}]:{self.port}"
