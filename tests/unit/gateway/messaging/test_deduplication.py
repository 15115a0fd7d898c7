"""Recent messages: found again, forgotten in time, kept small and never too many."""

from __future__ import annotations

import gc

from gateway.address import Address
from gateway.messaging.deduplication import (
    HISTORY_LENGTH,
    PENDING,
    History,
    Memory,
    MessageTable,
    amend,
    key_of,
    recall,
    remember,
)
from gateway.messaging.remote import PlainRemote, SessionRemote
from tests.support.coap import FakeSession

LIFETIME_S = 247.0


def test_history_finds_an_answer_within_its_lifetime() -> None:
    history = remember((), 7, 100.0, 68)
    assert recall(history, 7, 100.0, LIFETIME_S) == 68
    assert recall(history, 7, 100.0 + 246, LIFETIME_S) == 68
    assert recall(history, 8, 100.0, LIFETIME_S) is None


def test_history_forgets_after_the_lifetime() -> None:
    history = remember((), 7, 100.0, 68)
    assert recall(history, 7, 100.0 + 247, LIFETIME_S) is None


def test_history_tells_keys_apart_by_64_bits_and_takes_negative_ones() -> None:
    history = remember(remember((), -5, 1.0, 65), 5, 1.0, 66)
    assert recall(history, -5, 1.0, LIFETIME_S) == 65
    assert recall(history, 5, 1.0, LIFETIME_S) == 66


def test_history_keeps_the_newest_few() -> None:
    history: History = ()
    for key in range(HISTORY_LENGTH + 2):
        history = remember(history, key, 1.0, key)
    assert len(history) == 2 * HISTORY_LENGTH
    assert [recall(history, key, 1.0, LIFETIME_S) for key in range(HISTORY_LENGTH + 2)] == [
        None,
        None,
        *range(2, HISTORY_LENGTH + 2),
    ]


def test_history_amends_an_answer_unless_it_was_pushed_out() -> None:
    history = remember(remember((), 1, 1.0, PENDING), 2, 1.0, 68)
    amended = amend(history, 1, b"answer")
    assert recall(amended, 1, 1.0, LIFETIME_S) == b"answer"
    assert recall(amended, 2, 1.0, LIFETIME_S) == 68
    assert amend(history, 9, 68) == history


def test_history_is_nothing_to_the_garbage_collector() -> None:
    history = remember(remember((), 1, 1.0, 68), 2, 1.0, b"answer")
    gc.collect()
    assert not gc.is_tracked(history)


def test_table_is_nothing_to_the_garbage_collector() -> None:
    table = MessageTable(100, LIFETIME_S)
    table.recall(1, 0.0)
    table.remember(1, 0.0, b"answer")
    table.remember(2, 0.0, 68)
    assert not gc.is_tracked(table._answers)


def test_table_forgets_after_the_lifetime_even_when_idle_meanwhile() -> None:
    table = MessageTable(1000, LIFETIME_S)
    assert table.recall(1, 0.0) is None
    table.remember(1, 0.0, 68)
    assert table.recall(1, 246.0) == 68
    assert table.recall(1, 3600.0) is None
    assert len(table) == 0


def test_table_forgets_after_the_lifetime_under_traffic() -> None:
    table = MessageTable(1000, LIFETIME_S)
    for second in range(600):
        assert table.recall(second, float(second)) is None
        table.remember(second, float(second), 68)
        assert table.recall(max(0, second - 246), float(second)) == 68
    assert len(table) <= LIFETIME_S * 8 / 7 + LIFETIME_S / 7 + 1


def test_table_never_exceeds_its_cap_and_forgets_the_oldest_first() -> None:
    table = MessageTable(80, LIFETIME_S)
    for key in range(1000):
        table.recall(key, 1.0)
        table.remember(key, 1.0, 68)
        assert len(table) <= 80
    assert table.recall(999, 1.0) == 68
    assert table.recall(999 - 60, 1.0) == 68
    assert table.recall(0, 1.0) is None


def test_table_amends_only_what_it_still_knows() -> None:
    table = MessageTable(100, LIFETIME_S)
    table.recall(1, 0.0)
    table.remember(1, 0.0, PENDING)
    table.amend(1, b"answer")
    table.amend(2, b"other")
    assert table.recall(1, 0.0) == b"answer"
    assert table.recall(2, 0.0) is None


def test_memory_of_a_session_is_its_own() -> None:
    memory = Memory(100, LIFETIME_S)
    one = SessionRemote(FakeSession(1), lambda *_: None)
    other = SessionRemote(FakeSession(2), lambda *_: None)
    key = key_of(one, b"datagram")
    assert memory.recall(one, key, 1.0) is None
    memory.remember(one, key, 1.0, PENDING)
    memory.amend(one, key, 68)
    assert memory.recall(one, key, 1.0) == 68
    assert memory.recall(other, key_of(other, b"datagram"), 1.0) is None
    assert len(memory) == 0, "sessions take no room in the common table"


def test_memory_of_plain_peers_goes_by_address_and_bytes() -> None:
    memory = Memory(100, LIFETIME_S)

    def remote(port: int) -> PlainRemote:
        return PlainRemote(Address("192.0.2.1", port), lambda *_: None)

    key = key_of(remote(1), b"datagram")
    assert memory.recall(remote(1), key, 1.0) is None
    memory.remember(remote(1), key, 1.0, PENDING)
    memory.amend(remote(1), key, 65)
    assert memory.recall(remote(1), key_of(remote(1), b"datagram"), 1.0) == 65
    assert key_of(remote(2), b"datagram") != key
    assert key_of(remote(1), b"datagran") != key
    assert len(memory) == 1
