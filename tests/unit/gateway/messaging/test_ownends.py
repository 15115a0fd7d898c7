"""What is asked of a peer leaves from where the peer has talked to us."""

from __future__ import annotations

import pytest

from gateway.address import Address
from gateway.messaging import ownends
from gateway.messaging.ownends import OwnEnds

PEER = Address("192.0.2.1", 5683)
PEER_V6 = Address("2001:db8::1", 5683)


def _hear(ends: OwnEnds, address: Address, local: bytes) -> None:
    heard = address._replace(local=local)
    if heard.local not in ends.usual:
        ends.note(heard)


def _end(ends: OwnEnds, address: Address) -> bytes:
    return ends.complete(address).local


def test_nothing_is_known_before_a_peer_is_heard() -> None:
    ends = OwnEnds()
    assert ends.complete(PEER) == PEER
    _hear(ends, PEER, b"")
    assert ends.complete(PEER) == PEER


def test_first_end_of_a_family_is_everybodys() -> None:
    ends = OwnEnds()
    _hear(ends, PEER, b"four")
    _hear(ends, PEER_V6, b"six")
    assert ends.usual >= {b"four", b"six"}
    assert _end(ends, PEER._replace(port=1)) == b"four"
    assert _end(ends, PEER_V6._replace(port=1)) == b"six"


def test_peer_that_uses_another_end_is_remembered_until_it_uses_the_first() -> None:
    ends = OwnEnds()
    _hear(ends, PEER, b"first")
    other = PEER._replace(port=1)
    _hear(ends, other, b"second")
    assert (_end(ends, PEER), _end(ends, other)) == (b"first", b"second")
    _hear(ends, other, b"first")
    assert _end(ends, other) == b"first"
    assert b"first" in ends.usual
    _hear(ends, other, b"second")
    _hear(ends, other, b"")
    assert _end(ends, other) == b"second"


def test_peers_are_remembered_within_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownends, "MAX_UNUSUAL", 2)
    ends = OwnEnds()
    _hear(ends, PEER, b"first")
    for port in (1, 2, 3):
        _hear(ends, PEER._replace(port=port), b"second")
    assert [_end(ends, PEER._replace(port=port)) for port in (1, 2, 3)] == [b"first", b"second", b"second"]
