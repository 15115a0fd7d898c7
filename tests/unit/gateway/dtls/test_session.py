"""`gateway.dtls.session`: record numbers and what a session is filed under."""

from __future__ import annotations

from gateway.dtls.record import Opener, Sealer, decode_records
from gateway.dtls.replay import ReplayWindow
from gateway.dtls.session import Keys, Session
from gateway.dtls.suites import SUITES
from tests.support.dtls_pair import ADDRESS

SUITE = SUITES[0xC0A8]


def make_session(cid: bytes = b"") -> Session:
    keys = Keys(
        Opener(SUITE, b"k" * 16, b"i" * 4, cid), Sealer(SUITE, b"k" * 16, b"i" * 4, b""), ReplayWindow(), 1
    )
    return Session(7, b"identity", ADDRESS, cid, keys, 50.0)


def test_every_record_has_a_number_of_its_own() -> None:
    session = make_session()
    numbers = [decode_records(session.seal(23, b"x"), 0)[0].sequence for _ in range(3)]
    assert numbers == [1, 2, 3]


def test_session_is_filed_under_its_cid_or_its_number() -> None:
    assert make_session(b"cid").key == b"cid"
    assert make_session().key == 7


def test_session_names_its_peer_and_no_key() -> None:
    text = repr(make_session())
    assert "identity" in text
    assert "192.0.2.1:40000" in text
    assert "kkkk" not in text
