"""`gateway.dtls.serverflight`: which messages answer a hello, and what is in them."""

from __future__ import annotations

import os

import pytest

from gateway.dtls import exchange
from gateway.dtls.credential import make_credential
from gateway.dtls.extensions import ExtensionType, encode_certificate_types
from gateway.dtls.groups import EXCHANGE_GROUPS, KeyShare, NamedGroup, generate
from gateway.dtls.messages import (
    HandshakeFragment,
    HandshakeType,
    decode_fragments,
    decode_server_hello,
)
from gateway.dtls.negotiation import Choice, choose, make_offer
from gateway.dtls.serverflight import FirstFlight, make_first_flight
from gateway.dtls.settings import CbcPolicy
from gateway.dtls.signatures import verify
from tests.support.certificates import authority, spki_of
from tests.support.dtls_pair import Hello

CLIENT, SERVER = b"c" * 32, b"s" * 32
CA = authority()
GATEWAY = CA.issue("gateway")
CREDENTIAL = make_credential(GATEWAY.key, (GATEWAY.der, CA.der))
HELLO, DONE = HandshakeType.SERVER_HELLO, HandshakeType.SERVER_HELLO_DONE
SHOWN, SHARE, WANTED = (
    HandshakeType.CERTIFICATE,
    HandshakeType.SERVER_KEY_EXCHANGE,
    HandshakeType.CERTIFICATE_REQUEST,
)


def flight_for(suite: int, *, is_raw: bool = False, session_id: bytes = b"") -> FirstFlight:
    extensions = dict(Hello().with_cid(b"peer").extensions)
    if is_raw:
        types = encode_certificate_types([2])
        extensions |= {int(ExtensionType.CLIENT_CERTIFICATE_TYPE): types}
        extensions |= {int(ExtensionType.SERVER_CERTIFICATE_TYPE): types}
    choice = choose(
        Hello(suites=(suite,), extensions=extensions).body(), make_offer((suite,), CbcPolicy.ANY, CREDENTIAL)
    )
    assert isinstance(choice, Choice)
    return make_first_flight(choice, b"own", CLIENT, SERVER, session_id, 1, CREDENTIAL, make_share)


def make_share(group: NamedGroup) -> KeyShare:
    return generate(group, os.urandom)


def messages_of(flight: FirstFlight) -> list[HandshakeFragment]:
    return [fragment for message in flight.messages for fragment in decode_fragments(message)]


@pytest.mark.parametrize(
    ("suite", "types"),
    [
        (0xC0A8, [HELLO, DONE]),
        (0x00AE, [HELLO, DONE]),
        (0xD003, [HELLO, SHARE, DONE]),
        (0xC0AE, [HELLO, SHOWN, SHARE, WANTED, DONE]),
    ],
)
def test_each_key_exchange_has_its_messages_numbered_from_the_first(
    suite: int, types: list[HandshakeType]
) -> None:
    flight = flight_for(suite)
    assert [message.message_type for message in messages_of(flight)] == types
    assert [message.message_seq for message in messages_of(flight)] == list(range(1, len(types) + 1))
    assert (flight.share is None) is (SHARE not in types)


@pytest.mark.parametrize("session_id", [b"", b"i" * 32])
def test_hello_says_what_was_chosen(session_id: bytes) -> None:
    (first, *_) = messages_of(flight_for(0xC0A8, session_id=session_id))
    hello = decode_server_hello(first.body)
    assert (hello.random, hello.cipher_suite, hello.session_id) == (SERVER, 0xC0A8, session_id)
    assert hello.extensions[54] == b"\3own"


def test_share_beside_a_psk_stands_behind_an_empty_hint_and_is_not_signed() -> None:
    flight = flight_for(0xD003)
    assert flight.share is not None
    (body,) = [each.body for each in messages_of(flight) if each.message_type == SHARE]
    hint, parameters = exchange.decode_ecdhe_psk_server_key_exchange(body)
    assert (hint, parameters.public) == (b"", flight.share.public)
    assert parameters.group in EXCHANGE_GROUPS


def test_share_is_signed_over_both_randoms_by_the_key_that_is_shown() -> None:
    flight = flight_for(0xC0AE)
    assert flight.share is not None
    bodies = {each.message_type: each.body for each in messages_of(flight)}
    assert exchange.decode_certificate(bodies[SHOWN]) == (GATEWAY.der, CA.der)
    parameters, signed = exchange.decode_ecdhe_server_key_exchange(bodies[SHARE])
    assert parameters.public == flight.share.public
    content = exchange.signed_parameters(CLIENT, SERVER, parameters.encoded)
    verify(GATEWAY.key.public_key(), signed, content)


def test_bare_key_is_shown_where_it_was_agreed_on() -> None:
    (body,) = [
        each.body for each in messages_of(flight_for(0xC0AE, is_raw=True)) if each.message_type == SHOWN
    ]
    assert exchange.decode_raw_public_key(body) == spki_of(GATEWAY)


def test_any_issuer_will_do_and_only_signatures_that_are_checked_are_wanted() -> None:
    (body,) = [each.body for each in messages_of(flight_for(0xC0AE)) if each.message_type == WANTED]
    request = exchange.decode_certificate_request(body)
    assert request.types == (exchange.ECDSA_SIGN,)
    assert request.authorities == ()
    assert 0x0403 in request.schemes
