"""`gateway.dtls.negotiation`: what the server makes of a hello."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.dtls.alerts import AlertDescription
from gateway.dtls.events import HandshakeFailure
from gateway.dtls.extensions import decode_extensions
from gateway.dtls.negotiation import Choice, Refusal, choose, make_offer
from gateway.dtls.settings import CbcPolicy
from gateway.dtls.suites import DEFAULT_SUITES
from tests.support.dtls_pair import Hello

OFFER = make_offer(DEFAULT_SUITES, CbcPolicy.ANY, None)
EMS, CID, RRC, RENEGOTIATION = 23, 54, 61, 0xFF01


def chosen(hello: Hello, suites: tuple[int, ...] = DEFAULT_SUITES) -> Choice:
    choice = choose(hello.body(), make_offer(suites, CbcPolicy.ANY, None))
    assert isinstance(choice, Choice)
    return choice


def answers(hello: Hello, own_cid: bytes = b"own") -> dict[int, bytes]:
    return decode_extensions(chosen(hello).encode_extensions(own_cid)[2:])


def test_our_order_of_suites_decides() -> None:
    hello = Hello(suites=(0x1301, 0x00A8, 0xC0A8))
    assert chosen(hello, (0xC0A4, 0xC0A8, 0x00A8)).suite.id == 0xC0A8
    assert chosen(hello, (0x00A8, 0xC0A8)).suite.id == 0x00A8


def test_only_offered_extensions_are_answered() -> None:
    bare = Hello().without(EMS, RENEGOTIATION)
    assert chosen(bare).encode_extensions(b"own") == b""
    assert answers(Hello().with_cid(b"theirs")) == {
        RENEGOTIATION: b"\0",
        EMS: b"",
        CID: b"\3own",
    }


def test_signalling_suite_asks_for_the_renegotiation_extension() -> None:
    hello = replace(Hello().without(RENEGOTIATION), suites=(0xC0A8, 0x00FF))
    assert answers(hello, b"") == {RENEGOTIATION: b"\0", EMS: b""}


def test_empty_cid_is_an_offer_and_a_draft_one_is_none() -> None:
    assert chosen(Hello().with_cid(b"")).peer_cid == b""
    assert chosen(Hello()).peer_cid is None
    legacy = replace(Hello(), extensions={254: b"\0"})
    assert chosen(legacy).peer_cid is None
    assert chosen(legacy).has_legacy_cid


def test_routability_check_is_agreed_on_beside_connection_ids_only() -> None:
    assert answers(Hello().with_cid().with_rrc())[RRC] == b""
    assert RRC not in answers(Hello().with_cid())
    assert RRC not in answers(Hello().with_rrc())
    malformed = replace(Hello(), extensions={CID: b"\0", RRC: b"x"})
    assert isinstance(choose(malformed.body(), OFFER), Refusal)


@pytest.mark.parametrize("version", [0xFEFD, 0xFEFC, 0xFE00])
def test_newer_versions_are_served_with_1_2(version: int) -> None:
    assert isinstance(choose(Hello(version=version).body(), OFFER), Choice)


@pytest.mark.parametrize("version", [0xFEFF, 0xFEFE, 0x0303, 0xFFFF, 0])
def test_older_and_foreign_versions_are_refused(version: int) -> None:
    refusal = Refusal(AlertDescription.PROTOCOL_VERSION, HandshakeFailure.PROTOCOL_VERSION)
    assert choose(Hello(version=version).body(), OFFER) == refusal


def test_renegotiation_in_a_first_handshake_is_refused() -> None:
    hello = replace(Hello(), extensions={RENEGOTIATION: b"\1x"})
    refusal = Refusal(AlertDescription.HANDSHAKE_FAILURE, HandshakeFailure.PROTOCOL_ERROR)
    assert choose(hello.body(), OFFER) == refusal


def test_no_common_suite_is_refused() -> None:
    refusal = Refusal(AlertDescription.HANDSHAKE_FAILURE, HandshakeFailure.NO_COMMON_SUITE)
    assert choose(Hello(suites=(0xC0AE,)).body(), OFFER) == refusal


def test_unreadable_hello_is_refused() -> None:
    refusal = Refusal(AlertDescription.DECODE_ERROR, HandshakeFailure.PROTOCOL_ERROR)
    assert choose(Hello().body() + b"\0", OFFER) == refusal
