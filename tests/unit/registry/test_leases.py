import sys
from array import array

import pytest

from registry.leases import NONE, PAGE_SIZE, UNLIMITED, Leases, expiry_after, pack, unpack

NOW = 1_000


@pytest.fixture
def leases():
    return Leases(NOW)


def due(leases, second, limit=1_000):
    return sorted(leases.due(second, limit))


@pytest.mark.parametrize(("now", "duration", "expiry"), [(10.0, 5, 16), (10.9, 5, 16), (10.0, 0.5, 11)])
def test_expiry_is_never_before_the_duration_is_over(now, duration, expiry):
    assert expiry_after(now, duration) == expiry
    assert expiry >= now + duration


def test_no_duration_and_one_beyond_the_axis_are_unlimited():
    assert expiry_after(10.0, 0) == UNLIMITED
    assert expiry_after(10.0, 2**33) == UNLIMITED


def test_lease_is_due_at_its_second_and_not_before(leases):
    leases.grant(7, NOW + 5)
    assert due(leases, NOW + 4) == []
    assert due(leases, NOW + 5) == [7]
    assert due(leases, NOW + 6) == []


def test_renewed_lease_is_due_at_its_new_second(leases):
    leases.grant(7, NOW + 5)
    leases.renew(7, NOW + 50)
    assert due(leases, NOW + 49) == []
    assert due(leases, NOW + 50) == [7]


def test_lease_granted_anew_for_less_is_due_sooner(leases):
    leases.grant(7, NOW + 50)
    leases.grant(7, NOW + 5)
    assert due(leases, NOW + 5) == [7]
    leases.grant(7, NOW + 50)
    assert due(leases, NOW + 50) == [7]
    assert due(leases, NOW + 500) == []


def test_dropped_lease_is_never_due(leases):
    leases.grant(7, NOW + 5)
    leases.drop(7)
    assert leases.find(7) == NONE
    assert due(leases, NOW + 9) == []


def test_unlimited_lease_is_never_due(leases):
    leases.grant(7, NOW + 5)
    leases.grant(7, UNLIMITED)
    assert due(leases, UNLIMITED - 1) == []
    assert leases.find(7) == UNLIMITED


def test_what_has_no_lease_can_neither_be_renewed_nor_dropped(leases):
    leases.renew(7, NOW + 5)
    leases.drop(7)
    assert leases.find(7) == NONE
    leases.grant(8, NOW + 5)
    leases.renew(7, NOW + 5)
    leases.drop(7)
    assert leases.find(7) == NONE
    assert due(leases, NOW + 9) == [8]


def test_due_number_is_given_once_until_it_is_filed_again(leases):
    leases.grant(7, NOW + 5)
    assert due(leases, NOW + 5) == [7]
    assert due(leases, NOW + 9) == []
    leases.refile(7, NOW + 10)
    assert due(leases, NOW + 9) == []
    assert due(leases, NOW + 10) == [7]


def test_lease_that_ended_in_the_past_is_due_at_the_next_second(leases):
    leases.grant(7, NOW - 5)
    assert due(leases, NOW + 1) == [7]


def test_due_numbers_come_in_chunks(leases):
    for number in range(25):
        leases.grant(number, NOW + 5)
    chunks = [leases.due(NOW + 5, 10) for _ in range(3)]
    assert [len(chunk) for chunk in chunks] == [10, 10, 5]
    assert sorted(sum(chunks, [])) == list(range(25))  # noqa: RUF017


def test_a_call_visits_a_bounded_number_of_entries(leases):
    for number in range(100):
        leases.grant(number, NOW + 5)
        leases.renew(number, NOW + 500)
    assert leases.due(NOW + 5, 1) == []
    assert leases.is_behind(NOW + 5)
    for _ in range(10):
        leases.due(NOW + 5, 1)
    assert not leases.is_behind(NOW + 5)
    assert len(due(leases, NOW + 500)) == 100


def test_far_ends_are_reached_over_stations(leases):
    leases.grant(7, NOW + 1_000_000)
    assert due(leases, NOW + 999_999) == []
    assert due(leases, NOW + 1_000_000) == [7]


def test_few_buckets_carry_far_ends():
    leases = Leases(NOW)
    for number in range(10_000):
        leases.grant(number, NOW + 10_000 + number)
    assert len(leases._wheel._buckets) == 1


def test_long_sleep_is_caught_up_with(leases):
    for number in range(10):
        leases.grant(number, NOW + 1 + number * 100)
    assert due(leases, NOW + 10_000_000) == list(range(10))


def test_dirty_pages_are_taken_once_and_in_order(leases):
    leases.grant(2 * PAGE_SIZE + 1, NOW + 5)
    leases.grant(3, NOW + 6)
    assert [page for page, _ in leases.take_dirty()] == [0, 2]
    assert leases.take_dirty() == []
    leases.renew(3, NOW + 7)
    [(page, data)] = leases.take_dirty()
    assert page == 0
    assert unpack(data)[3] == NOW + 7
    leases.drop(3)
    assert unpack(leases.take_dirty()[0][1])[3] == NONE
    leases.mark_dirty([2])
    assert [page for page, _ in leases.take_dirty()] == [2]
    leases.mark_all_dirty()
    assert [page for page, _ in leases.take_dirty()] == [0, 2]


def test_refiling_alone_makes_nothing_dirty(leases):
    leases.refile(7, NOW + 5)
    assert leases.take_dirty() == []


def test_packed_page_is_little_endian_on_every_machine(monkeypatch):
    page = array("I", [1, UNLIMITED])
    assert pack(page) == b"\x01\0\0\0\xff\xff\xff\xff"
    assert unpack(pack(page)) == page
    monkeypatch.setattr(sys, "byteorder", "big")
    assert pack(page) == b"\0\0\0\x01\xff\xff\xff\xff"
    assert unpack(pack(page)) == page


def test_cut_page_gives_what_is_whole():
    assert list(unpack(b"\x01\0\0\0\x02\0")) == [1]
    assert list(unpack(b"")) == []
