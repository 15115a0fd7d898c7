"""Server URIs as the command line gives them: parsed, checked, resolved. Opens no socket to a server."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tools.simulator.errors import SimulatorError

_DEFAULT_PORTS = {"coap": 5683, "coaps": 5684}


@dataclass(frozen=True, slots=True)
class Server:
    """Where devices of one kind register."""

    scheme: str
    host: str
    port: int

    @property
    def is_secure(self) -> bool:
        """Whether it speaks DTLS."""
        return self.scheme == "coaps"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def resolve(self) -> tuple[socket.AddressFamily, Any]:
        """Family and socket address; of several the first IPv4 one.

        Raises:
            SimulatorError: the name cannot be resolved.
        """
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)
        except OSError as error:
            raise SimulatorError(f"{self}: cannot resolve {self.host}: {error.strerror}") from error
        found.sort(key=lambda entry: entry[0] is not socket.AF_INET)
        return found[0][0], found[0][4]


def parse_servers(uris: Sequence[str]) -> tuple[Server, ...]:
    """One or two servers, at most one of each scheme.

    Raises:
        ValueError: not so; the text says why.
    """
    servers = tuple(parse_server(uri) for uri in uris)
    if not servers:
        raise ValueError("name a server: coap://HOST[:PORT] or coaps://HOST[:PORT]")
    if len({server.scheme for server in servers}) < len(servers):
        raise ValueError("of each scheme, coap and coaps, only one server can be given")
    return servers


def parse_server(uri: str) -> Server:
    """``coap://HOST[:PORT]`` or ``coaps://HOST[:PORT]``.

    Raises:
        ValueError: anything else; the text says why.
    """
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{uri}: {error}") from error
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"{uri}: not of the form coap://HOST[:PORT] or coaps://HOST[:PORT]")
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(f"{uri}: only a host and a port can be given")
    if port == 0:
        raise ValueError(f"{uri}: port 0 is none")
    return Server(parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme])
