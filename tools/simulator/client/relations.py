"""When an observed value has to be told: the attributes engine (OMA Core TS 1.2 §5.1.2, RFC 7641).

A relation is told when a change condition holds and pmin is over, or when pmax is over; both count from the
notification before. Knows readings and time, no messages.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.lwm2m.attributes import Number
from gateway.lwm2m.formats import Format
from gateway.lwm2m.path import Path
from gateway.lwm2m.records import Record
from gateway.lwm2m.values import Value

Readings = Mapping[Path, Value]
"What an observation is about, path by path."


class Rule(NamedTuple):
    """The attributes that hold for one path of a relation."""

    path: Path
    pmin_s: float = 0.0
    pmax_s: float | None = None
    gt: float | None = None
    lt: float | None = None
    st: float | None = None
    edge: int | None = None
    epmin_s: float = 0.0
    is_confirmable: bool = False
    hqmax: int = 0

    @property
    def is_conditional(self) -> bool:
        """Whether not every change counts."""
        return not (self.gt is None and self.lt is None and self.st is None and self.edge is None)


def make_rule(path: Path, attributes: Mapping[str, Number], pmin_s: float, pmax_s: float) -> Rule:
    """The rule of *attributes*; the two periods are the server's defaults, of which 0 is none."""
    pmin = float(attributes.get("pmin", pmin_s))
    pmax = float(attributes.get("pmax", pmax_s))
    return Rule(
        path,
        pmin,
        pmax if pmax > 0 and pmax >= pmin else None,
        attributes.get("gt"),
        attributes.get("lt"),
        attributes.get("st"),
        None if (edge := attributes.get("edge")) is None else int(edge),
        float(attributes.get("epmin", 0)),
        bool(attributes.get("con", 0)),
        int(attributes.get("hqmax", 0)),
    )


class Sample(NamedTuple):
    """What would have been told while nobody could be reached."""

    at: float
    records: tuple[Record, ...]


@dataclass(slots=True)
class Relation:
    """One observation, single or composite."""

    token: bytes
    paths: tuple[Path, ...]
    accept: Format | None
    is_composite: bool

    own: Mapping[str, Number] | None
    "Attributes of this relation only, which switch the attached ones off."

    rules: tuple[Rule, ...] = ()
    sequence: int = 1
    notified_at: float = 0.0
    evaluated_at: float = 0.0
    confirmed_at: float = 0.0
    "When it was last told in a confirmable message."

    told: Readings = field(default_factory=dict)
    "As of the notification before."

    has_crossed_edge: bool = False
    due_at: float | None = None
    "When it is to be considered again, unless something changes."

    samples: deque[Sample] | None = None

    is_missed: bool = False
    "Whether the newest state could not be told, and has to be as soon as it can."

    @property
    def is_confirmable(self) -> bool:
        """Whether its attributes want confirmable notifications."""
        return any(rule.is_confirmable for rule in self.rules)

    @property
    def is_behind(self) -> bool:
        """Whether something is kept that could not be told when it happened."""
        return self.is_missed or bool(self.samples)

    @property
    def queue_limit(self) -> int:
        """How many samples are kept while the server is out of reach."""
        return max((rule.hqmax for rule in self.rules), default=0)

    def concerns(self, path: Path) -> bool:
        """Whether a change at *path* is a change of what is observed."""
        return any(path.is_within(own) or own.is_within(path) for own in self.paths)


def begin(relation: Relation, readings: Readings, now: float) -> None:
    """The answer to the Observe counts as its first notification."""
    relation.confirmed_at = now
    _restart(relation, readings, now)


def note_change(relation: Relation, path: Path, before: Value, after: Value) -> None:
    """A value has changed: edges count even if it changes back before the next look."""
    for rule in relation.rules:
        if rule.edge is None or not path.is_within(rule.path) or before is after:
            continue
        if isinstance(after, bool) and after is bool(rule.edge):
            relation.has_crossed_edge = True


def consider(relation: Relation, readings: Readings, now: float) -> bool:
    """Whether *relation* is to be told now; if not, its `due_at` says when to look again."""
    wake: list[float] = []
    is_evaluated = False
    for rule in relation.rules:
        if rule.pmax_s is not None:
            wake.append(relation.notified_at + rule.pmax_s)
        evaluable_at = relation.evaluated_at + rule.epmin_s
        if now < evaluable_at:
            wake.append(evaluable_at)
            continue
        is_evaluated = True
        if _is_worth_telling(rule, relation, readings):
            wake.append(relation.notified_at + rule.pmin_s)
    if is_evaluated:
        relation.evaluated_at = now
    relation.due_at = min(wake, default=None)
    return any(at <= now for at in wake)


def tell(relation: Relation, readings: Readings, now: float) -> int:
    """Count a notification of *readings*; gives its sequence number."""
    relation.sequence = (relation.sequence + 1) & 0xFFFFFF
    _restart(relation, readings, now)
    return relation.sequence


def keep_sample(relation: Relation, records: Iterable[Record], readings: Readings, now: float) -> None:
    """Keep what cannot be told now; beyond hqmax the oldest goes."""
    if relation.samples is None:
        relation.samples = deque(maxlen=relation.queue_limit)
    queued = {rule.path for rule in relation.rules if rule.hqmax}
    chosen = tuple(record for record in records if any(record.path.is_within(path) for path in queued))
    relation.samples.append(Sample(now, chosen))
    _restart(relation, readings, now)


def _restart(relation: Relation, readings: Readings, now: float) -> None:
    relation.told = readings
    relation.has_crossed_edge = relation.is_missed = False
    relation.notified_at = relation.evaluated_at = now
    periods = [rule.pmax_s for rule in relation.rules if rule.pmax_s is not None]
    relation.due_at = now + min(periods) if periods else None


def _is_worth_telling(rule: Rule, relation: Relation, readings: Readings) -> bool:
    if rule.edge is not None and relation.has_crossed_edge:
        return True
    told = relation.told
    if not rule.is_conditional:
        return _within(rule.path, readings) != _within(rule.path, told)
    return any(
        path.is_within(rule.path) and _is_step(rule, told.get(path), value)
        for path, value in readings.items()
    )


def _is_step(rule: Rule, before: Value, after: Value) -> bool:
    if not (_is_number(before) and _is_number(after)):
        return False
    assert isinstance(before, int | float)
    assert isinstance(after, int | float)
    if rule.gt is not None and (before > rule.gt) is not (after > rule.gt):
        return True
    if rule.lt is not None and (before < rule.lt) is not (after < rule.lt):
        return True
    return rule.st is not None and abs(after - before) >= rule.st


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _within(path: Path, readings: Readings) -> dict[Path, Value]:
    return {one: value for one, value in readings.items() if one.is_within(path)}
