"""Remotes: equal within one security context, different across, and all that aiocoap asks of them."""

from __future__ import annotations

from aiocoap import Message
from aiocoap.numbers.codes import Code

from gateway.address import Address
from gateway.messaging.remote import PlainRemote, SessionRemote, remote_of, sender_of
from tests.support.coap import FakeSession

HOME = Address("2001:db8::1", 5683)


def _nowhere(*_: object) -> None:
    pass


def test_plain_remotes_are_equal_by_address() -> None:
    one, same = PlainRemote(HOME, _nowhere), PlainRemote(Address("2001:db8::1", 5683), _nowhere)
    other = PlainRemote(HOME._replace(port=1), _nowhere)
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != HOME
    assert one.blockwise_key == same.blockwise_key != other.blockwise_key


def test_plain_remote_is_the_same_by_whichever_of_our_addresses_it_comes() -> None:
    one, other = (PlainRemote(HOME._replace(local=local), _nowhere) for local in (b"", b"eth0"))
    assert one == other
    assert hash(one) == hash(other)


def test_plain_remote_proves_nothing() -> None:
    remote = PlainRemote(HOME, _nowhere)
    assert (remote.identity, remote.authenticated_claims, remote.is_secure) == (None, (), False)
    assert remote.is_usable


def test_session_remotes_are_equal_only_to_themselves() -> None:
    session = FakeSession()
    one, other = (SessionRemote(session, _nowhere) for _ in range(2))
    assert one == one
    assert one != other
    assert len({one, other}) == 2


def test_session_remote_follows_its_session_to_a_new_address() -> None:
    session = FakeSession()
    remote = SessionRemote(session, _nowhere)
    before = (hash(remote), remote.blockwise_key)
    session.address = Address("198.51.100.7", 40_000)
    assert remote.address == session.address
    assert remote.hostinfo == "198.51.100.7:40000"
    assert (hash(remote), remote.blockwise_key) == before


def test_session_remote_claims_the_identity() -> None:
    remote = SessionRemote(FakeSession(identity="größe".encode()), _nowhere)
    assert remote.identity == "größe"
    assert remote.authenticated_claims == ("größe",)
    assert "größe" in str(remote.blockwise_key)
    strange = SessionRemote(FakeSession(identity=b"\xff"), _nowhere)
    assert strange.identity == "\\xff"


def test_session_has_one_remote_for_its_life() -> None:
    session = FakeSession()
    first = remote_of(session, _nowhere)
    assert remote_of(session, _nowhere) is first
    assert session.application is first


def test_data_leaves_by_the_transport_of_the_remote() -> None:
    sent: list[object] = []
    PlainRemote(HOME, lambda data, address: sent.append((data, address))).transmit(b"plain")
    session = FakeSession()
    remote = SessionRemote(session, lambda whose, data: sent.append((whose, data)))
    remote.transmit(b"secure")
    assert sent == [(b"plain", HOME), (session, b"secure")]


def test_remotes_tell_aiocoap_what_it_asks() -> None:
    plain = PlainRemote(HOME, _nowhere)
    secure = SessionRemote(FakeSession(), _nowhere)
    assert (plain.scheme, plain.uri_base) == ("coap", "coap://[2001:db8::1]:5683")
    assert (secure.scheme, secure.uri_base) == ("coaps", "coaps://192.0.2.9:5684")
    for remote in (plain, secure):
        assert (remote.is_multicast, remote.is_multicast_locally) == (False, False)
        remote.maximum_block_size_exp = 3
        assert (remote.maximum_block_size_exp, remote.maximum_payload_size) == (6, 1024)
        assert remote.as_response_address() is remote
        assert remote.uri_base_local.startswith(remote.scheme + "://")
        assert str(remote.address.port) in repr(remote)


def test_sender_is_the_remote_of_a_message() -> None:
    message = Message(code=Code.GET)
    message.remote = remote = PlainRemote(HOME, _nowhere)
    assert sender_of(message) is remote
