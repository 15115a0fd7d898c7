"""Observations: which there are, what comes under their tokens, and when they are to be set up anew.

The registry keeps them; here they are in memory while the gateway runs. What requests do to them is
`gateway.workers.observing`'s, when requests are sent `gateway.workers.commands`'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from gateway.lwm2m.attributes import Attributes
from gateway.lwm2m.observation import Freshness, is_newer, silence_s
from registry.commands import Command
from registry.downlinkstore import DownlinkStore
from registry.model import Registration
from registry.observations import Observation, ObservationState
from registry.outcomes import CommitOutcome

TOKEN_BYTES = 8

FIRST_RETRY_S = 60.0
MAX_RETRY_S = 3_600.0


class Relation:
    """One observation, and what is known of it while the gateway runs."""

    __slots__ = (
        "_limit_s",
        "freshness",
        "heard_at",
        "is_asked",
        "observation",
        "retry_at",
        "retry_s",
        "wanted_by",
    )

    def __init__(self, observation: Observation, now: float) -> None:
        self.keep(observation)
        self.freshness: Freshness | None = None
        self.heard_at = now
        self.retry_at = now
        self.retry_s = FIRST_RETRY_S
        self.is_asked = False
        "Whether a request that sets it up is on its way."

        self.wanted_by: int | None = None
        "Id of the command that is to set it up, until it is: the observation ends with the command."

    def keep(self, observation: Observation) -> None:
        """Have it be as *observation* says."""
        self.observation = observation
        is_established = observation.state is ObservationState.ESTABLISHED
        self._limit_s = silence_s(dict(observation.attributes)) if is_established else None

    @property
    def is_for_command(self) -> bool:
        """Whether it is but what a command wants."""
        return self.wanted_by is not None

    def is_due(self, registration: Registration, now: float) -> bool:
        """Whether it is to be set up under *registration*, on its own account."""
        if self.is_asked or self.is_for_command:
            return False
        stored = self.observation
        if stored.location != registration.location:
            return True
        return stored.state is not ObservationState.ESTABLISHED and now >= self.retry_at

    def is_silent(self, now: float) -> bool:
        """Whether nothing has come for longer than its pmax allows."""
        return self._limit_s is not None and now - self.heard_at > self._limit_s

    def take(self, sequence: int, now: float) -> bool:
        """Note a notification; False when a newer one has come before."""
        self.heard_at = now
        if not is_newer(sequence, now, self.freshness):
            return False
        self.freshness = Freshness(sequence, now)
        return True


class Relations:
    """All of them, by token and by device."""

    def __init__(self, store: DownlinkStore, entropy: Callable[[int], bytes]) -> None:
        self._store = store
        self._entropy = entropy
        self._by_token: dict[bytes, Relation] = {}
        self._by_device: dict[int, list[Relation]] = {}

    def __len__(self) -> int:
        return len(self._by_token)

    def __iter__(self) -> Iterator[Relation]:
        return iter(list(self._by_token.values()))

    def load(self, stored: Sequence[Observation], now: float) -> None:
        """Those that an earlier run left: they hold, until a device or its silence says otherwise."""
        for observation in stored:
            self._enter(Relation(observation, now))

    def find(self, token: bytes) -> Relation | None:
        """The one with this token."""
        return self._by_token.get(token)

    def of_device(self, device: int) -> Sequence[Relation]:
        """Those with this device."""
        return self._by_device.get(device, ())

    def find_same(self, device: int, paths: tuple[str, ...]) -> Relation | None:
        """The one of exactly these paths of *device*."""
        return next((each for each in self.of_device(device) if each.observation.paths == paths), None)

    def claim(self, command: Command) -> None:
        """A former run had begun to carry out *command*: what is wanted by now is what it wants."""
        relation = self.find_same(command.device, command.paths)
        if relation is not None and relation.observation.state is ObservationState.WANTED:
            relation.wanted_by = command.id

    def want(self, command: Command, attributes: Attributes | None, now: float, wall_ms: int) -> Relation:
        """The relation that *command* asks for, perhaps again; stored from now on."""
        request = command.request or b""
        relation = self.find_same(command.device, command.paths)
        if relation is None:
            token = self._entropy(TOKEN_BYTES)
            wanted = ObservationState.WANTED
            observation = Observation(token, command.device, command.paths, request, wanted, wall_ms)
            relation = Relation(observation, now)
            relation.wanted_by = command.id
            self._enter(relation)
        relation.keep(replace(relation.observation, request=request))
        if attributes is not None:
            relation.keep(_with_attributes(relation.observation, attributes))
        self._store.put_observation(relation.observation, _ignore)
        return relation

    def abandon(self, command: Command) -> None:
        """*command* is over: forget what it wanted and did not get."""
        relation = self.find_same(command.device, command.paths)
        if relation is not None and relation.wanted_by == command.id:
            self.forget(relation)

    def establish(self, relation: Relation, location: str, now: float) -> None:
        """The device has agreed, under the registration at *location*."""
        relation.wanted_by = None
        relation.heard_at = now
        relation.freshness = None
        relation.retry_s = FIRST_RETRY_S
        self._put(relation, ObservationState.ESTABLISHED, location)

    def refuse(self, relation: Relation, location: str, now: float) -> None:
        """The device said no, or nothing: another try comes later, and later each time."""
        relation.retry_at = now + relation.retry_s
        relation.retry_s = min(relation.retry_s * 2, MAX_RETRY_S)
        self._put(relation, ObservationState.REFUSED, location)

    def lose(self, relation: Relation) -> None:
        """The device ended it, or fell silent: it is to be set up anew."""
        relation.freshness = None
        self._put(relation, ObservationState.WANTED, None)

    def write_attributes(self, device: int, path: str, attributes: Attributes) -> None:
        """The device has taken new attributes for *path*, which is what some relations may be about."""
        relation = self.find_same(device, (path,))
        if relation is not None:
            relation.keep(_with_attributes(relation.observation, attributes))
            self._store.put_observation(relation.observation, _ignore)

    def forget(self, relation: Relation) -> None:
        """It is over: what comes under its token is nobody's."""
        self._drop(relation)
        self._store.forget_observation(relation.observation, _ignore)

    def forget_device(self, device: int) -> None:
        """The device has lost its credential, and the registry its observations."""
        for relation in list(self.of_device(device)):
            self._drop(relation)

    def _put(self, relation: Relation, state: ObservationState, location: str | None) -> None:
        changed = replace(relation.observation, state=state, location=location)
        if changed != relation.observation:
            relation.keep(changed)
            self._store.put_observation(changed, _ignore)

    def _enter(self, relation: Relation) -> None:
        self._by_token[relation.observation.token] = relation
        self._by_device.setdefault(relation.observation.device, []).append(relation)

    def _drop(self, relation: Relation) -> None:
        self._by_token.pop(relation.observation.token, None)
        device = relation.observation.device
        others = [each for each in self.of_device(device) if each is not relation]
        if others:
            self._by_device[device] = others
        else:
            self._by_device.pop(device, None)


def _with_attributes(observation: Observation, changes: Attributes) -> Observation:
    held = changes.merged(dict(observation.attributes))
    return replace(observation, attributes=tuple(held.items()))


def _ignore(_outcome: CommitOutcome) -> None:
    """A relation that could not be written is in memory still, and written with its next change."""
