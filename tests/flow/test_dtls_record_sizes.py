"""Limits for the size of records, in both roles (RFC 6066 §4, RFC 8449)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.dtls.alerts import AlertDescription
from gateway.dtls.credential import make_credential
from gateway.dtls.endpoint import EndpointConfig
from gateway.dtls.events import HandshakeFailure
from gateway.dtls.record import decode_records
from gateway.dtls.settings import ClientConfig
from tests.support.certificates import authority
from tests.support.dtls_pair import HANDSHAKE, IDENTITY, PSK, Hello, Pair, RawClient

CA = authority()


def chain(name: str):  # type: ignore[no-untyped-def]
    issued = CA.issue(name)
    return make_credential(issued.key, (issued.der, CA.der))


ENDPOINT = EndpointConfig(credential=chain("gateway"))
CLIENT = ClientConfig(IDENTITY, PSK, credential=chain("device-1"), cid=b"c")
MFL, RSL = 1, 28


@pytest.mark.parametrize("suite", [0xC0A8, 0xC0AE, 0x00AE])
def test_max_fragment_length_holds_for_handshakes_and_data(suite: int) -> None:
    pair = Pair(replace(CLIENT, suites=(suite,), max_fragment_length=512), ENDPOINT)
    session = pair.handshake()
    for datagram in pair.sent_to_client + pair.sent_to_server:
        for record in decode_records(datagram, 0):
            assert record.content_type != HANDSHAKE or record.epoch or len(record.fragment) <= 512
    assert pair.server.send(session, b"x" * 511)
    assert not pair.server.send(session, b"x" * 512)
    assert pair.server.count("sends_over_limit") == 1
    pair.exchange()
    assert pair.client_received == [b"x" * 511]


@pytest.mark.parametrize(("cid", "most"), [(None, 64), (b"c", 63)])
def test_B13_smallest_limit_leaves_certificates_whole_in_clear(cid: bytes | None, most: int) -> None:
    pair = Pair(replace(CLIENT, suites=(0xC0AE,), record_size_limit=64, cid=cid), ENDPOINT)
    session = pair.handshake()
    assert len(pair.sent_to_client) <= 3
    assert pair.server.send(session, b"x" * most)
    assert not pair.server.send(session, b"x" * (most + 1))


def test_server_without_a_limit_may_send_all_that_a_record_holds() -> None:
    session = (pair := Pair(CLIENT, ENDPOINT)).handshake()
    assert pair.server.send(session, b"x" * 16_000)


@pytest.mark.parametrize(
    ("extension", "body", "alert"),
    [
        (MFL, b"\0", AlertDescription.ILLEGAL_PARAMETER),
        (MFL, b"\5", AlertDescription.ILLEGAL_PARAMETER),
        (MFL, b"\xff", AlertDescription.ILLEGAL_PARAMETER),
        (MFL, b"", AlertDescription.DECODE_ERROR),
        (RSL, b"\0\0", AlertDescription.ILLEGAL_PARAMETER),
        (RSL, b"\0\x3f", AlertDescription.ILLEGAL_PARAMETER),
        (RSL, b"\x40", AlertDescription.DECODE_ERROR),
    ],
)
def test_B13_impossible_limit_ends_the_handshake(
    extension: int, body: bytes, alert: AlertDescription
) -> None:
    hello = Hello()
    client = RawClient(hello=replace(hello, extensions=hello.extensions | {extension: body}))
    client.get_cookie()
    client.send(client.client_hello())
    (record,) = client.reply_records()
    assert record.fragment == bytes((2, alert))
    assert client.server.failures[-1].reason is HandshakeFailure.PROTOCOL_ERROR


def test_limits_are_agreed_on_anew_when_a_session_is_resumed() -> None:
    first = Pair(replace(CLIENT, max_fragment_length=512), ENDPOINT)
    first.handshake()
    first.client.close(first.now)
    first.exchange()
    resumed = replace(CLIENT, max_fragment_length=1024, resumable=first.client.resumable)
    session = Pair(resumed, server=first.server, seed="again").handshake()
    assert session.max_content_bytes == 1023
