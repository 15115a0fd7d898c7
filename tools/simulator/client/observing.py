"""The observations of one device: begun, cancelled, told when their rules say so (OMA Core TS 1.2 §6.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aiocoap.numbers.codes import Code

from gateway.lwm2m.attributes import Number
from gateway.lwm2m.formats import Format
from gateway.lwm2m.path import ROOT, Path
from gateway.lwm2m.records import Record
from gateway.lwm2m.values import Value
from tools.simulator.client.answers import tell_values
from tools.simulator.client.attached import AttachedAttributes
from tools.simulator.client.contents import SERVER
from tools.simulator.client.exchanges import Response
from tools.simulator.client.relations import (
    Readings,
    Relation,
    Rule,
    begin,
    consider,
    keep_sample,
    make_rule,
    note_change,
    tell,
)
from tools.simulator.client.tree import Tree

MAX_RELATIONS = 64
"Further Observes are answered as Reads."

CONFIRMED_EVERY_S = 86_400.0
"A confirmable notification goes out at least this often (RFC 7641 §4.5)."

_PMIN, _PMAX, _STORES, _NOTIFICATION_MODE = (SERVER.child(id_) for id_ in (2, 3, 6, 26))
_WITH_TIMES = frozenset({Format.SENML_CBOR, Format.SENML_JSON})


@dataclass(frozen=True, slots=True)
class Notification:
    """What is to be told under the token of an observation."""

    token: bytes
    response: Response
    is_confirmable: bool

    @property
    def is_last(self) -> bool:
        """Whether the observation ends with it."""
        return self.response.observe is None


class Observations:
    """Those of one server, by token."""

    __slots__ = ("_attached", "_relations", "_tree", "is_confirmable")

    def __init__(self, tree: Tree, attached: AttachedAttributes, *, is_confirmable: bool) -> None:
        """*is_confirmable*: how a device notifies whose server does not say."""
        self._tree = tree
        self._attached = attached
        self._relations: dict[bytes, Relation] = {}
        self.is_confirmable = is_confirmable

    def __len__(self) -> int:
        return len(self._relations)

    def __iter__(self) -> Iterator[Relation]:
        return iter(self._relations.values())

    # -- by request -------------------------------------------------------------------------------

    def begin(self, relation: Relation, records: tuple[Record, ...], now: float) -> int | None:
        """Observe from now on; the sequence number of the answer, or None when there are too many."""
        if relation.token not in self._relations and len(self._relations) >= MAX_RELATIONS:
            return None
        relation.rules = self._rules_of(relation)
        begin(relation, _readings(records), now)
        self._relations[relation.token] = relation
        return relation.sequence

    def cancel(self, token: bytes) -> None:
        """Observe no more under *token*, if that is done at all."""
        self._relations.pop(token, None)

    def clear(self) -> None:
        """Forget all, as at every Register and De-register."""
        self._relations.clear()

    # -- what happens -----------------------------------------------------------------------------

    def note(self, path: Path, before: Value, after: Value, now: float) -> None:
        """A value has changed, or an instance has come or gone."""
        for relation in self._relations.values():
            if relation.concerns(path):
                note_change(relation, path, before, after)
                relation.due_at = now

    def renew_rules(self, now: float) -> None:
        """Attributes or the server's default periods were changed."""
        for relation in self._relations.values():
            relation.rules = self._rules_of(relation)
            relation.due_at = now

    def get_timer(self) -> float | None:
        """When `poll` has something to look at."""
        return min((one.due_at for one in self._relations.values() if one.due_at is not None), default=None)

    # -- what is told -----------------------------------------------------------------------------

    def poll(self, now: float, *, is_reachable: bool) -> list[Notification]:
        """What is to be told now; what cannot be told is kept or not, as the server wished."""
        told = []
        for relation in list(self._relations.values()):
            if relation.due_at is None or relation.due_at > now:
                continue
            records = self._read(relation)
            if isinstance(records, Code):
                del self._relations[relation.token]
                told.append(Notification(relation.token, Response(records), is_confirmable=True))
                continue
            readings = _readings(records)
            is_late = is_reachable and relation.is_behind
            if not is_late and not consider(relation, readings, now):
                continue
            if is_reachable:
                told.append(self._tell(relation, records, now))
            else:
                self._miss(relation, records, readings, now)
        return told

    def catch_up(self, now: float) -> None:
        """The server can be reached again: what was kept is told at the next `poll`."""
        for relation in self._relations.values():
            if relation.is_behind:
                relation.due_at = now

    def _tell(self, relation: Relation, records: tuple[Record, ...], now: float) -> Notification:
        sequence = tell(relation, _readings(records), now)
        target = ROOT if relation.is_composite else relation.paths[0]
        if relation.samples:
            if relation.accept in _WITH_TIMES:
                records = _with_history(relation, records, now)
            relation.samples = None
        response = tell_values(records, target, relation.accept, self._tree.contents, sequence)
        is_confirmable = (
            relation.is_confirmable
            or self._is_confirmable_by_default()
            or now >= relation.confirmed_at + CONFIRMED_EVERY_S
        )
        if is_confirmable:
            relation.confirmed_at = now
        return Notification(relation.token, response, is_confirmable)

    def _miss(self, relation: Relation, records: tuple[Record, ...], readings: Readings, now: float) -> None:
        stores = self._tree.get(_STORES) is True
        if stores and relation.queue_limit:
            keep_sample(relation, records, readings, now)
        else:
            relation.is_missed = stores
            relation.due_at = None

    # -- details ----------------------------------------------------------------------------------

    def _read(self, relation: Relation) -> tuple[Record, ...] | Code:
        if not relation.is_composite:
            return self._tree.read(relation.paths[0])
        return read_composite(self._tree, relation.paths)

    def _rules_of(self, relation: Relation) -> tuple[Rule, ...]:
        pmin_s, pmax_s = self._default_s(_PMIN), self._default_s(_PMAX)
        return tuple(
            make_rule(path, self._attributes(relation, path), pmin_s, pmax_s) for path in relation.paths
        )

    def _attributes(self, relation: Relation, path: Path) -> Mapping[str, Number]:
        return self._attached.effective(path) if relation.own is None else relation.own

    def _default_s(self, path: Path) -> float:
        value = self._tree.get(path)
        return float(value) if isinstance(value, int) else 0.0

    def _is_confirmable_by_default(self) -> bool:
        mode = self._tree.get(_NOTIFICATION_MODE)
        return self.is_confirmable if mode is None else mode == 1


def read_composite(tree: Tree, paths: tuple[Path, ...]) -> tuple[Record, ...]:
    """The readable values at and below *paths*, each once; what is not there is left out."""
    found: dict[Path, Record] = {}
    for path in paths:
        records = tree.read(path)
        if not isinstance(records, Code):
            found.update((record.path, record) for record in records)
    return tuple(found.values())


def _readings(records: tuple[Record, ...]) -> Readings:
    return {record.path: record.value for record in records}


def _with_history(relation: Relation, records: tuple[Record, ...], now: float) -> tuple[Record, ...]:
    """The samples, each with its time counted back from now, and the newest values."""
    old = [
        record._replace(time_s=round(sample.at - now, 3))
        for sample in relation.samples or ()
        for record in sample.records
    ]
    return (*old, *records)
