"""`registry.conclusions`: a commit changes memory first, then whoever waits hears, then those who listen."""

from __future__ import annotations

import pytest

from registry.outcomes import CommitFailure
from tests.support.registry import Place, make_registration, register


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    place.create("n", timeout_s=60)
    return place


def note(seen, registry, number):
    """A *done* that notes what memory has by then."""
    return lambda outcome: seen.append((outcome.failure, registry.find_registration_of(number)))


async def test_register_is_in_memory_before_it_is_answered(place) -> None:
    async with place.registry() as registry:
        device, seen = registry.find_device("n"), []
        registration = make_registration(device, "first")
        registry.register(registration, note(seen, registry, device.number))
        assert registry.registration_count == 0
        await registry.flush()
        assert seen == [(None, registration)]
        assert registry.registration_count == 1
        assert registry.find_device("n").connected_at_ms == registration.registered_at_ms


async def test_failed_change_leaves_memory_as_it_was(place) -> None:
    async with place.registry() as registry:
        before = await register(registry, "n", "first")
        seen = []
        with place.administration() as administration:
            administration.freeze("n")
        registry.change(before._replace(lifetime_s=77), note(seen, registry, before.device))
        assert registry.find_registration_of(before.device).lifetime_s == 77, (
            "what is to be, for the next one"
        )
        await registry.flush()
        assert seen == [(CommitFailure.OVERTAKEN, before)]


async def test_end_is_told_when_it_was_answered_and_memory_has_nothing_more(place) -> None:
    async with place.registry() as registry:
        registration = await register(registry, "n", "first", lifetime_s=10)
        seen = []
        registry.on_end(lambda fact: seen.append((fact, registry.registration_count)))
        place.clock.advance(12)
        registry.expire(place.clock.monotonic())
        await registry.flush()
        ((fact, left),) = seen
        assert (fact.registration, left) == (registration, 0)


async def test_device_that_never_came_is_purged_and_told(place) -> None:
    async with place.registry() as registry:
        seen = []
        registry.on_end(lambda fact: seen.append((fact.device.node_id, registry.device_count)))
        place.clock.advance(62)
        registry.purge_claims(place.clock.monotonic())
        await registry.flush()
        assert seen == [("n", 0)]
