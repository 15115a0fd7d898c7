"""The life of a device as a table: states, what moves them on, and nothing else.

A disabled device de-registers (DISABLING), is WAITING for as long as it was told, and comes back.

STARTING ──start──▶ HANDSHAKING ──up──▶ REGISTERING ──accepted──▶ REGISTERED ◀─accepted─┐
                       ▲      │            │   ▲  ▲                 │  │                │
                    restart  failed     failed │  └──unknown────────┼──┼──────────── UPDATING
                       │      ▼            ▼ retry                  │  └─────due────────┘▲
                       └──── WAITING ◀─────┴───┘◀──failed, lost─────┤
                                │                                  stop
                            exhausted                               ▼
                                ▼                            DEREGISTERING ──▶ GONE
                             FAILED
"""

from __future__ import annotations

from enum import Enum, auto


class State(Enum):
    """Where a device stands."""

    STARTING = "starting"
    HANDSHAKING = "handshaking"
    REGISTERING = "registering"
    REGISTERED = "registered"
    UPDATING = "updating"
    WAITING = "waiting"
    DISABLING = "disabling"
    DEREGISTERING = "deregistering"
    GONE = "gone"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether nothing will happen any more."""
        return self in (State.GONE, State.FAILED)


class Trigger(Enum):
    """What moves a device on."""

    START = auto()
    UP = auto()
    ACCEPTED = auto()
    UNKNOWN = auto()
    "4.04: the server does not know the registration."

    FAILED = auto()
    LOST = auto()
    "The session is over, by the server."

    DUE = auto()
    RETRY = auto()
    "The pause is over and the channel still stands."

    RESTART = auto()
    "The pause is over and the channel is down."

    EXHAUSTED = auto()
    DISABLE = auto()
    "The server wants nothing to be heard for a while."

    STOP = auto()


TRANSITIONS: dict[tuple[State, Trigger], State] = {
    (State.STARTING, Trigger.START): State.HANDSHAKING,
    (State.STARTING, Trigger.STOP): State.GONE,
    (State.HANDSHAKING, Trigger.UP): State.REGISTERING,
    (State.HANDSHAKING, Trigger.FAILED): State.WAITING,
    (State.HANDSHAKING, Trigger.STOP): State.GONE,
    (State.REGISTERING, Trigger.ACCEPTED): State.REGISTERED,
    (State.REGISTERING, Trigger.FAILED): State.WAITING,
    (State.REGISTERING, Trigger.STOP): State.GONE,
    (State.REGISTERED, Trigger.DUE): State.UPDATING,
    (State.REGISTERED, Trigger.LOST): State.WAITING,
    (State.REGISTERED, Trigger.STOP): State.DEREGISTERING,
    (State.REGISTERED, Trigger.DISABLE): State.DISABLING,
    (State.UPDATING, Trigger.ACCEPTED): State.REGISTERED,
    (State.UPDATING, Trigger.UNKNOWN): State.REGISTERING,
    (State.UPDATING, Trigger.FAILED): State.WAITING,
    (State.UPDATING, Trigger.LOST): State.WAITING,
    (State.UPDATING, Trigger.STOP): State.DEREGISTERING,
    (State.UPDATING, Trigger.DISABLE): State.DISABLING,
    (State.DISABLING, Trigger.ACCEPTED): State.WAITING,
    (State.DISABLING, Trigger.LOST): State.WAITING,
    (State.DISABLING, Trigger.STOP): State.DEREGISTERING,
    (State.WAITING, Trigger.LOST): State.WAITING,
    (State.WAITING, Trigger.RETRY): State.REGISTERING,
    (State.WAITING, Trigger.RESTART): State.HANDSHAKING,
    (State.WAITING, Trigger.EXHAUSTED): State.FAILED,
    (State.WAITING, Trigger.STOP): State.GONE,
    (State.DEREGISTERING, Trigger.ACCEPTED): State.GONE,
    (State.DEREGISTERING, Trigger.UNKNOWN): State.GONE,
    (State.DEREGISTERING, Trigger.FAILED): State.GONE,
    (State.DEREGISTERING, Trigger.LOST): State.GONE,
    (State.DEREGISTERING, Trigger.STOP): State.DEREGISTERING,
    (State.GONE, Trigger.STOP): State.GONE,
    (State.FAILED, Trigger.STOP): State.FAILED,
}
"""The whole life of a device. What is not in here does not happen."""
