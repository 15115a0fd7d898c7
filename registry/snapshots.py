"""What changes too often for a row each time: leases and the addresses of roaming devices.

Knows what is dirty, and how to write it in the writer's thread. A plain Update ends here, not in a commit.
"""

from __future__ import annotations

from dataclasses import dataclass

from registry import loading, registrations
from registry.axis import Axis, CleanStop
from registry.clock import Clock
from registry.memory import Memory
from registry.sqlite import Database

_MOVES_AT_ONCE = 500
_SKEW_TOLERANCE_MS = 1000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is to be written, taken at one instant of the loop."""

    pages: list[tuple[int, bytes]]
    moves: list[tuple[str, int, str]]
    wall_ms: int
    skew_ms: int
    stop: CleanStop | None = None

    def chunk_moves(self) -> list[list[tuple[str, int, str]]]:
        """The moves, few enough at a time that a Register need not wait long."""
        return [self.moves[at : at + _MOVES_AT_ONCE] for at in range(0, len(self.moves), _MOVES_AT_ONCE)]


class Snapshots:
    """Collects what a snapshot has to write, and takes it back when it could not."""

    def __init__(self, memory: Memory, axis: Axis, clock: Clock) -> None:
        self._memory = memory
        self._axis = axis
        self._clock = clock
        self._moved: set[int] = set()
        self._skew_ms = axis.skew_ms(clock.monotonic(), clock.wall_ms())

    def note_move(self, number: int) -> None:
        """Device *number* has another address than its row."""
        self._moved.add(number)

    def take(self, *, is_last: bool = False) -> Snapshot:
        """What changed since the last one; every lease when *is_last* or when the wall clock stepped."""
        monotonic, wall_ms = self._clock.monotonic(), self._clock.wall_ms()
        skew_ms = self._axis.skew_ms(monotonic, wall_ms)
        leases = self._memory.leases
        if is_last or abs(skew_ms - self._skew_ms) > _SKEW_TOLERANCE_MS:
            leases.mark_all_dirty()
            self._skew_ms = skew_ms
        found = (self._memory.registrations.get(number) for number in self._moved)
        moves = [(one.address, one.device, one.location) for one in found if one is not None]
        self._moved.clear()
        stop = CleanStop(int(self._axis.at(monotonic) * 1000), wall_ms) if is_last else None
        return Snapshot(leases.take_dirty(), moves, wall_ms, skew_ms, stop)

    def put_back(self, snapshot: Snapshot) -> None:
        """*snapshot* did not reach the disk, or not all of it."""
        self._memory.leases.mark_dirty([page for page, _ in snapshot.pages])
        self._moved.update(number for _, number, _ in snapshot.moves)


def write_moves(database: Database, moves: list[tuple[str, int, str]]) -> None:
    """Write new addresses; a registration replaced meanwhile keeps its own."""
    with database.transaction() as connection:
        connection.executemany(registrations.MOVE, moves)


def write_leases(database: Database, snapshot: Snapshot) -> None:
    """Write the pages, and the clean mark if this is the last snapshot."""
    with database.transaction() as connection:
        loading.save_leases(connection, snapshot.pages, snapshot.wall_ms, snapshot.skew_ms)
        if snapshot.stop is not None:
            loading.save_clean_mark(connection, snapshot.stop)
    database.checkpoint()
