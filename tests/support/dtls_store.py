"""A store of sessions in memory: what a disk would hold, and a server that comes back from it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from gateway.dtls.durability import Batch
from gateway.dtls.endpoint import Endpoint, EndpointConfig
from gateway.dtls.events import Event
from gateway.dtls.journal import Entry
from gateway.dtls.restoring import replay
from gateway.dtls.session import Session
from gateway.dtls.storedstate import decode_session
from tests.support.dtls_pair import Entropy, Server

WALL_MS = 1_800_000_000_000
PERSISTING = EndpointConfig(persist_sessions=True)


@dataclass
class Store:
    """What has reached the disk."""

    rows: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)
    "Identity and state, by number."

    journal: list[bytes] = field(default_factory=list)

    def write(self, batch: Batch) -> None:
        """One transaction."""
        self.rows |= {row.session.number: (row.session.identity, row.state) for row in batch.rows}
        for number in batch.gone:
            self.rows.pop(number, None)
        self.journal.append(batch.entries)

    def entries(self) -> dict[int, Entry]:
        """The last of each session."""
        entries: dict[int, Entry] = {}
        for row in self.journal:
            replay(entries, row)
        return entries


class StoringServer(Server):
    """A server whose sessions are stored when `store` is called, and not before."""

    def __init__(
        self,
        disk: Store | None = None,
        config: EndpointConfig = PERSISTING,
        run: int = 0,
        now: float | None = None,
    ) -> None:
        super().__init__(config)
        self.now = self.now if now is None else now
        self.disk = disk or Store()
        self.endpoint = Endpoint(config, Entropy(f"server {run}"), self.now)
        self.restored: list[Session] = []
        entries = self.disk.entries()
        for number, (identity, state) in self.disk.rows.items():
            stored = decode_session(state)
            if stored.is_over:
                self.endpoint.restore_resumable(number, identity, stored, self.now, self.wall_ms)
                continue
            entry = entries[number]
            session = self.endpoint.restore(identity, stored, entry, self.now, self.wall_ms)
            if session is not None:
                self.restored.append(session)

    @property
    def wall_ms(self) -> int:
        return WALL_MS + round(self.now * 1000)

    def begin_storing(self) -> Batch:
        """What is on its way to the disk until `end_storing`."""
        return self.endpoint.take_batch(self.now, self.wall_ms)

    def end_storing(self, batch: Batch) -> list[Event]:
        """It has arrived."""
        self.disk.write(batch)
        return self._note(self.endpoint.note_saved(batch, self.now))

    def store(self) -> list[Event]:
        """Store until nothing is left to; gives what had waited."""
        events: list[Event] = []
        while self.endpoint.urgency:
            events += self.end_storing(self.begin_storing())
        return events

    def crash(self, run: int = 1) -> StoringServer:
        """A new process on what the disk holds."""
        disk = Store(dict(self.disk.rows), list(self.disk.journal))
        return StoringServer(disk, self.config, run, self.now)


def without_cids(config: EndpointConfig = PERSISTING) -> EndpointConfig:
    """The same, giving out no connection IDs."""
    return replace(config, cid_length=0)
