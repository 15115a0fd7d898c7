"""What an operation asks of the device around its objects."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UpdateWanted:
    """An Update is to be sent, once the answer has left."""

    lifetime_s: int | None = None
    "A new one, which the Update tells."

    has_new_objects: bool = False
    "Whether the Update tells the object list."


@dataclass(frozen=True, slots=True)
class RebootWanted:
    """The device is to start anew."""


@dataclass(frozen=True, slots=True)
class DisableWanted:
    """The device is to de-register, and to come back later."""

    pause_s: float


@dataclass(frozen=True, slots=True)
class DownloadWanted:
    """A firmware package is to be fetched."""

    uri: str


Effect = UpdateWanted | RebootWanted | DisableWanted | DownloadWanted
