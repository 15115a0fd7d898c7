"""What the cases of the negative catalogue are tried with, and what must hold after each."""

from __future__ import annotations

import pytest

from gateway.dtls.alerts import CLOSE_NOTIFY, Alert, AlertDescription, AlertLevel, encode_alert
from gateway.dtls.settings import EndpointConfig
from tests.support.dtls_pair import Hello, RawClient, Server

ANY_CID = [pytest.param(b"", id="cid"), pytest.param(b"\7\7", id="two-cids")]
"What a client offers: a connection ID towards the server alone, or one in each direction."

CIDS = [pytest.param(None, id="address"), *ANY_CID]
"The same, or None: no connection IDs, the peer is known by its address."

CID_BYTES = EndpointConfig().cid_length
HELLOS = [pytest.param(Hello(), id="address"), pytest.param(Hello().with_cid(), id="cid")]

FATAL = encode_alert(Alert(AlertLevel.FATAL, AlertDescription.INTERNAL_ERROR))
CLOSE = encode_alert(CLOSE_NOTIFY)


def begun(hello: Hello | None = None, server: Server | None = None) -> RawClient:
    """A client that has its ServerHello and has not answered it."""
    raw = RawClient(server, hello)
    raw.begin()
    return raw


def is_all_over(server: Server) -> bool:
    """Whether nothing is kept: neither sessions nor handshakes."""
    return not server.endpoint.handshake_count and not server.endpoint.session_count


def assert_works(raw: RawClient, count: int = 1) -> None:
    """So many sessions and nothing half done, and what this client says arrives."""
    assert len(raw.server.sessions) == raw.server.endpoint.session_count == count
    assert raw.server.endpoint.handshake_count == 0
    raw.say(b"still here")
    assert raw.server.received[-1:] == [b"still here"]


def assert_heard(raw: RawClient) -> None:
    """What this client says arrives, and nothing else did meanwhile."""
    raw.server.events.clear()
    raw.say(b"still here")
    assert raw.server.received == [b"still here"]
