"""`gateway.workers.relations`: which observations there are, and when they are to be set up."""

from __future__ import annotations

from typing import Any, cast

import pytest

from gateway.lwm2m.attributes import parse_attributes
from gateway.workers.relations import FIRST_RETRY_S, MAX_RETRY_S, Relation, Relations
from registry.commands import Command, CommandState
from registry.downlinkstore import DownlinkStore
from registry.model import Device, Registration, Security
from registry.observations import Observation, ObservationState
from tests.support.registry import make_registration

DEVICE = Device(7, "d-7", "meter-7", Security.NONE, 0, 0)
PATHS = ("/3303/0/5700",)
PMIN = parse_attributes(["pmin=5"])
PMAX = parse_attributes(["pmax=60"])
T0 = 1_000.0


class Store:
    """What is written, by token."""

    def __init__(self) -> None:
        self.kept: dict[bytes, Observation] = {}
        self.writes = 0

    def put_observation(self, observation: Observation, _done: object) -> None:
        self.writes += 1
        self.kept[observation.token] = observation

    def forget_observation(self, observation: Observation, _done: object) -> None:
        self.kept.pop(observation.token, None)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def relations(store: Store) -> Relations:
    tokens = iter(range(1, 100))
    return Relations(cast("DownlinkStore", store), lambda length: next(tokens).to_bytes(length, "big"))


def command(
    id_: int = 1, paths: tuple[str, ...] = PATHS, request: bytes = b"observe", device: int = 7
) -> Command:
    return Command(id_, device, "d-7", "meter-7", "observe", paths, request, True, CommandState.QUEUED, 0, 1)


def registration(location: str = "here") -> Registration:
    return make_registration(DEVICE, location)


def want(relations: Relations, asked: Command | None = None, attributes: Any = None) -> Relation:
    return relations.want(asked or command(), attributes, T0, 5)


def establish(relations: Relations, location: str = "here") -> Relation:
    relation = want(relations)
    relations.establish(relation, location, T0)
    return relation


def test_wanted_relation_is_stored_under_a_token_of_its_own(relations: Relations, store: Store) -> None:
    relation, other = want(relations), want(relations, command(2, ("/3",)))
    assert store.kept[relation.observation.token] == Observation(
        relation.observation.token, 7, PATHS, b"observe", ObservationState.WANTED, 5
    )
    assert relations.find(relation.observation.token) is relation
    assert (len(relation.observation.token), len(relations), len(store.kept)) == (8, 2, 2)
    assert list(relations.of_device(7)) == list(relations) == [relation, other]


def test_relation_of_the_same_paths_is_the_same(relations: Relations, store: Store) -> None:
    relation = establish(relations)
    again = want(relations, command(2, request=b"in another format"))
    assert again is relation
    assert not again.is_for_command
    assert store.kept[relation.observation.token].request == b"in another format"
    assert relations.find_same(7, ("/3303/0/5700", "/3/0/9")) is None
    assert relations.find_same(8, PATHS) is None


def test_attributes_are_added_to_those_that_hold(relations: Relations, store: Store) -> None:
    relation = want(relations, attributes=PMIN)
    want(relations)
    relations.write_attributes(7, PATHS[0], PMAX)
    assert dict(store.kept[relation.observation.token].attributes) == {"pmin": 5, "pmax": 60}
    writes = store.writes
    relations.write_attributes(7, "/3303/0", PMIN)
    assert store.writes == writes


def test_what_a_command_wants_is_not_set_up_without_it_and_goes_with_it(
    relations: Relations, store: Store
) -> None:
    relation = want(relations, command(1))
    assert not relation.is_due(registration(), T0)
    relations.abandon(command(2))
    assert len(relations) == 1
    relations.abandon(command(1))
    assert (len(relations), store.kept) == (0, {})


def test_what_the_device_has_agreed_to_outlives_the_command(relations: Relations) -> None:
    relation = establish(relations)
    relations.abandon(command(1))
    assert list(relations) == [relation]
    assert relation.observation.state is ObservationState.ESTABLISHED


def test_what_is_established_is_due_under_another_registration_only(relations: Relations) -> None:
    relation = establish(relations, "here")
    assert not relation.is_due(registration("here"), T0 + 1e6)
    assert relation.is_due(registration("there"), T0)
    relation.is_asked = True
    assert not relation.is_due(registration("there"), T0)


def test_refused_relation_is_tried_again_later_and_later(relations: Relations, store: Store) -> None:
    relation = establish(relations)
    now, waits = T0, []
    for _ in range(9):
        relations.refuse(relation, "there", now)
        waits.append(relation.retry_at - now)
        assert not relation.is_due(registration("there"), relation.retry_at - 1)
        assert relation.is_due(registration("there"), relation.retry_at)
        now = relation.retry_at
    assert waits[:3] == [FIRST_RETRY_S, 2 * FIRST_RETRY_S, 4 * FIRST_RETRY_S]
    assert waits[-1] == MAX_RETRY_S
    assert store.kept[relation.observation.token].state is ObservationState.REFUSED
    assert relation.is_due(registration("a third"), now), "a new Register is a new chance"


def test_lost_relation_is_due_at_once_and_written_once(relations: Relations, store: Store) -> None:
    relation = establish(relations)
    writes = store.writes
    relations.lose(relation)
    relations.lose(relation)
    assert store.writes == writes + 1
    assert relation.is_due(registration("here"), T0)
    assert not relation.is_for_command


def test_silence_beyond_twice_pmax_is_noticed(relations: Relations) -> None:
    relation = want(relations, attributes=PMAX)
    assert not relation.is_silent(T0 + 1e6), "nothing is established"
    relations.establish(relation, "here", T0)
    assert not relation.is_silent(T0 + 120)
    assert relation.is_silent(T0 + 121)
    assert relation.take(5, T0 + 121)
    assert not relation.is_silent(T0 + 240)


def test_relation_without_pmax_may_be_silent_for_ever(relations: Relations) -> None:
    assert not establish(relations).is_silent(T0 + 1e9)


def test_older_notification_is_passed_over(relations: Relations) -> None:
    relation = establish(relations)
    assert [relation.take(number, T0) for number in (5, 4, 5, 6)] == [True, False, False, True]


def test_former_run_leaves_relations_that_hold_and_wishes_of_its_commands(
    store: Store, relations: Relations
) -> None:
    relation, wish = establish(relations), want(relations, command(2, ("/3",)))
    later = Relations(cast("DownlinkStore", store), lambda _: b"never drawn")
    later.load([relation.observation, wish.observation], T0)
    later.claim(command(2, ("/3",)))
    later.claim(command(1))
    later.claim(command(3, ("/4",)))
    later.abandon(command(2, ("/3",)))
    later.abandon(command(1))
    assert [each.observation for each in later] == [relation.observation]


def test_device_that_lost_its_credential_is_observed_no_more(relations: Relations) -> None:
    establish(relations)
    other = want(relations, command(2, device=8))
    relations.forget_device(7)
    assert (list(relations), list(relations.of_device(7))) == ([other], [])


def test_forgotten_relation_leaves_the_others(relations: Relations, store: Store) -> None:
    relation, other = establish(relations), want(relations, command(2, ("/3",)))
    relations.forget(relation)
    assert list(relations.of_device(7)) == [other]
    assert list(store.kept) == [other.observation.token]
    assert relations.find(relation.observation.token) is None
