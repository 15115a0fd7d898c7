"""Negative catalogue, B: hellos and identities that cannot be read. Records are in `test_records`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.dtls.alerts import AlertDescription, AlertLevel
from gateway.dtls.events import HandshakeFailed, HandshakeFailure, PskRequested
from gateway.dtls.extensions import ExtensionType
from gateway.dtls.fragments import fragment
from gateway.dtls.messages import HandshakeType, encode_message
from gateway.dtls.record import decode_records, encode_record
from tests.support.dtls_attack import (
    Bystander,
    cookie_of,
    counted,
    dropped,
    hello_record,
    is_hello_verify_request,
    memory_grows_less_than,
    raw_hello,
)
from tests.support.dtls_pair import ALERT, HANDSHAKE, Hello, RawClient, Server, only

COOKIE_BYTES = 16

Make = Callable[[bytes], bytes]
"The cookie as a vector → the body of a hello."


def give_and_count(server: Server, datagram: bytes) -> list[bytes]:
    """The answers to a datagram that some counter must have noticed."""
    before = sum(server.endpoint.counters.as_dict().values())
    server.give(datagram)
    assert sum(server.endpoint.counters.as_dict().values()) > before
    return server.take()


def assert_begins_nothing(server: Server, make: Make) -> None:
    """A malformed hello begins no handshake, without a cookie or with the right one; nobody else suffers.

    Whether it is looked at closely before or after the cookie is open: at most a cookie or an alert
    comes back.
    """
    bystander = Bystander(server)
    first = hello_record(make(b"\0"))
    answers = give_and_count(server, first)
    assert [is_hello_verify_request(answer) for answer in answers] in ([], [True])
    assert sum(map(len, answers)) <= len(first)
    cookie = cookie_of(answers[0]) if answers else bytes(COOKIE_BYTES)
    second = hello_record(make(bytes((COOKIE_BYTES,)) + cookie), message_seq=1, sequence=1)
    for answer in give_and_count(server, second):
        (record,) = decode_records(answer, 0)
        assert (record.content_type, record.fragment[0]) == (ALERT, AlertLevel.FATAL)
        assert len(record.fragment) == 2
    assert {event.reason for event in server.failures} <= {HandshakeFailure.PROTOCOL_ERROR}
    assert server.count("handshakes_begun") == 1, "the bystander's"
    assert server.endpoint.handshake_count == 0
    bystander.check()


# --- B1 … B3: hellos


def test_B1_hello_made_from_parts_is_otherwise_fine(server: Server) -> None:
    server.give(hello_record(raw_hello()))
    (answer,) = server.take()
    cookie = bytes((COOKIE_BYTES,)) + cookie_of(answer)
    server.give(hello_record(raw_hello(cookie=cookie), message_seq=1, sequence=1))
    assert server.endpoint.handshake_count == 1


SUITES_BLOCKS = {
    "none": b"\0\0",
    "one byte": b"\0\1\xc0",
    "one and a half": b"\0\3\xc0\xa8\xc0",
    "over the compression": b"\0\4\xc0\xa8",
    "far beyond": b"\xff\xfe\xc0\xa8",
    "far beyond and odd": b"\xff\xff\xc0\xa8",
}


@pytest.mark.parametrize("suites", SUITES_BLOCKS.values(), ids=list(SUITES_BLOCKS))
def test_B1_cipher_suites_of_a_wrong_length_begin_nothing(server: Server, suites: bytes) -> None:
    assert_begins_nothing(server, lambda cookie: raw_hello(cookie=cookie, suites=suites))


EXTENSION_BLOCKS = {
    "length cut off": b"\0",
    "block beyond the hello": b"\0\x10\0\x17\0\0",
    "far beyond": b"\xff\xff\0\x17\0\0",
    "bytes after the block": b"\0\4\0\x17\0\0\0",
    "bytes after an empty block": b"\0\0\0",
    "extension beyond the block": b"\0\4\0\x17\0\1",
    "extension far beyond": b"\0\4\0\x17\xff\xff",
    "extension header cut off": b"\0\3\0\x17\0",
    "same twice": b"\0\x08\0\x17\0\0\0\x17\0\0",
    "same unknown twice": b"\0\x08\xfa\xde\0\0\xfa\xde\0\0",
    "same twice, one of them longer": b"\0\x0d\xfa\xde\0\0\0\x17\0\0\xfa\xde\0\1x",
    "extended master secret with content": b"\0\5\0\x17\0\1\0",
    "renegotiation info without length": b"\0\4\xff\1\0\0",
    "renegotiation info cut off": b"\0\6\xff\1\0\2\5x",
    "renegotiation info with a tail": b"\0\6\xff\1\0\2\0x",
    "renegotiation": b"\0\6\xff\1\0\2\1x",
}


@pytest.mark.parametrize("extensions", EXTENSION_BLOCKS.values(), ids=list(EXTENSION_BLOCKS))
def test_B2_extensions_that_do_not_fit_begin_nothing(server: Server, extensions: bytes) -> None:
    assert_begins_nothing(server, lambda cookie: raw_hello(cookie=cookie, extensions=extensions))


WHOLE = Hello().with_cid()
WITHOUT_EXTENSIONS = len(WHOLE.body()) - len(Hello(extensions={}).body())


@pytest.mark.parametrize("missing", [n for n in range(1, len(WHOLE.body()) - 1) if n != WITHOUT_EXTENSIONS])
def test_B2_hello_cut_off_anywhere_begins_nothing(server: Server, missing: int) -> None:
    assert_begins_nothing(server, lambda cookie: WHOLE.body(cookie[1:])[:-missing])


@pytest.mark.parametrize("tail", [b"\0", b"\0\0", bytes(100)])
def test_B2_bytes_behind_a_hello_begin_nothing(server: Server, tail: bytes) -> None:
    assert_begins_nothing(server, lambda cookie: Hello().body(cookie[1:]) + tail)


@pytest.mark.parametrize("session_id", [b"\x21" + bytes(33), b"\xff" + bytes(255), b"\xff" + bytes(32)])
def test_B3_session_id_longer_than_32_begins_nothing(server: Server, session_id: bytes) -> None:
    assert_begins_nothing(server, lambda cookie: raw_hello(cookie=cookie, session_id=session_id))


@pytest.mark.parametrize("compression", [b"", b"\0", b"\1\1", b"\2\1\2", b"\2\0", b"\xff\0"])
def test_B3_compression_without_null_begins_nothing(server: Server, compression: bytes) -> None:
    assert_begins_nothing(server, lambda cookie: raw_hello(cookie=cookie, compression=compression))


def test_B3_null_compression_among_others_is_chosen(server: Server) -> None:
    compression = b"\2\1\0"
    server.give(hello_record(raw_hello(compression=compression)))
    cookie = bytes((COOKIE_BYTES,)) + cookie_of(server.take()[0])
    server.give(hello_record(raw_hello(compression=compression, cookie=cookie), message_seq=1))
    assert server.endpoint.handshake_count == 1


# --- B4: the identity


EXCHANGES = {
    "empty": b"",
    "half a length": b"\0",
    "length beyond the message": b"\0\5abcd",
    "length far beyond": b"\xff\xffabcd",
    "bytes behind": b"\0\4abcde",
    "length zero, bytes behind": b"\0\0abcd",
}


@pytest.mark.parametrize("body", EXCHANGES.values(), ids=list(EXCHANGES))
def test_B4_unreadable_exchange_ends_its_handshake_and_no_other(server: Server, body: bytes) -> None:
    bystander = Bystander(server)
    client = RawClient(server)
    client.begin()
    message = client.message(HandshakeType.CLIENT_KEY_EXCHANGE, body)
    with counted(server, malformed_messages=1, handshakes_failed=1):
        events = client.send(client.record(HANDSHAKE, message))
    assert [(event.reason, event.identity) for event in only(HandshakeFailed, events)] == [
        (HandshakeFailure.PROTOCOL_ERROR, None)
    ]
    assert client.clear_alerts() == [(AlertLevel.FATAL, AlertDescription.DECODE_ERROR)]
    assert server.endpoint.handshake_count == 0
    bystander.check()


ODD_IDENTITIES = {
    "none": b"",
    "one byte": b"x",
    "127": b"i" * 127,
    "128": b"i" * 128,
    "129": b"i" * 129,
    "1000": b"i" * 1000,
    "not UTF-8": b"\xff\xfe\x80device",
    "half a character": b"device\xc3",
    "NUL inside": b"bystander\0",
    "NUL before": b"\0bystander",
    "only NUL": bytes(16),
    "with a new line": b"by\nstander",
}


@pytest.mark.parametrize("identity", ODD_IDENTITIES.values(), ids=list(ODD_IDENTITIES))
def test_B4_identity_is_asked_for_as_it_was_sent(server: Server, identity: bytes) -> None:
    bystander = Bystander(server)
    client = RawClient(server, identity=identity)
    client.begin()
    events = client.finish()
    assert [event.identity for event in only(PskRequested, events)] == [identity]
    assert [(event.reason, event.identity) for event in only(HandshakeFailed, events)] == [
        (HandshakeFailure.UNKNOWN_IDENTITY, identity)
    ]
    assert client.replies == []
    bystander.check()


@pytest.mark.parametrize("identity", ODD_IDENTITIES.values(), ids=list(ODD_IDENTITIES))
def test_B4_odd_identity_that_is_known_is_served(server: Server, identity: bytes) -> None:
    server.psks[identity] = b"k" * 16
    client = RawClient(server, identity=identity, psk=b"k" * 16)
    assert client.connect().identity == identity


def exchange_pieces(identity: bytes, size: int) -> list[bytes]:
    """Datagrams with the ClientKeyExchange of message_seq 2, cut into pieces."""
    body = len(identity).to_bytes(2, "big") + identity
    message = encode_message(HandshakeType.CLIENT_KEY_EXCHANGE, 2, body)
    return [
        encode_record(HANDSHAKE, 100 + number, piece) for number, piece in enumerate(fragment(message, size))
    ]


@pytest.mark.parametrize("size", [200, 1_200, 4_000])
def test_B4_identity_of_65535_bytes_is_neither_kept_nor_asked_for(server: Server, size: int) -> None:
    client = RawClient(server)
    client.begin()
    pieces = exchange_pieces(b"i" * 65_535, size)
    with memory_grows_less_than(16_384), dropped(server, handshake_buffer_full=len(pieces)):
        for piece in pieces:
            server.give(piece)
    client.finish()
    assert len(server.sessions) == 1


@pytest.mark.parametrize("length", [4_096, 9_000, 16_000])
def test_B4_identity_longer_than_the_buffer_is_not_kept_for_coming_in_one_piece(
    server: Server, length: int
) -> None:
    client = RawClient(server)
    client.begin()
    (whole,) = exchange_pieces(b"i" * length, 20_000)
    with memory_grows_less_than(4_096), dropped(server, handshake_buffer_full=1):
        server.give(whole)
    client.finish()
    assert len(server.sessions) == 1


def test_B4_identity_in_pieces_is_joined(server: Server) -> None:
    identity = b"i" * 600
    client = RawClient(server, identity=identity)
    client.begin()
    pieces = exchange_pieces(identity, 200)
    assert len(pieces) > 3
    events = [event for piece in reversed(pieces) for event in server.give(piece)]
    assert [event.identity for event in only(PskRequested, events)] == [identity]


# --- B12: connection IDs in hellos


def cid_extension(body: bytes) -> bytes:
    """An extension block with a connection_id of this content."""
    extension = ExtensionType.CONNECTION_ID.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body
    return len(extension).to_bytes(2, "big") + extension


@pytest.mark.parametrize("body", [b"", b"\5abc", b"\1ab", b"\0a", b"\xff" + bytes(254), b"\xff" + bytes(256)])
def test_B12_connection_id_of_another_length_than_it_says_begins_nothing(server: Server, body: bytes) -> None:
    extensions = cid_extension(body)
    assert_begins_nothing(server, lambda cookie: raw_hello(cookie=cookie, extensions=extensions))
