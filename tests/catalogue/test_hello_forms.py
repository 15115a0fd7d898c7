"""Negative catalogue, A: hellos that are not alone, of other versions, or not hellos at all."""

from __future__ import annotations

import pytest

from gateway.dtls.alerts import AlertDescription, AlertLevel
from gateway.dtls.events import HandshakeFailed, HandshakeFailure
from gateway.dtls.messages import HandshakeType, encode_message
from gateway.dtls.record import encode_record
from tests.support.dtls_attack import Bystander, counted, dropped, hello_record, silent
from tests.support.dtls_cases import is_all_over
from tests.support.dtls_pair import ALERT, APPLICATION_DATA, HANDSHAKE, Hello, RawClient, Server


def hello_message(client: RawClient) -> bytes:
    """The handshake message of the client's next hello, without a record around it."""
    return client.client_hello()[13:]


@pytest.mark.parametrize("has_cookie", [False, True])
def test_A14_hello_that_shares_its_datagram_is_dropped(server: Server, has_cookie: bool) -> None:
    client = RawClient(server)
    if has_cookie:
        client.get_cookie()
    with dropped(server, hello_not_alone=2):
        server.give(client.client_hello() + client.client_hello())
    with dropped(server, hello_not_alone=1, alerts_ignored=1):
        server.give(client.client_hello() + client.record(ALERT, b"\1\0"))
    with dropped(server, hello_not_alone=1, clear_application_data=1):
        server.give(client.record(APPLICATION_DATA, b"data") + client.client_hello())


@pytest.mark.parametrize("has_cookie", [False, True])
def test_A14_hello_that_shares_its_record_is_dropped(server: Server, has_cookie: bool) -> None:
    client = RawClient(server)
    if has_cookie:
        client.get_cookie()
    two = hello_message(client) * 2
    with dropped(server, hello_not_alone=1):
        server.give(client.record(HANDSHAKE, two))


def test_A14_rest_of_a_datagram_is_used_when_a_hello_in_it_is_not(server: Server) -> None:
    bystander = Bystander(server)
    said = bystander.pair.client
    said.send(b"beside a hello", server.now)
    (record,) = said.datagrams_to_send()
    with counted(server, hello_not_alone=1):
        server.give(record + RawClient(server).client_hello(), bystander.pair.address)
    assert server.received[-1] == b"beside a hello"
    assert server.take(bystander.pair.address) == []


REFUSED_VERSIONS = [0x0000, 0x0100, 0x0301, 0x0303, 0x0304, 0xFD00, 0xFEFE, 0xFEFF, 0xFF00, 0xFFFF]


@pytest.mark.parametrize("version", REFUSED_VERSIONS, ids=hex)
def test_A15_version_that_cannot_be_served_is_refused_after_the_cookie(server: Server, version: int) -> None:
    client = RawClient(server, Hello(version=version))
    client.get_cookie()
    (failed,) = client.send(client.client_hello())
    assert isinstance(failed, HandshakeFailed)
    assert failed.reason is HandshakeFailure.PROTOCOL_VERSION
    (alert,) = client.clear_alerts()
    assert alert == (AlertLevel.FATAL, AlertDescription.PROTOCOL_VERSION)
    assert is_all_over(server)


@pytest.mark.parametrize("version", [0xFEFD, 0xFEFC, 0xFEFB, 0xFE00], ids=hex)
def test_A15_higher_version_is_served_with_1_2(server: Server, version: int) -> None:
    client = RawClient(server, Hello(version=version))
    client.connect()
    assert client.server_hello is not None
    assert client.server_hello.version == 0xFEFD


@pytest.mark.parametrize("version", [0x0000, 0x0303, 0xFEFC, 0xFFFF], ids=hex)
def test_A15_hello_in_a_record_of_another_protocol_is_dropped(server: Server, version: int) -> None:
    with dropped(server, bad_version=1):
        server.give(hello_record(Hello().body(), version=version))


SERVER_MESSAGES = [
    HandshakeType.HELLO_REQUEST,
    HandshakeType.SERVER_HELLO,
    HandshakeType.HELLO_VERIFY_REQUEST,
    HandshakeType.SERVER_KEY_EXCHANGE,
    HandshakeType.SERVER_HELLO_DONE,
    HandshakeType.CERTIFICATE_REQUEST,
    HandshakeType.NEW_SESSION_TICKET,
]


@pytest.mark.parametrize("message_type", SERVER_MESSAGES)
@pytest.mark.parametrize("body", [b"", b"\xfe\xff\x10" + bytes(16), bytes(70)])
def test_A16_messages_of_a_server_are_dropped_by_a_server(
    server: Server, message_type: int, body: bytes
) -> None:
    with dropped(server, unknown_peer=1):
        server.give(encode_record(HANDSHAKE, 0, encode_message(message_type, 0, body)))
    client = RawClient(server)
    client.begin()
    message = client.message(message_type, body)
    with dropped(server, unexpected_messages=1):
        server.give(client.record(HANDSHAKE, message))
    client.finish()
    assert len(server.sessions) == 1
    with dropped(server, unexpected_messages=1):
        server.give(client.sealed(HANDSHAKE, message))
    with silent(server):
        server.give(client.record(HANDSHAKE, message))
    client.say(b"still here")
    assert server.received == [b"still here"]
