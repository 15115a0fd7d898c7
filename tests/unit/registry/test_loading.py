import pytest

from registry.axis import CleanStop
from registry.feed import ChangeFeed
from registry.leases import UNLIMITED, unpack
from registry.loading import load, save_clean_mark, save_leases, take_clean_mark
from registry.registrations import ObjectListPool
from tests.support.registry import OBJECTS, register


def load_from(place, stop=None, grace_s=0):
    with place.database() as database:
        return load(database, ObjectListPool(), ChangeFeed(database), place.clock, stop, grace_s)


def remaining(memory, axis, place, number):
    return memory.leases.find(number) - axis.at(place.clock.monotonic())


def test_clean_mark_is_taken_once(place):
    stop = CleanStop(5, 6)
    with place.database() as database:
        assert take_clean_mark(database) is None
        with database.transaction() as connection:
            save_clean_mark(connection, stop)
        assert take_clean_mark(database) == stop
        assert take_clean_mark(database) is None


def test_saved_pages_replace_older_ones(place):
    with place.database() as database:
        for value in (b"\x01\0\0\0", b"\x02\0\0\0"):
            with database.transaction() as connection:
                save_leases(connection, [(3, value)], 7, -8)
        [(page, data, written_at_ms, skew_ms)] = database.query("SELECT * FROM lease_page")
    assert (page, list(unpack(data)), written_at_ms, skew_ms) == (3, [2], 7, -8)


async def test_unclean_start_ignores_the_pages(place):
    device = place.create("n")
    async with place.registry() as registry:
        await register(registry, "n", lifetime_s=100)
        place.clock.advance(90)
    memory, axis = load_from(place, grace_s=20)
    assert 120 <= remaining(memory, axis, place, device.number) <= 121


async def test_clean_start_goes_on_with_the_pages(place):
    place.create_many(2)
    async with place.registry() as registry:
        await register(registry, "node-0", lifetime_s=100)
        await register(registry, "node-1", lifetime_s=0)
        place.clock.advance(90)
    place.clock.advance(1_000)
    with place.database() as database:
        stop = take_clean_mark(database)
    memory, axis = load_from(place, stop)
    assert 10 <= remaining(memory, axis, place, 1) <= 11
    assert memory.leases.find(2) == UNLIMITED


@pytest.mark.parametrize("pages", ["", "UPDATE lease_page SET expiries = x''"])
async def test_entry_that_is_missing_or_no_longer_fits_gives_a_full_lifetime(place, pages):
    place.create_many(2)
    async with place.registry() as registry:
        await register(registry, "node-0", lifetime_s=100)
        await register(registry, "node-1", lifetime_s=0)
        place.clock.advance(90)
    with place.database() as database:
        stop = take_clean_mark(database)
    place.execute(pages or "UPDATE registration SET lifetime_s = 100 - lifetime_s")
    memory, axis = load_from(place, stop)
    limited, unlimited = (1, 2) if pages else (2, 1)
    assert 100 <= remaining(memory, axis, place, limited) <= 101
    assert memory.leases.find(unlimited) == UNLIMITED


async def test_rows_without_their_device_or_objects_are_nobodys(place):
    place.create_many(4)
    async with place.registry() as registry:
        for index in range(4):
            await register(registry, f"node-{index}", profile_id="p")
    place.execute("DELETE FROM device WHERE node_id = 'node-0'")
    place.execute("UPDATE registration SET objects = 4711 WHERE device = 2")
    place.execute("UPDATE profile SET objects = 4711 WHERE device = 2")
    place.execute("UPDATE device SET is_frozen = 1 WHERE node_id = 'node-2'")
    memory, _ = load_from(place)
    assert list(memory.registrations) == [4]
    assert memory.profiles == {3: ("p", OBJECTS), 4: ("p", OBJECTS)}


async def test_claims_are_armed_for_those_who_never_came(place):
    place.create_many(2, timeout_s=60)
    async with place.registry() as registry:
        await register(registry, "node-0")
    place.clock.advance(20)
    memory, axis = load_from(place)
    assert memory.claims.find(1) == 0
    assert 40 <= memory.claims.find(2) - axis.at(place.clock.monotonic()) <= 41


async def test_feed_goes_on_behind_what_was_loaded(place):
    place.create("n")
    with place.database() as database:
        feed = ChangeFeed(database)
        load(database, ObjectListPool(), feed, place.clock, None, 0)
        place.create("later")
        assert [event[2] for event in feed.read().events] == ["later"]
