"""`registry.downlink`: what each change to a command or an observation writes, and when it is too late."""

from __future__ import annotations

import pytest

from registry.commands import CommandResult, CommandState, NewCommand
from registry.commit import Committer
from registry.downlink import EndCommand, ForgetObservation, MarkSent, PutObservation, Requeue
from registry.model import Reading
from registry.observations import Observation, ObservationState
from registry.sqlite import Database
from tests.support.registry import Place

READ = NewCommand("read", ("/3/0/0",), b"request", True)
ANSWER = CommandResult("2.05", "text", '{"/3/0/0": "Maker"}')
READINGS = [Reading("/3/0/0", '"Maker"', 7_000)]


def ignore(outcome) -> None:
    """Nobody waits."""


class Scene:
    """A device ``n`` on disk with one command, and a committer."""

    def __init__(self, place: Place, database: Database) -> None:
        self.place = place
        self.device = place.create("n")
        self._committer = Committer(database, place.clock)
        with place.administration() as administration:
            self.id = administration.store_command("n", READ).id

    def commit(self, *changes) -> list[bool]:
        """Which of *changes* were committed."""
        return [outcome.is_committed for outcome in self._committer.commit(changes)]

    @property
    def command(self):
        with self.place.administration() as administration:
            return administration.get_command(self.id)

    @property
    def observations(self):
        with self.place.administration() as administration:
            return administration.observations("n")

    def sent(self) -> MarkSent:
        return MarkSent(self.device, self.id, ignore)

    def requeued(self) -> Requeue:
        return Requeue(self.device, self.id, ignore)

    def ended(self, readings=()) -> EndCommand:
        return EndCommand(self.device, self.id, CommandState.ANSWERED, ANSWER, readings, 100, ignore)

    def observed(self) -> PutObservation:
        number = self.device.number
        observation = Observation(b"token", number, ("/3",), b"observe", ObservationState.WANTED, 5)
        return PutObservation(self.device, observation, ignore)


@pytest.fixture
def scene(place: Place, database: Database) -> Scene:
    return Scene(place, database)


def test_command_is_sent_waits_again_and_is_counted_each_time(scene) -> None:
    assert scene.commit(scene.sent(), scene.requeued(), scene.sent()) == [True, True, True]
    assert (scene.command.state, scene.command.attempts) == (CommandState.SENT, 2)
    assert scene.commit(scene.requeued()) == [True]
    assert scene.command.state is CommandState.QUEUED


def test_end_comes_with_its_values_and_one_event(scene) -> None:
    assert scene.commit(scene.ended(READINGS)) == [True]
    assert (scene.command.state, scene.command.result) == (CommandState.ANSWERED, ANSWER)
    with scene.place.administration() as administration:
        assert [each.value for each in administration.values("n")] == ["Maker"]
        assert len(administration.events(types=["values_reported"])) == 1


def test_end_without_values_is_no_event(scene) -> None:
    assert scene.commit(scene.ended()) == [True]
    with scene.place.administration() as administration:
        assert administration.events(types=["values_reported"]) == []


def test_whatever_comes_behind_the_end_is_too_late(scene) -> None:
    changes = scene.ended(), scene.sent(), scene.requeued(), scene.ended(READINGS)
    assert scene.commit(*changes) == [True, False, False, False]
    with scene.place.administration() as administration:
        assert administration.values("n") == []


def test_observation_is_put_and_forgotten(scene) -> None:
    assert scene.commit(scene.observed()) == [True]
    assert [each.token for each in scene.observations] == [b"token"]
    assert scene.commit(ForgetObservation(scene.device, b"token", ignore)) == [True]
    assert scene.observations == []


@pytest.mark.parametrize("revoke", ["freeze", "delete"])
def test_device_that_has_lost_its_credential_is_not_observed(scene, revoke: str) -> None:
    with scene.place.administration() as administration:
        getattr(administration, revoke)("n")
    assert scene.commit(scene.observed()) == [False]
    assert scene.place.rows("SELECT * FROM observation") == []


def test_device_that_was_thawed_since_is_not_observed_by_what_was_decided_before(scene) -> None:
    with scene.place.administration() as administration:
        administration.freeze("n")
        administration.unfreeze("n")
    assert scene.commit(scene.observed()) == [False]
