"""`registry.downlinkstore`: commands and observations as a running gateway reads and changes them."""

from __future__ import annotations

import pytest

from registry.commands import CommandResult, CommandState, NewCommand
from registry.model import Origin, Reading, Security
from registry.models import StoredDefinition, store_definitions
from registry.observations import Observation, ObservationState
from registry.outcomes import CommitFailure

READ = NewCommand("read", ("/3/0/0",), b"request", True)
ANSWER = CommandResult("2.05", "text", '{"/3/0/0": "Maker"}')


class Outcomes(list):
    """What became of the changes, in their order."""

    def __call__(self, outcome) -> None:
        self.append(outcome.failure)


@pytest.fixture
async def registry(place):
    place.create("a", Security.PSK)
    async with place.registry() as registry:
        yield registry


def store(place, node_id: str = "a"):
    with place.administration() as administration:
        return administration.store_command(node_id, READ)


def find(place, id_: int):
    with place.administration() as administration:
        return administration.get_command(id_)


def observation(registry, **changes):
    device = registry.find_device("a")
    values = {"state": ObservationState.WANTED, "created_at_ms": 5, "attributes": (("pmax", 60.0),)}
    return Observation(b"token", device.number, ("/3303/0",), b"observe", **values | changes)


async def test_commands_from_outside_are_noticed_once_and_in_their_order(registry, place) -> None:
    seen: list[int] = []
    registry.downlink.on_commands(lambda new: seen.extend(command.id for command in new))
    first, second = store(place), store(place)
    with place.administration() as administration:
        taken_back = administration.cancel_command(administration.store_command("a", READ).id)
    await registry.poll_changes()
    await registry.poll_changes()
    assert seen == [first.id, second.id]
    assert taken_back.has_ended


async def test_command_goes_from_queued_to_sent_and_back(registry, place) -> None:
    command, done = store(place), Outcomes()
    registry.downlink.mark_sent(command, done)
    await registry.flush()
    sent = find(place, command.id)
    assert (sent.state, sent.attempts) == (CommandState.SENT, 1)
    registry.downlink.requeue(command, done)
    await registry.flush()
    assert find(place, command.id).state is CommandState.QUEUED
    assert done == [None, None]
    waiting, _ = await registry.downlink.load()
    assert [each.id for each in waiting] == [command.id]


async def test_end_is_written_with_values_and_their_event(registry, place) -> None:
    command, done = store(place), Outcomes()
    readings = [Reading("/3/0/0", '"Maker"', 7_000)]
    registry.downlink.end(command, CommandState.ANSWERED, ANSWER, done, readings)
    await registry.flush()
    ended = find(place, command.id)
    assert (ended.state, ended.result, ended.request) == (CommandState.ANSWERED, ANSWER, None)
    with place.administration() as administration:
        (value,) = administration.values("a")
        (event,) = administration.events(types=["values_reported"])
    assert (value.path, value.value, value.origin) == ("/3/0/0", "Maker", Origin.READ)
    assert event.data["origin"] == "read"
    assert done == [None]
    assert await registry.downlink.load() == ([], [])


async def test_end_is_told_once_it_is_committed_and_only_then(registry, place) -> None:
    told: list[int] = []
    registry.downlink.on_end(told.append)
    ended, taken_back = store(place), store(place)
    with place.administration() as administration:
        administration.cancel_command(taken_back.id)
    for command in (ended, taken_back):
        registry.downlink.end(command, CommandState.ANSWERED, ANSWER, Outcomes())
    assert told == []
    await registry.flush()
    assert told == [ended.id]


@pytest.mark.parametrize("change", ["mark_sent", "requeue", "end"])
async def test_command_that_was_taken_back_is_left_alone(registry, place, change: str) -> None:
    command, done = store(place), Outcomes()
    with place.administration() as administration:
        administration.cancel_command(command.id)
    if change == "end":
        registry.downlink.end(command, CommandState.ANSWERED, ANSWER, done, [Reading("/1", "1", 1)])
    else:
        getattr(registry.downlink, change)(command, done)
    await registry.flush()
    assert done == [CommitFailure.OVERTAKEN]
    assert find(place, command.id).state is CommandState.CANCELLED


async def test_observation_is_kept_replaced_and_forgotten(registry, place) -> None:
    done = Outcomes()
    wanted = observation(registry)
    registry.downlink.put_observation(wanted, done)
    await registry.flush()
    assert await registry.downlink.load() == ([], [wanted])
    established = observation(registry, state=ObservationState.ESTABLISHED, location="x")
    registry.downlink.put_observation(established, done)
    await registry.flush()
    with place.administration() as administration:
        assert administration.observations("a") == [established]
    registry.downlink.forget_observation(established, done)
    await registry.flush()
    assert await registry.downlink.load() == ([], [])
    assert done == [None, None, None]


@pytest.mark.parametrize("revoke", ["freeze", "reset_secret", "delete"])
async def test_observations_end_with_the_credential(registry, place, revoke: str) -> None:
    done = Outcomes()
    registry.downlink.put_observation(observation(registry), done)
    await registry.flush()
    with place.administration() as administration:
        getattr(administration, revoke)("a")
    # Decided before the change was noticed: it comes too late.
    registry.downlink.put_observation(observation(registry), done)
    await registry.flush()
    assert done == [None, CommitFailure.OVERTAKEN]
    assert await registry.downlink.load() == ([], [])


async def test_device_that_is_gone_has_no_commands(registry, place) -> None:
    command, done = store(place), Outcomes()
    with place.administration() as administration:
        administration.delete("a")
    await registry.poll_changes()
    registry.downlink.mark_sent(command, done)
    await registry.flush()
    assert len(done) <= 1
    assert find(place, command.id).state is CommandState.CANCELLED


async def test_definitions_are_read_behind_a_revision(registry, place) -> None:
    definition = StoredDefinition(42, "1.0", "{}")
    with place.database() as database, database.transaction() as connection:
        revision = store_definitions(connection, [definition], 0)
    assert await registry.downlink.read_definitions(0) == ([definition], revision)
    assert await registry.downlink.read_definitions(revision) == ([], revision)
    with place.administration() as administration:
        assert administration.definitions() == [definition]
