"""An established session: keys, numbers, the address it is heard from. State without decisions.

Held by the hundred thousand: slots, shared values, nothing that an idle one does not need.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from gateway.address import Address
from gateway.dtls.protection import RecordOpener, RecordSealer
from gateway.dtls.record import MAX_PLAINTEXT_BYTES, MAX_SEQUENCE
from gateway.dtls.replay import ReplayWindow

UNLIMITED_CEILING: Final = MAX_SEQUENCE
"Of a session that is not persisted."

UNLIMITED_SENDING: Final = MAX_SEQUENCE + 1
"Likewise."


class LastFlight:
    """What it takes to repeat our ChangeCipherSpec and Finished (RFC 6347 §4.2.4, last flight)."""

    __slots__ = ("address", "client_random", "finished", "next_in_clear", "repeats_left")

    def __init__(
        self, address: Address, client_random: bytes, finished: bytes, next_in_clear: int, repeats_left: int
    ) -> None:
        self.address = address
        self.client_random = client_random
        "By which a late copy of the ClientHello is known."

        self.finished = finished
        "With its header."

        self.next_in_clear = next_in_clear
        self.repeats_left = repeats_left


class UnconfirmedPath:
    """The address a session moved to, until it is confirmed.

    By the answer to a challenge where the peer knows the return routability check, else by a second
    authentic record.
    """

    __slots__ = ("confirmed", "cookies", "received_bytes", "sent_bytes")

    def __init__(self, confirmed: Address, received_bytes: int) -> None:
        self.confirmed = confirmed
        "The last address that was not in doubt."

        self.received_bytes = received_bytes
        self.sent_bytes = 0
        self.cookies: tuple[bytes, ...] = ()
        "Of the challenges sent; empty: the peer is not challenged."


class Keys(NamedTuple):
    """What a handshake leaves to its session."""

    opener: RecordOpener
    sealer: RecordSealer
    window: ReplayWindow
    next_sequence: int


class Session:
    """One peer that has proved its key.

    `number` is unique in its endpoint; `cid` is what its records towards us carry, empty if none was
    negotiated. `application` belongs to the owner; the engine never looks at it.
    """

    __slots__ = (
        "address",
        "application",
        "bad_records",
        "ceiling",
        "check_s",
        "cid",
        "credential",
        "established_at",
        "expires_at",
        "forgeries",
        "identity",
        "is_confirmed",
        "is_over",
        "keys",
        "last_flight",
        "max_content_bytes",
        "muted_until",
        "next_sequence",
        "number",
        "opener",
        "path",
        "sealer",
        "send_limit",
        "session_id",
        "used_at",
        "window",
    )

    def __init__(
        self, number: int, identity: bytes, address: Address, cid: bytes, keys: Keys, now: float
    ) -> None:
        self.number = number
        self.identity = identity
        self.address = address
        "Where its newest authentic record came from."

        self.cid = cid
        self.opener, self.sealer, self.window, self.next_sequence = keys
        self.established_at = now
        self.expires_at: float | None = None
        "When the certificate that it rests on does; None: no such end."

        self.used_at = now
        "When its latest authentic record came."

        self.application: object | None = None
        self.is_over = False
        self.is_confirmed = False
        "It has delivered application data."

        self.last_flight: LastFlight | None = None
        self.max_content_bytes = MAX_PLAINTEXT_BYTES
        "What a record to the peer may hold."

        self.session_id = b""
        "By which it may be resumed; empty: it may not."

        self.path: UnconfirmedPath | None = None
        "None: the address is not in doubt."

        self.check_s: float | None = None
        "How long a return routability check may take; None: the peer knows none."

        self.bad_records = 0
        "In a row."

        self.forgeries = 0
        self.muted_until = 0.0
        self.ceiling = UNLIMITED_CEILING
        "The highest record number that may be received (`durability`)."

        self.send_limit = UNLIMITED_SENDING
        "The record number to be sent must be below it (`durability`)."

        self.keys = b""
        "What it takes to make `opener` and `sealer` again (`storedstate`); empty: it is not persisted."

        self.credential = b""
        "What the owner wants to know after a restart of the credential that was proved; empty likewise."

    def __repr__(self) -> str:
        return f"<Session {self.number} {self.identity!r} {self.address}>"

    @property
    def key(self) -> bytes | int:
        """What the session is filed under."""
        return self.cid or self.number

    @property
    def confirmed_address(self) -> Address:
        """The last address that was not in doubt."""
        return self.address if self.path is None else self.path.confirmed

    def seal(self, content_type: int, content: bytes) -> bytes:
        """One protected record, with the next number."""
        sequence = self.next_sequence
        self.next_sequence = sequence + 1
        return self.sealer.seal(content_type, 1, sequence, content)
