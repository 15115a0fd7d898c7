"""`gateway.dtls.restoring`: which stored sessions go on, and how."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.address import Address
from gateway.dtls.errors import DecodeError
from gateway.dtls.journal import Entry, encode_entry
from gateway.dtls.keys import KeyBlock
from gateway.dtls.record import decode_records
from gateway.dtls.restoring import replay, restore, restore_resumable
from gateway.dtls.session import Session
from gateway.dtls.settings import CbcPolicy, EndpointConfig
from gateway.dtls.storedstate import StoredKeys, StoredSession, encode_keys
from gateway.dtls.suites import SUITES
from tests.support.dtls_pair import ADDRESS, Entropy

NOW = 5_000.0
WALL_MS = 1_800_000_000_000
KEYS = StoredKeys(0xC0A8, KeyBlock(b"c" * 16, b"s" * 16, b"ivc-", b"ivs-"), b"peer")
CBC_KEYS = StoredKeys(0xAE, KeyBlock(b"c" * 16, b"s" * 16, b"", b"", b"m" * 32, b"n" * 32))
STORED = StoredSession(encode_keys(KEYS), b"own cid!", WALL_MS - 60_000, WALL_MS + 5_000, 1500, b"anchor")
ENTRY = Entry(7, 64, 9, True, ADDRESS)
CONFIG = EndpointConfig(suites=tuple(SUITES), persist_sessions=True)


def bring_back(
    stored: StoredSession = STORED, entry: Entry = ENTRY, config: EndpointConfig = CONFIG
) -> Session | None:
    return restore(b"device-1", stored, entry, config, Entropy(), NOW, WALL_MS)


def test_restored_session_is_what_it_was() -> None:
    session = bring_back()
    assert session is not None
    assert (session.number, session.identity, session.cid) == (7, b"device-1", b"own cid!")
    assert (session.address, session.is_confirmed, session.check_s) == (ADDRESS, True, 1.5)
    assert (session.established_at, session.expires_at) == (NOW - 60, NOW + 5)
    assert (session.keys, session.credential) == (STORED.keys, b"anchor")


def test_restored_session_without_extras_has_none() -> None:
    session = bring_back(StoredSession(STORED.keys, b"", WALL_MS))
    assert session is not None
    assert (session.expires_at, session.check_s, session.cid) == (None, None, b"")


def test_restored_session_begins_sending_at_its_limit_and_may_send_nothing_yet() -> None:
    session = bring_back()
    assert session is not None
    assert session.next_sequence == session.send_limit == 64
    assert decode_records(session.seal(23, b"x"), 4)[0].sequence == 64


def test_restored_session_takes_nothing_up_to_its_ceiling() -> None:
    session = bring_back()
    assert session is not None
    assert session.ceiling == 9
    assert not any(session.window.is_fresh(sequence) for sequence in range(10))
    assert session.window.is_fresh(10)


@pytest.mark.parametrize("keys", [KEYS, CBC_KEYS])
def test_every_kind_of_suite_can_be_restored(keys: StoredKeys) -> None:
    session = bring_back(STORED._replace(keys=encode_keys(keys)))
    assert session is not None
    assert session.keys == encode_keys(keys)
    assert len(session.seal(23, b"x")) > len(b"x") + SUITES[keys.suite].tag_bytes


@pytest.mark.parametrize(
    "changes",
    [
        {"stored": STORED._replace(expires_ms=WALL_MS)},
        {"stored": STORED._replace(cid=b"short")},
        {"stored": STORED._replace(keys=b"")},
        {"stored": STORED._replace(keys=encode_keys(KEYS._replace(suite=0x1301)))},
        {"stored": STORED._replace(keys=encode_keys(KEYS._replace(block=CBC_KEYS.block)))},
        {"entry": ENTRY._replace(address=None)},
        {"config": EndpointConfig(suites=(0xC0A4,))},
    ],
    ids=["expired", "cid", "no keys", "unknown suite", "wrong keys", "no address", "suite not served"],
)
def test_session_of_no_use_is_not_restored(changes: dict[str, Any]) -> None:
    assert bring_back(**changes) is None


@pytest.mark.parametrize("encrypt_then_mac", [False, True])
@pytest.mark.parametrize("policy", CbcPolicy)
def test_session_of_cbc_goes_on_only_where_its_kind_is_still_served(
    policy: CbcPolicy, encrypt_then_mac: bool
) -> None:
    stored = STORED._replace(keys=encode_keys(CBC_KEYS._replace(encrypt_then_mac=encrypt_then_mac)))
    is_served = policy is CbcPolicy.ANY or (policy is CbcPolicy.ETM and encrypt_then_mac)
    assert (bring_back(stored, config=replace(CONFIG, cbc=policy)) is not None) is is_served


def test_clock_that_went_back_lets_neither_session_nor_secret_last_longer_than_when_it_was_made() -> None:
    stored = STORED._replace(session_id=b"i" * 32, master_secret=b"m" * 48, resumable_ms=WALL_MS + 30_000)
    in_1970_ms = 1_000
    session = restore(b"device-1", stored, ENTRY, CONFIG, Entropy(), NOW, in_1970_ms)
    resumable = restore_resumable(b"device-1", stored, NOW, in_1970_ms)
    assert session is not None
    assert resumable is not None
    assert (session.established_at, session.expires_at) == (NOW, NOW + 65)
    assert (resumable.expires_at, resumable.session_expires_at) == (NOW + 90, NOW + 65)


def test_last_entry_counts_and_keeps_the_address_before() -> None:
    entries: dict[int, Entry] = {}
    replay(entries, encode_entry(1, 64, 2, False, ADDRESS) + encode_entry(2, 64, 2, False, None))
    replay(entries, encode_entry(1, 128, 5, True, None))
    assert entries == {1: Entry(1, 128, 5, True, ADDRESS), 2: Entry(2, 64, 2, False, None)}
    elsewhere = Address("198.51.100.7", 5000)
    replay(entries, encode_entry(1, 128, 6, True, elsewhere))
    assert entries[1].address == elsewhere


def test_row_that_cannot_be_read_changes_nothing() -> None:
    entries = {1: ENTRY}
    with pytest.raises(DecodeError):
        replay(entries, encode_entry(1, 128, 5, True, None) + b"\0")
    assert entries == {1: ENTRY}
