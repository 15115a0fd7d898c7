"""Fetching a firmware package from a CoAP server by its URI, block by block; sans-IO.

Plain CoAP only. Knows no sockets: who owns a `Download` resolves `host` and `port` and carries its datagrams.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from urllib.parse import unquote, urlsplit

from aiocoap.numbers.codes import Code

from tools.simulator.client.firmware import Result
from tools.simulator.coap import CoapClient, CoapSettings, NoAnswer, Outcome
from tools.simulator.messages import is_success, new_message

_PORT = 5683


@dataclass(frozen=True, slots=True)
class PackageUri:
    """Where a package is."""

    host: str
    port: int
    path: tuple[str, ...]
    queries: tuple[str, ...]


def parse_package_uri(uri: str) -> PackageUri | Result:
    """Read a ``coap://`` URI; the result that a device shows for another one."""
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        return Result.INVALID_URI
    if not parts.scheme or not host:
        return Result.INVALID_URI
    if parts.scheme != "coap":
        return Result.UNSUPPORTED_PROTOCOL
    path = tuple(unquote(segment) for segment in parts.path.split("/") if segment)
    queries = tuple(unquote(query) for query in parts.query.split("&") if query)
    return PackageUri(host, port or _PORT, path, queries)


class Download:
    """One package on its way. `outcome` is set at the end."""

    def __init__(self, uri: PackageUri, settings: CoapSettings, random: Random) -> None:
        self.uri = uri
        self.outcome: bytes | Result | None = None
        self._coap = CoapClient(settings, random)

    def start(self, now: float) -> None:
        """Ask for the first block."""
        request = new_message(Code.GET)
        request.opt.uri_path = self.uri.path
        request.opt.uri_query = self.uri.queries
        self._coap.send_request(request, now)

    def receive_datagram(self, data: bytes, now: float) -> None:
        """Take a datagram of the file server's."""
        self._take(self._coap.receive(data, now))

    def handle_timer(self, now: float) -> None:
        """Ask again, or give up."""
        self._take(self._coap.handle_timer(now))

    def get_timer(self) -> float | None:
        """When `handle_timer` wants to be called next."""
        return self._coap.get_timer()

    def datagrams_to_send(self) -> Sequence[bytes]:
        """Drain the outbox."""
        return self._coap.messages_to_send()

    def _take(self, outcome: Outcome | None) -> None:
        if outcome is None:
            return
        if isinstance(outcome, NoAnswer):
            self.outcome = Result.CONNECTION_LOST
        else:
            self.outcome = outcome.payload if is_success(outcome.code) else Result.INVALID_URI
