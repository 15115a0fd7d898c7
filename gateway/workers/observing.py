"""What requests and their outcomes mean for observations: wanted, established, refused, lost or cancelled.

Knows the turns of devices, not when they have them: that is `gateway.workers.commands`'.
"""

from __future__ import annotations

from gateway.lwm2m.answers import Answer, Response
from gateway.lwm2m.operations import Cancel, Observe, Operation, WriteAttributes
from gateway.messaging.outcomes import TimedOut, Unusable, WasReset
from gateway.workers.relations import Relation, Relations
from gateway.workers.turns import Turn, Unanswered
from registry.clock import Clock
from registry.commands import Command


class Observing:
    """Moves the *relations* of one gateway on."""

    def __init__(self, relations: Relations, clock: Clock) -> None:
        self._relations = relations
        self._clock = clock

    def begin(self, command: Command, operation: Operation) -> Relation | None:
        """The relation that *command* is about to set up or to cancel; None: it is about none."""
        if isinstance(operation, Cancel):
            return self._relations.find_same(command.device, command.paths)
        if not isinstance(operation, Observe):
            return None
        relation = self._relations.want(
            command, operation.attributes, self._clock.monotonic(), self._clock.wall_ms()
        )
        relation.is_asked = True
        return relation

    def take_answer(self, turn: Turn, answer: Answer, response: Response, sequence: int | None) -> None:
        """The device has answered; *sequence* is the value of the Observe option."""
        relation, operation = turn.relation, turn.operation
        now = self._clock.monotonic()
        if isinstance(operation, WriteAttributes) and answer.code.startswith("2."):
            self._relations.write_attributes(
                turn.registration.device, str(operation.path), operation.attributes
            )
        elif relation is None:
            return
        elif isinstance(operation, Cancel):
            self._relations.forget(relation)
        elif answer.code.startswith("2.") and response.has_observe:
            self._relations.establish(relation, turn.registration.location, now)
            relation.take(sequence or 0, now)
        else:
            self._refuse(turn, relation)

    def fail_command(self, turn: Turn, outcome: Unanswered) -> None:
        """The command has failed without an answer."""
        relation = turn.relation
        if relation is None:
            return
        if not isinstance(turn.operation, Cancel):
            self._refuse(turn, relation)
        elif isinstance(outcome, WasReset | Unusable):
            self._relations.forget(relation)

    def fail_set_up(self, turn: Turn, outcome: Unanswered) -> bool:
        """No answer to what was asked on account of an observation; whether others may have a turn at once.

        Else the device sleeps or has no session: the next try comes when it is heard again, or with the tick.
        """
        relation = turn.relation
        assert relation is not None, "on account of one of both"
        is_awake = isinstance(outcome, TimedOut) and not turn.registration.is_queue_mode
        if isinstance(outcome, WasReset | Unusable) or is_awake:
            self._refuse(turn, relation)
            return True
        self._relations.lose(relation)
        return False

    def _refuse(self, turn: Turn, relation: Relation) -> None:
        """It was not set up. Another try comes later, unless the command in vain was all that wanted it."""
        if not relation.is_for_command:
            self._relations.refuse(relation, turn.registration.location, self._clock.monotonic())
