"""Observations: relations with devices that outlive sessions, registrations and the gateway."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class ObservationState(StrEnum):
    """How far a relation has come."""

    WANTED = "wanted"
    "Asked for, and to be asked for again."

    ESTABLISHED = "established"
    "The device has agreed."

    REFUSED = "refused"
    "It was to be set up again, and the device said no."


@dataclass(frozen=True, slots=True)
class Observation:
    """A relation (RFC 7641) between the gateway and something on a device."""

    token: bytes
    "Of the request, and of every notification."

    device: int
    "`Device.number`"

    paths: tuple[str, ...]
    request: bytes
    "What sets it up, for whoever sends it."

    state: ObservationState
    created_at_ms: int
    attributes: tuple[tuple[str, float], ...] = ()
    "Those that are known to hold for it."

    location: str | None = None
    "`Registration.location` under which it was set up; under another it is set up anew."


_COLUMNS = "token, device, paths, request, state, created_at_ms, attributes, location"


def to_row(observation: Observation) -> tuple[object, ...]:
    """Parameters of `PUT`."""
    return (
        observation.token,
        observation.device,
        json.dumps(observation.paths),
        observation.request,
        observation.state.value,
        observation.created_at_ms,
        json.dumps(observation.attributes),
        observation.location,
    )


PUT = f"INSERT OR REPLACE INTO observation ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
FORGET = "DELETE FROM observation WHERE token = ?"


def from_row(row: Sequence[Any]) -> Observation:
    """The observation whose columns are *row*."""
    token, device, paths, request, state, created_at_ms, attributes, location = row
    return Observation(
        token,
        device,
        tuple(json.loads(paths)),
        request,
        ObservationState(state),
        created_at_ms,
        tuple((name, value) for name, value in json.loads(attributes)),
        location,
    )


def read(connection: sqlite3.Connection, device: int | None = None) -> list[Observation]:
    """All of them, or those of *device*."""
    where, values = ("", ()) if device is None else (" WHERE device = ?", (device,))
    rows = connection.execute(f"SELECT {_COLUMNS} FROM observation{where} ORDER BY created_at_ms", values)
    return [from_row(row) for row in rows]


def forget_all(connection: sqlite3.Connection, device: int) -> None:
    """Forget whatever is observed on *device*."""
    connection.execute("DELETE FROM observation WHERE device = ?", (device,))
