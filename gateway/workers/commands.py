"""Sends what is asked of devices, one request at a time to each, in the order in which it was asked.

    stored ─▶ waits for its turn, for a registration, for the device to be awake ─▶ marked sent (committed)
           ─▶ the link ─▶ an outcome ─▶ the end, committed with the values that came

Observations of a device that registered anew, or fell silent, go before its commands. Driven by callbacks and
one tick a second: no task and no timer for a command. Knows no sockets; CoAP is the link's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from gateway.lwm2m.answers import Answer, Response, read_answer, read_notification
from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.model import Model
from gateway.lwm2m.negotiation import DeviceProfile
from gateway.lwm2m.operationcodec import decode_operation
from gateway.lwm2m.operations import Cancel, Observe, Operation, WriteAttributes
from gateway.lwm2m.queuemode import AwakeWindows
from gateway.lwm2m.readings import readings_of
from gateway.lwm2m.registration import Peer, Policy, find_objection
from gateway.lwm2m.requests import Refusal, Request, prepare, prepare_again
from gateway.messaging.link import Asking, Link, Notification
from gateway.messaging.outcomes import Answered, Outcome, SessionGone, Unsent, Unusable, WasReset
from gateway.messaging.remote import Remote
from gateway.workers.periodic import PeriodicWorker
from gateway.workers.relations import Relation, Relations
from gateway.workers.results import describe_answer
from registry.clock import Clock
from registry.commands import Command, CommandResult, CommandState
from registry.commit import CommitFailure, CommitOutcome
from registry.events import EndFact, RegistrationExpired
from registry.model import Origin, Reading, Registration
from registry.observations import ObservationState
from registry.store import Registry

TICK_S = 1.0

TIMEOUT = "timeout"
RESET = "reset"
UNKNOWN_OUTCOME = "unknown outcome"
"What came of a command that must not be repeated, and whose answer never came."

EXPIRED = "not sent within its time"


class Reach(Protocol):
    """What is needed of `gateway.messaging.stack.CoapStack`."""

    @property
    def link(self) -> Link: ...

    def find_remote(self, identity: str | None, address: str) -> Remote | None: ...


class _Turn(NamedTuple):
    """What a device is being asked, and on whose account: a command's, or an observation's."""

    operation: Operation
    profile: DeviceProfile
    registration: Registration
    tried: tuple[Request, ...]
    command: Command | None
    relation: Relation | None

    @property
    def token(self) -> bytes | None:
        """What its messages must carry; None: any."""
        return None if self.relation is None else self.relation.observation.token


class _Device:
    """What waits for one device, and what is on its way."""

    __slots__ = ("asking", "turn", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[Command] = deque()
        self.turn: _Turn | None = None
        self.asking: Asking | None = None

    def attempt(self) -> None:
        """The first of those that wait is being sent."""
        self.waiting[0] = replace(self.waiting[0], attempts=self.waiting[0].attempts + 1)

    def drop(self, id_: int) -> None:
        """The command with this id waits no more."""
        self.waiting = deque(command for command in self.waiting if command.id != id_)


class Commands(PeriodicWorker):
    """All commands and observations of one gateway. `start` comes before the first datagram."""

    def __init__(
        self,
        registry: Registry,
        reach: Reach,
        clock: Clock,
        policy: Policy,
        find_model: Callable[[], Model],
        entropy: Callable[[int], bytes],
        awake_s: float,
        call_soon: Callable[[Callable[[int], None], int], object],
    ) -> None:
        """*call_soon* calls back once what is being handled has been answered."""
        super().__init__(TICK_S)
        self._registry = registry
        self._store = registry.downlink
        self._reach = reach
        self._clock = clock
        self._policy = policy
        self._find_model = find_model
        self._call_soon = call_soon
        self._awake = AwakeWindows(awake_s)
        self._devices: dict[int, _Device] = {}
        self._interrupted: list[Command] = []
        self.relations = Relations(self._store, entropy)
        self._store.on_commands(self.add)
        registry.on_end(self._end_device)
        reach.link.on_notification = self.take_notification

    # --- called from outside

    async def start(self) -> None:
        """Take up what an earlier run left; what must not be repeated and may have been done has failed.

        Raises:
            StorageUnavailable: it cannot be read.
        """
        waiting, observed = await self._store.load()
        self.relations.load(observed, self._clock.monotonic())
        for command in waiting:
            if command.state is CommandState.SENT:
                self._interrupt(command)
            else:
                self.add((command,))

    def add(self, commands: Sequence[Command]) -> None:
        """Commands that were stored; each waits its turn."""
        for command in commands:
            self._device(command.device).waiting.append(command)
            self._call_soon(self._advance, command.device)

    def hear(self, registration: Registration) -> None:
        """A message of a registered device was accepted; its answer may not have left yet."""
        number = registration.device
        if registration.is_queue_mode:
            self._awake.hear(number, self._clock.monotonic())
        device = self._devices.get(number)
        if device is not None and device.turn is not None:
            if device.turn.registration.location != registration.location:
                self._call_soon(self._give_up, number)
        elif device is not None or self.relations.of_device(number):
            self._call_soon(self._advance, number)

    async def work(self) -> None:
        """Once a second: what expires, what is silent, what could not be done before."""
        now, wall_ms = self._clock.monotonic(), self._clock.wall_ms()
        self._awake.prune(now)
        for relation in self.relations:
            if relation.is_silent(now):
                self.relations.lose(relation)
            if relation.observation.state is not ObservationState.ESTABLISHED:
                self._advance(relation.observation.device)
        for number in list(self._devices):
            self._expire(number, wall_ms)
            self._advance(number)
        interrupted, self._interrupted = self._interrupted, []
        for command in interrupted:
            self._interrupt(command)

    def take_notification(self, remote: Remote, token: bytes, notification: Notification) -> bool:
        """Something came under *token*; False: nobody observes that, and the device may know."""
        relation = self.relations.find(token)
        registration = None if relation is None else self._find_sender(relation, remote)
        if relation is None or registration is None:
            return False
        now = self._clock.monotonic()
        is_over = notification.sequence is None or not notification.response.code.startswith("2.")
        if is_over:
            self.relations.lose(relation)
        elif relation.take(notification.sequence or 0, now):
            self._keep(relation, registration, remote, notification)
        self.hear(registration)
        return True

    # --- turns

    def _device(self, number: int) -> _Device:
        device = self._devices.get(number)
        if device is None:
            device = self._devices[number] = _Device()
        return device

    def _advance(self, number: int) -> None:
        """Give the device its next turn, if it can have one now."""
        device = self._devices.get(number)
        if device is not None and device.turn is not None:
            return
        registration = self._registry.find_registration_of(number)
        if registration is None:
            return
        now = self._clock.monotonic()
        if registration.is_queue_mode and not self._awake.is_awake(number, now):
            return
        remote = self._reach.find_remote(registration.identity, registration.address)
        if remote is None:
            return
        profile = DeviceProfile.of(registration, self._find_model())
        relation = next(
            (each for each in self.relations.of_device(number) if each.is_due(registration, now)), None
        )
        if relation is not None:
            self._set_up(relation, registration, profile, remote)
        elif device is not None and device.waiting:
            self._begin(device, device.waiting[0], registration, profile)
        elif device is not None:
            del self._devices[number]

    def _set_up(
        self, relation: Relation, registration: Registration, profile: DeviceProfile, remote: Remote
    ) -> None:
        try:
            operation = decode_operation(relation.observation.request)
        except DecodeError:
            self.relations.forget(relation)
            return
        request = prepare(operation, profile)
        if isinstance(request, Refusal):
            self.relations.refuse(relation, registration.location, self._clock.monotonic())
            return
        relation.is_asked = True
        turn = _Turn(operation, profile, registration, (request,), None, relation)
        self._device(registration.device).turn = turn
        self._ask(turn, remote)

    def _begin(
        self, device: _Device, command: Command, registration: Registration, profile: DeviceProfile
    ) -> None:
        """Mark the command sent; its request leaves after that is committed."""
        try:
            operation = decode_operation(command.request or b"")
        except DecodeError as error:
            self._end(command, CommandState.FAILED, CommandResult(error=str(error)))
            return
        request = prepare(operation, profile)
        if isinstance(request, Refusal):
            self._end(command, CommandState.FAILED, CommandResult(error=request.text))
            return
        relation = self._relation_of(command, operation)
        if relation is None and isinstance(operation, Cancel):
            self._end(command, CommandState.FAILED, CommandResult(error="nothing is observed there"))
            return
        turn = _Turn(operation, profile, registration, (request,), command, relation)
        device.turn = turn
        self._store.mark_sent(command, lambda outcome: self._send(turn, outcome))

    def _relation_of(self, command: Command, operation: Operation) -> Relation | None:
        if isinstance(operation, Cancel):
            return self.relations.find_same(command.device, command.paths)
        if not isinstance(operation, Observe):
            return None
        relation = self.relations.want(
            command.device,
            command.paths,
            command.request or b"",
            operation.attributes,
            self._clock.monotonic(),
            self._clock.wall_ms(),
        )
        relation.is_asked = True
        return relation

    def _send(self, turn: _Turn, outcome: CommitOutcome) -> None:
        command = turn.command
        assert command is not None, "only commands are marked"
        device = self._devices.get(command.device)
        if device is None or device.turn is not turn:
            return
        if not outcome.is_committed:
            self._rest(turn)
            if outcome.failure is not CommitFailure.STORAGE:
                self._drop(command)
            return
        registration = turn.registration
        remote = self._reach.find_remote(registration.identity, registration.address)
        if remote is None:
            self._wait_again(turn, command)
        else:
            device.attempt()
            self._ask(turn, remote)

    def _ask(self, turn: _Turn, remote: Remote) -> None:
        device = self._device(turn.registration.device)
        device.asking = self._reach.link.request(
            remote,
            turn.tried[-1],
            lambda outcome: self._conclude(turn, remote, outcome),
            token=turn.token,
        )

    # --- outcomes

    def _conclude(self, turn: _Turn, remote: Remote, outcome: Outcome) -> None:
        self._device(turn.registration.device).asking = None
        if not isinstance(outcome, Answered):
            self._conclude_unanswered(turn, outcome)
            return
        if turn.registration.is_queue_mode:
            self._awake.hear(turn.registration.device, self._clock.monotonic())
        response = outcome.response
        again = prepare_again(turn.operation, turn.profile, turn.tried, response.code)
        if again is not None:
            self._ask(turn._replace(tried=(*turn.tried, again)), remote)
            return
        command = turn.command
        is_repeat = command is not None and command.attempts > 0
        answer = read_answer(turn.operation, turn.profile, response, is_repeat=is_repeat)
        self._note_answer(turn, answer, response, outcome.sequence)
        readings = readings_of(answer.records, self._clock.wall_ms())
        self._rest(turn)
        if command is not None:
            state = CommandState.ANSWERED if answer.is_usable else CommandState.FAILED
            self._end(command, state, describe_answer(answer), readings)
        elif readings:
            number = turn.registration.device
            self._registry.keep_values(number, readings, Origin.NOTIFY, _ignore)
            self._advance(number)
        else:
            self._advance(turn.registration.device)

    def _note_answer(self, turn: _Turn, answer: Answer, response: Response, sequence: int | None) -> None:
        """What an answer means for the observations."""
        relation, operation = turn.relation, turn.operation
        now = self._clock.monotonic()
        if isinstance(operation, WriteAttributes) and answer.code.startswith("2."):
            self.relations.write_attributes(
                turn.registration.device, str(operation.path), operation.attributes
            )
        elif relation is None:
            return
        elif isinstance(operation, Cancel):
            self.relations.forget(relation)
        elif answer.code.startswith("2.") and response.has_observe:
            self.relations.establish(relation, turn.registration.location, now)
            relation.take(sequence or 0, now)
        else:
            self._refuse(turn, relation)

    def _refuse(self, turn: _Turn, relation: Relation) -> None:
        """It was not set up: what a command asked for in vain is forgotten, the others are tried again."""
        is_new = relation.observation.state is ObservationState.WANTED
        if is_new and turn.command is not None:
            self.relations.forget(relation)
        else:
            self.relations.refuse(relation, turn.registration.location, self._clock.monotonic())

    def _give_up(self, number: int) -> None:
        """The device has registered anew: it will not answer what it was asked before."""
        device = self._devices.get(number)
        if device is None or device.turn is None or device.asking is None:
            return
        turn, asking = device.turn, device.asking
        asking.cancel()
        self._conclude_unanswered(turn, SessionGone("the device registered anew", asking.is_sent))
        self._advance(number)

    def _conclude_unanswered(self, turn: _Turn, outcome: Outcome) -> None:
        number = turn.registration.device
        command = turn.command
        if turn.registration.is_queue_mode and not isinstance(outcome, WasReset | Unusable):
            self._awake.end(number)
        self._device(number).asking = None
        if command is None:
            assert turn.relation is not None, "on account of one of both"
            self._refuse(turn, turn.relation)
            self._rest(turn)
            self._advance(number)
        elif isinstance(outcome, WasReset):
            self._fail(turn, command, RESET)
        elif isinstance(outcome, Unusable):
            self._fail(turn, command, outcome.reason)
        elif not getattr(outcome, "is_sent", True) or isinstance(outcome, Unsent):
            self._wait_again(turn, command)
        elif not command.is_repeatable:
            self._fail(turn, command, UNKNOWN_OUTCOME)
        elif turn.registration.is_queue_mode or isinstance(outcome, SessionGone):
            self._wait_again(turn, command)
        else:
            self._fail(turn, command, TIMEOUT)

    def _fail(self, turn: _Turn, command: Command, error: str) -> None:
        if turn.relation is not None and not isinstance(turn.operation, Cancel):
            self._refuse(turn, turn.relation)
        self._rest(turn)
        self._end(command, CommandState.FAILED, CommandResult(error=error))

    def _wait_again(self, turn: _Turn, command: Command) -> None:
        """Nothing was done, or it may be done again: the command keeps its place."""
        self._store.requeue(command, _ignore)
        self._rest(turn)

    def _rest(self, turn: _Turn) -> None:
        if turn.relation is not None:
            turn.relation.is_asked = False
        device = self._devices.get(turn.registration.device)
        if device is not None:
            device.turn = None

    def _end(
        self,
        command: Command,
        state: CommandState,
        result: CommandResult,
        readings: Sequence[Reading] = (),
    ) -> None:
        def done(outcome: CommitOutcome) -> None:
            if outcome.failure is CommitFailure.STORAGE:
                # What was done must not be done again because the disk was full.
                self._interrupted.append(command)

        self._store.end(command, state, result, done, readings)
        self._drop(command)

    def _drop(self, command: Command) -> None:
        device = self._devices.get(command.device)
        if device is not None:
            device.drop(command.id)
        self._call_soon(self._advance, command.device)

    def _interrupt(self, command: Command) -> None:
        """Its request may have left, and nobody knows what came of it."""
        if command.is_repeatable:
            self._store.requeue(command, _ignore)
            self.add((command,))
        else:
            self._end(command, CommandState.FAILED, CommandResult(error=UNKNOWN_OUTCOME))

    def _expire(self, number: int, wall_ms: int) -> None:
        device = self._devices[number]
        asked = None if device.turn is None else device.turn.command
        for command in device.waiting:
            if (asked is None or command.id != asked.id) and command.expires_at_ms <= wall_ms:
                self._end(command, CommandState.EXPIRED, CommandResult(error=EXPIRED))

    # --- what devices and administrators do

    def _find_sender(self, relation: Relation, remote: Remote) -> Registration | None:
        registration = self._registry.find_registration_of(relation.observation.device)
        if registration is None:
            return None
        device = self._registry.find_device(registration.node_id)
        peer = Peer(remote.identity, str(remote.address))
        return registration if find_objection(peer, registration, device, self._policy) is None else None

    def _keep(
        self, relation: Relation, registration: Registration, remote: Remote, notification: Notification
    ) -> None:
        profile = DeviceProfile.of(registration, self._find_model())
        try:
            operation = decode_operation(relation.observation.request)
        except DecodeError:
            return
        assert isinstance(operation, Observe)
        if notification.first_block is None:
            self._keep_values(registration, operation, profile, notification.response)
            return
        request = prepare(operation, profile)
        if isinstance(request, Request):
            self._reach.link.fetch_rest(
                remote,
                request,
                relation.observation.token,
                notification,
                lambda outcome: self._keep_fetched(registration, operation, profile, outcome),
            )

    def _keep_fetched(
        self, registration: Registration, operation: Observe, profile: DeviceProfile, outcome: Outcome
    ) -> None:
        if isinstance(outcome, Answered):
            self._keep_values(registration, operation, profile, outcome.response)

    def _keep_values(
        self, registration: Registration, operation: Observe, profile: DeviceProfile, response: Response
    ) -> None:
        try:
            decoded = read_notification(operation.paths, profile, response)
        except DecodeError:
            # Acknowledged all the same: the next one may be readable.
            return
        readings = readings_of(decoded.records, self._clock.wall_ms())
        if readings:
            self._registry.keep_values(registration.device, readings, Origin.NOTIFY, _ignore)

    def _end_device(self, fact: EndFact) -> None:
        """A device that lost its credential has lost commands and observations with it."""
        if isinstance(fact, RegistrationExpired):
            return
        number = fact.device.number
        self._awake.end(number)
        self.relations.forget_device(number)
        device = self._devices.pop(number, None)
        if device is not None and device.asking is not None:
            device.asking.cancel()


def _ignore(_outcome: CommitOutcome) -> None:
    """What could not be written is tried again when its turn comes."""
