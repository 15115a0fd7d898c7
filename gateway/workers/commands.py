"""Sends what is asked of devices, one request at a time to each, in the order in which it was asked.

    stored ─▶ waits for its turn, for a registration, for the device to be awake ─▶ marked sent (committed)
           ─▶ the link ─▶ an outcome ─▶ the end, committed with the values that came

Observations of a device that registered anew, or fell silent, go before its commands. Driven by callbacks and
one tick a second: no task and no timer for a command. Knows no sockets; CoAP is the link's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.lwm2m.answers import read_answer
from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.model import Model
from gateway.lwm2m.negotiation import DeviceProfile
from gateway.lwm2m.operationcodec import decode_operation
from gateway.lwm2m.operations import Cancel, Observe
from gateway.lwm2m.queuemode import AwakeWindows
from gateway.lwm2m.readings import readings_of
from gateway.lwm2m.registration import Policy
from gateway.lwm2m.requests import Refusal, prepare, prepare_again
from gateway.messaging.link import Link
from gateway.messaging.outcomes import Answered, Outcome, SessionGone, TimedOut
from gateway.messaging.remote import Remote
from gateway.workers.ends import PASSING, Ends
from gateway.workers.notifications import Notifications
from gateway.workers.observing import Observing
from gateway.workers.periodic import PeriodicWorker
from gateway.workers.relations import Relation, Relations
from gateway.workers.results import describe_answer
from gateway.workers.turns import UNKNOWN_OUTCOME, Line, Turn, Unanswered, find_failure
from registry.clock import Clock
from registry.commands import Command, CommandResult, CommandState
from registry.events import EndFact, RegistrationExpired
from registry.model import Origin, Reading, Registration
from registry.observations import ObservationState
from registry.outcomes import CommitOutcome
from registry.store import Registry

TICK_S = 1.0

EXPIRED = "not sent within its time"


class Reach(Protocol):
    """What is needed of `gateway.messaging.stack.CoapStack`."""

    @property
    def link(self) -> Link: ...

    def find_remote(self, identity: str | None, address: str) -> Remote | None: ...


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
        self._find_model = find_model
        self._call_soon = call_soon
        self._awake = AwakeWindows(awake_s)
        self._lines: dict[int, Line] = {}
        self._ends = Ends(self._store)
        self.relations = Relations(self._store, entropy)
        self._observing = Observing(self.relations, clock)
        notifications = Notifications(
            registry, reach.link, self.relations, clock, policy, find_model, self.hear, self._awake.end
        )
        self._store.on_commands(self.add)
        registry.on_end(self._end_device)
        reach.link.on_notification = notifications.take

    # --- called from outside

    async def start(self) -> None:
        """Take up what an earlier run left; what must not be repeated and may have been done has failed.

        Raises:
            StorageUnavailable: it cannot be read.
        """
        waiting, observed = await self._store.load()
        self.relations.load(observed, self._clock.monotonic())
        for command in waiting:
            if command.operation == Observe.name:
                self.relations.claim(command)
            if command.state is not CommandState.SENT:
                self.add((command,))
            elif command.is_repeatable:
                self._store.requeue(command, _ignore)
                self.add((command,))
            else:
                self._end(command, CommandState.FAILED, CommandResult(error=UNKNOWN_OUTCOME))

    def add(self, commands: Sequence[Command]) -> None:
        """Commands that were stored; each waits its turn."""
        for command in commands:
            self._line(command.device).waiting.append(command)
            self._call_soon(self._advance, command.device)

    def hear(self, registration: Registration) -> None:
        """A message of a registered device was accepted; its answer may not have left yet."""
        number = registration.device
        if registration.is_queue_mode:
            self._awake.hear(number, self._clock.monotonic())
        line = self._lines.get(number)
        if line is not None and line.turn is not None:
            self._call_soon(self._give_up, number)
        elif line is not None or self.relations.of_device(number):
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
        for number, line in list(self._lines.items()):
            for command in line.overdue(wall_ms):
                self._end(command, CommandState.EXPIRED, CommandResult(error=EXPIRED))
            self._advance(number)
        self._ends.write_again()

    # --- turns

    def _line(self, number: int) -> Line:
        line = self._lines.get(number)
        if line is None:
            line = self._lines[number] = Line()
        return line

    def _advance(self, number: int) -> None:
        """Give the device its next turn, if it can have one now."""
        line = self._lines.get(number)
        if line is not None and line.turn is not None:
            return
        registration = self._registry.find_registration_of(number)
        if registration is None:
            return
        now = self._clock.monotonic()
        if registration.is_queue_mode and not self._awake.is_awake(number, now):
            return
        remote = self._find_remote(registration)
        if remote is None:
            return
        profile = DeviceProfile.of(registration, self._find_model())
        relation = next(
            (each for each in self.relations.of_device(number) if each.is_due(registration, now)), None
        )
        if relation is not None:
            self._set_up(relation, registration, profile, remote)
        elif line is not None and line.waiting:
            self._begin(line, line.waiting[0], registration, profile)
        elif line is not None:
            del self._lines[number]

    def _find_remote(self, registration: Registration) -> Remote | None:
        return self._reach.find_remote(registration.identity, registration.address)

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
        turn = Turn(operation, profile, registration, (request,), None, relation)
        self._line(registration.device).turn = turn
        self._ask(turn, remote)

    def _begin(
        self, line: Line, command: Command, registration: Registration, profile: DeviceProfile
    ) -> None:
        """Mark the command sent; its request leaves after that is committed."""
        try:
            operation = decode_operation(command.request or b"")
        except DecodeError as error:
            self._fail(command, str(error))
            return
        request = prepare(operation, profile)
        if isinstance(request, Refusal):
            self._fail(command, request.text)
            return
        relation = self._observing.begin(command, operation)
        if relation is None and isinstance(operation, Cancel):
            self._fail(command, "nothing is observed there")
            return
        turn = Turn(operation, profile, registration, (request,), command, relation)
        line.turn = turn
        self._store.mark_sent(command, lambda outcome: self._send(turn, command, outcome))

    def _send(self, turn: Turn, command: Command, outcome: CommitOutcome) -> None:
        line = self._lines.get(command.device)
        if line is None or line.turn is not turn:
            return
        if not outcome.is_committed:
            self._rest(turn)
            if outcome.failure not in PASSING:
                self._drop(command)
            return
        # It may have moved, or come back in another session, while this was written.
        registration = self._registry.find_registration_of(command.device)
        remote = None if registration is None else self._find_remote(registration)
        if registration is None or remote is None or registration.location != turn.registration.location:
            self._wait_again(turn, command)
            self._advance(command.device)
            return
        line.turn = turn = turn._replace(registration=registration)
        line.attempt()
        self._ask(turn, remote)

    def _ask(self, turn: Turn, remote: Remote) -> None:
        self._line(turn.registration.device).asking = self._reach.link.request(
            remote,
            turn.tried[-1],
            lambda outcome: self._conclude(turn, remote, outcome),
            token=turn.token,
        )

    # --- outcomes

    def _conclude(self, turn: Turn, remote: Remote, outcome: Outcome) -> None:
        number = turn.registration.device
        self._line(number).asking = None
        if not isinstance(outcome, Answered):
            if isinstance(outcome, TimedOut):
                self._awake.end(number)
            self._conclude_unanswered(turn, outcome)
            return
        if turn.registration.is_queue_mode:
            self._awake.hear(number, self._clock.monotonic())
        response, command = outcome.response, turn.command
        again = prepare_again(turn.operation, turn.profile, turn.tried, response.code)
        if again is not None:
            self._ask(turn._replace(tried=(*turn.tried, again)), remote)
            return
        is_repeat = command is not None and command.attempts > 0
        answer = read_answer(turn.operation, turn.profile, response, is_repeat=is_repeat)
        self._observing.take_answer(turn, answer, response, outcome.sequence)
        readings = readings_of(answer.records, self._clock.wall_ms())
        self._rest(turn)
        if command is not None:
            state = CommandState.ANSWERED if answer.is_usable else CommandState.FAILED
            self._end(command, state, describe_answer(answer), readings)
            return
        if readings:
            self._registry.keep_values(number, readings, Origin.NOTIFY, _ignore)
        self._advance(number)

    def _conclude_unanswered(self, turn: Turn, outcome: Unanswered) -> None:
        is_queue_mode, command = turn.registration.is_queue_mode, turn.command
        if command is None:
            self._rest(turn)
            if self._observing.fail_set_up(turn, outcome):
                self._advance(turn.registration.device)
            return
        error = find_failure(outcome, is_repeatable=command.is_repeatable, is_queue_mode=is_queue_mode)
        if error is None:
            self._wait_again(turn, command)
            return
        self._observing.fail_command(turn, outcome)
        self._rest(turn)
        self._fail(command, error)

    def _give_up(self, number: int) -> None:
        """A device that has registered anew or has moved will not answer what it was asked before."""
        line, registration = self._lines.get(number), self._registry.find_registration_of(number)
        if line is None or line.turn is None or line.asking is None or registration is None:
            return
        turn, asking = line.turn, line.asking
        asked = turn.registration
        if asked.location == registration.location and not _has_moved(asked, registration):
            return
        asking.cancel()
        line.asking = None
        self._conclude_unanswered(turn, SessionGone("the device registered anew or moved", asking.is_sent))
        self._advance(number)

    # --- ends

    def _wait_again(self, turn: Turn, command: Command) -> None:
        """Nothing was done, or it may be done again: the command keeps its place."""
        self._store.requeue(command, _ignore)
        self._rest(turn)

    def _rest(self, turn: Turn) -> None:
        if turn.relation is not None:
            turn.relation.is_asked = False
        line = self._lines.get(turn.registration.device)
        if line is not None:
            line.turn = None

    def _fail(self, command: Command, error: str) -> None:
        self._end(command, CommandState.FAILED, CommandResult(error=error))

    def _end(
        self,
        command: Command,
        state: CommandState,
        result: CommandResult,
        readings: Sequence[Reading] = (),
    ) -> None:
        self._ends.write(command, state, result, readings)
        self._drop(command)

    def _drop(self, command: Command) -> None:
        self.relations.abandon(command)
        line = self._lines.get(command.device)
        if line is not None:
            line.drop(command.id)
        self._call_soon(self._advance, command.device)

    def _end_device(self, fact: EndFact) -> None:
        """A device that lost its credential has lost commands and observations with it."""
        if isinstance(fact, RegistrationExpired):
            return
        number = fact.device.number
        self._awake.end(number)
        self.relations.forget_device(number)
        line = self._lines.pop(number, None)
        if line is not None and line.asking is not None:
            line.asking.cancel()


def _has_moved(asked: Registration, registration: Registration) -> bool:
    """Whether a device without a session is somewhere else than it was asked."""
    return registration.identity is None and asked.address != registration.address


def _ignore(_outcome: CommitOutcome) -> None:
    """What could not be written is tried again when its turn comes."""
