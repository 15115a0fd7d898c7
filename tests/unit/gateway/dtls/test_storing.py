"""`gateway.dtls.storing`: what the next run learns of a session."""

from __future__ import annotations

import pytest

from gateway.dtls.resumption import Resumable, Resumables
from gateway.dtls.session import Session
from gateway.dtls.storedstate import StoredSession, decode_session, forget_traffic_keys
from gateway.dtls.storing import state_of
from tests.unit.gateway.dtls.test_restoring import NOW, STORED, WALL_MS, bring_back

PLAIN = StoredSession(STORED.keys, b"", WALL_MS - 60_000)
ENTRY = Resumable(NOW + 30.0, None, b"m" * 48, 0xC0A8, False, b"device-1", b"anchor", b"gw")


def stored(session: Session, resumables: Resumables | None = None) -> StoredSession:
    return decode_session(state_of(session, resumables or Resumables(10), NOW, WALL_MS))


@pytest.mark.parametrize("before", [STORED, PLAIN])
def test_session_that_was_restored_is_stored_as_it_was(before: StoredSession) -> None:
    session = bring_back(before)
    assert session is not None
    assert stored(session) == before


def test_session_that_can_be_resumed_is_stored_with_what_it_takes() -> None:
    session = bring_back()
    assert session is not None
    session.session_id = b"id"
    resumables = Resumables(10)
    resumables.add(b"id", ENTRY, NOW)
    assert stored(session, resumables) == STORED._replace(
        session_id=b"id", master_secret=ENTRY.master, resumable_ms=WALL_MS + 30_000, server_name=b"gw"
    )


def test_session_id_that_nobody_can_resume_by_is_not_stored() -> None:
    session = bring_back()
    assert session is not None
    session.session_id = b"id"
    assert stored(session) == STORED


def test_of_a_session_that_is_over_no_traffic_keys_are_stored() -> None:
    session = bring_back()
    assert session is not None
    session.is_over = True
    assert stored(session) == STORED._replace(keys=forget_traffic_keys(STORED.keys), is_over=True)


def test_session_older_than_the_epoch_is_stored_as_of_its_beginning() -> None:
    session = bring_back(PLAIN)
    assert session is not None
    assert decode_session(state_of(session, Resumables(10), NOW, 1_000)).established_ms == 1
