"""`gateway.dtls.agreements`: what is remembered of hellos is what would be chosen anew."""

from __future__ import annotations

from dataclasses import replace

from gateway.dtls.agreements import MAX_AGREEMENTS, MAX_REMEMBERED_BYTES, Agreements
from gateway.dtls.alerts import AlertDescription
from gateway.dtls.events import HandshakeFailure
from gateway.dtls.negotiation import Refusal, choose, make_offer
from gateway.dtls.settings import CbcPolicy
from gateway.dtls.suites import DEFAULT_SUITES
from tests.support.dtls_pair import Hello

OFFER = make_offer(DEFAULT_SUITES, CbcPolicy.ANY, None)


def test_hellos_that_differ_in_random_session_id_and_cookie_share_one_result() -> None:
    agreements = Agreements(OFFER)
    first = agreements.choose(Hello(session_id=b"1" * 32).with_cid().body(b"cookie"))
    other = replace(Hello(session_id=b"2" * 32).with_cid(), random=b"R" * 32)
    assert agreements.choose(other.body(b"another one")) is first
    assert first == choose(other.body(), OFFER)


def test_hellos_that_differ_in_anything_else_do_not() -> None:
    agreements = Agreements(OFFER)
    hellos = (
        Hello(),
        Hello().with_cid(),
        Hello().with_cid(b"theirs"),
        Hello().without(23),
        Hello(version=0xFEFF),
        Hello(version=0xFEFC),
        Hello(suites=(0xC0A4,)),
        Hello(session_id=b"s" * 33),
    )
    for _ in range(2):
        assert [agreements.choose(hello.body()) for hello in hellos] == [
            choose(hello.body(), OFFER) for hello in hellos
        ]


def test_a_hello_that_ends_too_early_is_refused_each_time() -> None:
    agreements = Agreements(OFFER)
    refusal = Refusal(AlertDescription.DECODE_ERROR, HandshakeFailure.PROTOCOL_ERROR)
    assert [agreements.choose(Hello().body()[:40]) for _ in range(2)] == [refusal, refusal]


def test_so_many_are_remembered_and_long_ones_not_at_all() -> None:
    agreements = Agreements(OFFER)
    for number in range(MAX_AGREEMENTS + 10):
        agreements.choose(replace(Hello(), extensions={60_000 + number: b""}).body())
    agreements.choose(replace(Hello(), extensions={60_000: bytes(MAX_REMEMBERED_BYTES)}).body())
    assert len(agreements._results) == MAX_AGREEMENTS
