"""`gateway.dtls.serverresumption`: an abbreviated handshake, seen from the server."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.dtls.events import HandshakeFailure, PskRequested, ResumptionRequested
from gateway.dtls.messages import HandshakeType, decode_fragments, decode_server_hello
from gateway.dtls.record import ContentType, decode_records
from gateway.dtls.settings import ClientConfig
from tests.support.dtls_pair import IDENTITY, PSK, Pair, Server, only

CONFIG = ClientConfig(IDENTITY, PSK, cid=b"peer")


def left(server: Server | None = None) -> Pair:
    """A client that has been there, and has left."""
    pair = Pair(CONFIG, server=server or Server())
    pair.handshake()
    pair.client.close(pair.now)
    pair.exchange()
    return pair


def coming_back(before: Pair, *, is_answered: bool = True) -> Pair:
    before.server.is_answering = is_answered
    config = replace(CONFIG, resumable=before.client.resumable)
    pair = Pair(config, server=before.server, seed="again")
    pair.start()
    pair.exchange()
    return pair


def hello_of(pair: Pair) -> tuple[int, bytes]:
    """Suite and session ID of the ServerHello that *pair*'s client got."""
    for datagram in pair.sent_to_client:
        for record in decode_records(datagram, len(b"peer")):
            if record.content_type != ContentType.HANDSHAKE or record.epoch:
                continue
            for message in decode_fragments(record.fragment):
                if message.message_type == HandshakeType.SERVER_HELLO:
                    hello = decode_server_hello(message.body)
                    return hello.cipher_suite, hello.session_id
    raise AssertionError("no ServerHello")


def test_nothing_is_said_before_the_owner_was_asked() -> None:
    before = left()
    pair = coming_back(before, is_answered=False)
    (asked,) = only(ResumptionRequested, before.server.events)
    assert asked.identity == IDENTITY
    assert before.server.endpoint.handshake_count == 1
    assert not pair.client.is_established
    # Only the HelloVerifyRequest.
    assert len(pair.sent_to_client) == 1


def test_three_messages_lead_to_the_session_and_nobody_asks_for_a_key() -> None:
    before = left()
    pair = coming_back(before)
    assert pair.client.is_established
    assert before.client.resumable is not None
    suite, session_id = hello_of(pair)
    assert (suite, session_id) == (before.client.resumable.suite, before.client.resumable.session_id)
    assert len(only(PskRequested, before.server.events)) == 1
    (session,) = before.server.sessions
    assert session.identity == IDENTITY


def test_keys_are_new_and_the_session_can_be_resumed_again() -> None:
    before = left()
    pair = coming_back(before)
    pair.say(b"up")
    (session,) = before.server.sessions
    before.server.send(session, b"down")
    pair.exchange()
    assert before.server.received == [b"up"]
    assert pair.client_received == [b"down"]
    assert pair.client.resumable == before.client.resumable


def test_wrong_master_secret_comes_to_nothing() -> None:
    before = left()
    assert before.client.resumable is not None
    forged = before.client.resumable._replace(master=b"x" * 48)
    pair = Pair(replace(CONFIG, resumable=forged), server=before.server, seed="forged")
    pair.start()
    pair.exchange()
    pair.pass_time(100.0)
    assert not pair.client.is_established
    assert before.server.sessions == []


def test_no_is_answered_by_a_full_handshake() -> None:
    before = left()
    before.server.is_resuming = False
    pair = coming_back(before)
    assert pair.client.is_established
    assert len(only(PskRequested, before.server.events)) == 2
    assert before.client.resumable is not None
    assert hello_of(pair)[1] != before.client.resumable.session_id


@pytest.mark.parametrize("is_welcome", [True, False])
def test_answer_that_comes_late_or_twice_changes_nothing(is_welcome: bool) -> None:
    before = left()
    coming_back(before, is_answered=False)
    (asked,) = only(ResumptionRequested, before.server.events)
    before.server.pass_time(200.0)
    assert before.server.endpoint.handshake_count == 0
    late = before.server.count("late_keys")
    assert before.server.provide_resumption(asked, is_welcome) == []
    assert before.server.count("late_keys") == late + 1
    assert before.server.sessions == []


def test_client_that_says_nothing_more_is_given_up() -> None:
    before = left()
    config = replace(CONFIG, resumable=before.client.resumable)
    pair = Pair(config, server=before.server, seed="silent")
    pair.start()
    # Its hellos arrive, what it protects does not.
    pair.to_server = lambda datagram: (datagram,) if datagram[0] == ContentType.HANDSHAKE else ()
    pair.exchange()
    assert before.server.endpoint.handshake_count == 1
    pair.pass_time(300.0)
    assert before.server.endpoint.handshake_count == 0
    assert before.server.failures[-1].reason is HandshakeFailure.TIMEOUT
