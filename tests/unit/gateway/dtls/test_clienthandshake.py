"""`gateway.dtls.clienthandshake`: an honest server is understood, any other is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gateway.dtls.alerts import AlertDescription, decode_alert, encode_alert, fatal
from gateway.dtls.clienthandshake import EXPECTED, ClientHandshake, State
from gateway.dtls.events import HandshakeFailure
from gateway.dtls.extensions import encode_extensions
from gateway.dtls.fragments import fragment
from gateway.dtls.handshake import Transcript, derive
from gateway.dtls.keys import psk_premaster, verify_data
from gateway.dtls.messages import (
    HandshakeType,
    decode_client_hello,
    decode_fragments,
    encode_hello_verify_request,
    encode_message,
    encode_psk_server_key_exchange,
    encode_server_hello,
)
from gateway.dtls.record import Opener, Sealer, decode_records, encode_record
from gateway.dtls.settings import ClientConfig
from gateway.dtls.suites import SUITES
from tests.support.dtls_pair import ALERT, CHANGE_CIPHER_SPEC, HANDSHAKE, IDENTITY, PSK, Entropy

SERVER_RANDOM = b"s" * 32
EMS = {23: b""}


class HandMadeServer:
    """Plays the server to one `ClientHandshake`, message by message."""

    def __init__(self, **config: Any) -> None:
        self.config = ClientConfig(IDENTITY, PSK, **config)
        self.client = ClientHandshake(self.config, Entropy("client"), 0.0)
        self.message_seq = 0
        self.sequence = 0
        self.messages: list[bytes] = []
        self.taken: list[bytes] = []
        self.take()

    def take(self) -> list[Any]:
        """The records that the client has sent, and its handshake messages into the hash."""
        self.taken = list(self.client.to_send)
        self.client.to_send.clear()
        records = [record for datagram in self.taken for record in decode_records(datagram, 0)]
        for record in records:
            if record.content_type == HANDSHAKE and not record.epoch:
                if record.fragment[0] == HandshakeType.CLIENT_HELLO:
                    self.messages = []
                self.messages.append(record.fragment)
        return records

    def record(self, content_type: int, content: bytes, version: int = 0xFEFD) -> None:
        (record,) = decode_records(encode_record(content_type, self.sequence, content, version), 0)
        self.sequence += 1
        self.client.receive(record, 0.0)

    def message(self, message_type: int, body: bytes) -> bytes:
        message = encode_message(message_type, self.message_seq, body)
        self.message_seq += 1
        self.messages.append(message)
        return message

    def verify(self, cookie: bytes = b"cookie") -> None:
        self.record(
            HANDSHAKE,
            self.message(HandshakeType.HELLO_VERIFY_REQUEST, encode_hello_verify_request(0xFEFF, cookie)),
        )
        self.take()

    def hello(
        self, extensions: Mapping[int, bytes] = EMS, suite: int = 0xC0A8, version: int = 0xFEFD
    ) -> bytes:
        body = encode_server_hello(version, SERVER_RANDOM, b"", suite, encode_extensions(extensions))
        return self.message(HandshakeType.SERVER_HELLO, body)

    def done(self) -> bytes:
        return self.message(HandshakeType.SERVER_HELLO_DONE, b"")

    def begin(self, extensions: Mapping[int, bytes] = EMS) -> None:
        """Everything up to the client's Finished."""
        self.verify()
        self.record(HANDSHAKE, self.hello(extensions))
        self.record(HANDSHAKE, self.done())
        self.keys()

    def keys(self) -> None:
        finished = next(record for record in self.take() if record.epoch)
        client_random = decode_client_hello(self.messages[0][12:]).random
        session_hash = Transcript(*self.messages).digest()
        self.secrets = derive(psk_premaster(PSK), SUITES[0xC0A8], client_random, SERVER_RANDOM, session_hash)
        block = self.secrets.block
        opened = Opener(SUITES[0xC0A8], block.client_key, block.client_iv, b"").open(finished)
        assert opened is not None
        assert opened[1][12:] == verify_data(self.secrets.mac, True, session_hash)
        self.messages.append(opened[1])
        self.sealer = Sealer(SUITES[0xC0A8], block.server_key, block.server_iv, b"")

    def finished(self) -> bytes:
        hashed = Transcript(*self.messages).digest()
        return self.message(HandshakeType.FINISHED, verify_data(self.secrets.mac, False, hashed))

    def sealed(self, content_type: int, content: bytes, sequence: int = 0) -> None:
        (record,) = decode_records(self.sealer.seal(content_type, 1, sequence, content), 0)
        self.client.receive(record, 0.0)

    def alerts(self) -> list[Any]:
        return [decode_alert(record.fragment) for record in self.take() if record.content_type == ALERT]


def refused(server: HandMadeServer, alert: AlertDescription) -> None:
    assert server.client.state is State.FAILED
    assert server.client.failure is HandshakeFailure.PROTOCOL_ERROR
    assert server.alerts() == [fatal(alert)]


def test_only_known_messages_are_expected() -> None:
    assert {key[0] for key in EXPECTED} == {
        State.HELLO,
        State.CERTIFICATE,
        State.SHARE,
        State.DONE,
        State.FINISH,
    }


def test_honest_server_is_understood() -> None:
    server = HandMadeServer()
    server.begin()
    server.record(CHANGE_CIPHER_SPEC, b"\1")
    server.sealed(HANDSHAKE, server.finished())
    assert server.client.state is State.ESTABLISHED
    assert server.client.make_keys().next_sequence == 1


def test_server_without_cookie_and_with_a_hint_is_understood() -> None:
    server = HandMadeServer()
    server.record(HANDSHAKE, server.hello())
    hint = encode_psk_server_key_exchange(b"hint")
    server.record(HANDSHAKE, server.message(HandshakeType.SERVER_KEY_EXCHANGE, hint))
    server.record(HANDSHAKE, server.done())
    assert server.client.state is State.CHANGE


def test_second_hello_is_the_first_with_the_cookie() -> None:
    server = HandMadeServer(cid=b"own")
    first = decode_client_hello(server.messages[0][12:])
    server.verify(b"the cookie")
    (message,) = decode_fragments(server.messages[0])
    second = decode_client_hello(message.body)
    assert message.message_seq == 1
    assert second == first._replace(cookie=b"the cookie")
    assert second.connection_id == b"own"
    assert second.has_extended_master_secret
    assert second.renegotiation_info == b""


def test_client_offers_what_it_is_told_to() -> None:
    hello = decode_client_hello(HandMadeServer(cid=None, extended_master_secret=False).messages[0][12:])
    assert hello.extensions == {0xFF01: b"\0"}


def test_messages_of_a_flight_may_come_out_of_order_and_in_pieces() -> None:
    server = HandMadeServer()
    server.verify()
    hello, done = server.hello(), server.done()
    server.record(HANDSHAKE, done)
    for piece in fragment(hello, 30)[::-1]:
        server.record(HANDSHAKE, piece)
    assert server.client.state is State.CHANGE


def test_several_messages_may_share_a_record() -> None:
    server = HandMadeServer()
    server.verify()
    server.record(HANDSHAKE, server.hello() + server.done())
    assert server.client.state is State.CHANGE


def test_repeated_flight_4_is_passed_over() -> None:
    server = HandMadeServer()
    server.verify()
    hello, done = server.hello(), server.done()
    for message in (hello, hello, done, done, hello):
        server.record(HANDSHAKE, message)
    assert server.client.state is State.CHANGE
    assert len(server.client.to_send) == 1


@pytest.mark.parametrize(
    ("hello", "alert"),
    [
        ({"version": 0xFEFF}, AlertDescription.PROTOCOL_VERSION),
        ({"suite": 0xC0AE}, AlertDescription.ILLEGAL_PARAMETER),
        ({"suite": 0x00A8}, AlertDescription.ILLEGAL_PARAMETER),
        ({"extensions": {54: b"\0"}}, AlertDescription.UNSUPPORTED_EXTENSION),
        ({"extensions": {0: b""}}, AlertDescription.UNSUPPORTED_EXTENSION),
        ({"extensions": {0xFF01: b"\1x"}}, AlertDescription.HANDSHAKE_FAILURE),
        ({"extensions": {23: b"x"}}, AlertDescription.DECODE_ERROR),
        ({"extensions": {0xFF01: b"\2x"}}, AlertDescription.DECODE_ERROR),
    ],
)
def test_server_hello_that_does_not_answer_ours_is_refused(
    hello: dict[str, Any], alert: AlertDescription
) -> None:
    server = HandMadeServer(cid=None, suites=(0xC0A8,))
    server.verify()
    server.record(HANDSHAKE, server.hello(**hello))
    refused(server, alert)


@pytest.mark.parametrize("body", [b"\5cid", b"\0cid", b""])
def test_cid_that_does_not_fit_its_extension_is_refused(body: bytes) -> None:
    server = HandMadeServer()
    server.verify()
    server.record(HANDSHAKE, server.hello({54: body}))
    refused(server, AlertDescription.DECODE_ERROR)


@pytest.mark.parametrize(
    ("extensions", "alert"),
    [
        ({54: b"\0", 61: b"x"}, AlertDescription.DECODE_ERROR),
        ({61: b""}, AlertDescription.ILLEGAL_PARAMETER),
    ],
    ids=["malformed", "without connection IDs"],
)
def test_routability_check_that_cannot_be_is_refused(
    extensions: dict[int, bytes], alert: AlertDescription
) -> None:
    server = HandMadeServer()
    server.verify()
    server.record(HANDSHAKE, server.hello(extensions))
    refused(server, alert)


def test_messages_cut_short_are_refused_at_every_byte() -> None:
    verify = encode_hello_verify_request(0xFEFF, b"cookie")
    hello = encode_server_hello(0xFEFD, SERVER_RANDOM, b"", 0xC0A8, encode_extensions(EMS))
    hint = encode_psk_server_key_exchange(b"hint")
    for message_type, body in ((3, verify), (2, hello), (12, hint)):
        for length in range(len(body)):
            server = HandMadeServer()
            if message_type == 12:
                server.record(HANDSHAKE, server.hello())
            server.record(HANDSHAKE, server.message(message_type, body[:length]))
            is_hello_without_extensions = message_type == 2 and length == len(body) - 6
            assert (server.client.state is State.FAILED) != is_hello_without_extensions


def test_message_out_of_turn_is_refused() -> None:
    server = HandMadeServer()
    server.record(HANDSHAKE, server.message(HandshakeType.CERTIFICATE, b""))
    refused(server, AlertDescription.UNEXPECTED_MESSAGE)


def test_done_with_content_and_broken_fragments_are_refused() -> None:
    server = HandMadeServer()
    server.record(HANDSHAKE, server.hello())
    server.record(HANDSHAKE, server.message(HandshakeType.SERVER_HELLO_DONE, b"x"))
    refused(server, AlertDescription.DECODE_ERROR)
    server = HandMadeServer()
    server.record(HANDSHAKE, b"\2\0")
    refused(server, AlertDescription.DECODE_ERROR)


def test_one_cookie_after_the_other_is_refused() -> None:
    server = HandMadeServer()
    for _ in range(4):
        server.verify()
        assert server.client.state is State.HELLO
    server.record(HANDSHAKE, server.message(3, encode_hello_verify_request(0xFEFF, b"x")))
    refused(server, AlertDescription.UNEXPECTED_MESSAGE)


def test_finished_with_the_wrong_content_is_refused() -> None:
    server = HandMadeServer()
    server.begin()
    server.record(CHANGE_CIPHER_SPEC, b"\1")
    server.sealed(HANDSHAKE, server.message(HandshakeType.FINISHED, b"v" * 12))
    refused(server, AlertDescription.DECRYPT_ERROR)


def test_finished_before_the_change_waits_and_in_clear_it_does_not_count() -> None:
    server = HandMadeServer()
    server.begin()
    finished = server.finished()
    server.record(HANDSHAKE, finished)
    server.record(CHANGE_CIPHER_SPEC, b"\2")
    server.sealed(HANDSHAKE, finished)
    assert server.client.state is State.CHANGE
    server.record(CHANGE_CIPHER_SPEC, b"\1")
    assert server.client.state is State.ESTABLISHED


def test_what_comes_with_the_finished_and_after_it_does_no_harm() -> None:
    server = HandMadeServer()
    server.begin()
    server.record(CHANGE_CIPHER_SPEC, b"\1")
    server.record(CHANGE_CIPHER_SPEC, b"\1")
    server.sealed(HANDSHAKE, server.finished() + server.message(HandshakeType.CERTIFICATE, b""))
    server.sealed(HANDSHAKE, server.message(HandshakeType.CERTIFICATE, b""), 1)
    assert server.client.state is State.ESTABLISHED


def test_records_that_do_not_open_or_come_again_are_dropped() -> None:
    server = HandMadeServer()
    server.begin()
    server.record(CHANGE_CIPHER_SPEC, b"\1")
    good = server.sealer
    server.sealer = Sealer(SUITES[0xC0A8], b"x" * 16, b"i" * 4, b"")
    server.sealed(HANDSHAKE, b"")
    server.sealer = good
    server.sealed(23, b"data too soon", 5)
    server.sealed(HANDSHAKE, server.finished(), 5)
    assert server.client.state is State.FINISH


def test_so_many_records_are_held_and_no_more() -> None:
    server = HandMadeServer()
    server.begin()
    for sequence in range(20):
        server.sealed(23, b"x", sequence)
    server.sealed(HANDSHAKE, server.finished(), 21)
    server.record(CHANGE_CIPHER_SPEC, b"\1")
    assert server.client.state is State.FINISH


@pytest.mark.parametrize("is_protected", [False, True])
def test_fatal_alert_ends_the_handshake_and_a_warning_does_not(is_protected: bool) -> None:
    server = HandMadeServer()
    server.begin()
    server.record(CHANGE_CIPHER_SPEC, b"\1")
    give = (
        (lambda content, number: server.sealed(ALERT, content, number))
        if is_protected
        else (lambda content, number: server.record(ALERT, content))
    )
    give(b"\1\x5a", 0)
    give(b"\1", 1)
    assert server.client.state is State.FINISH
    give(encode_alert(fatal(AlertDescription.HANDSHAKE_FAILURE)), 2)
    assert server.client.failure is HandshakeFailure.PEER_ALERT
    assert server.client.to_send == []


def test_records_of_foreign_versions_epochs_and_types_are_dropped() -> None:
    server = HandMadeServer()
    server.record(HANDSHAKE, server.hello(), version=0x0303)
    (record,) = decode_records(bytes.fromhex("16fefd000200000000000000 0161".replace(" ", "")), 0)
    server.client.receive(record, 0.0)
    server.record(23, b"data")
    assert server.client.state is State.HELLO


def test_long_hello_goes_in_fragments() -> None:
    server = HandMadeServer(mtu_bytes=100, cid=b"c" * 200)
    assert len(server.taken) > 2
    assert max(map(len, server.taken)) <= 100


def test_flights_are_repeated_by_the_timer_until_it_gives_up() -> None:
    server = HandMadeServer(retransmit_initial_s=2.0, retransmit_count=1)
    client = server.client
    assert client.next_deadline == 2.0
    client.handle_timer(1.9)
    assert client.to_send == []
    client.handle_timer(2.0)
    assert len(client.to_send) == 1
    assert client.next_deadline == 6.0
    client.handle_timer(6.0)
    assert client.failure is HandshakeFailure.TIMEOUT
