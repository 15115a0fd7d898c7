"""The errors of the DTLS engine.

    DtlsError
    ├── DecodeError          bytes that are not what they claim to be
    ├── AlertError           well-formed, but the protocol forbids it here
    └── LocalProtocolError   our own caller asked for what must not be

What a peer sends never raises out of `endpoint` or `client`: the first two are caught there and
become drops and alerts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.dtls.alerts import AlertDescription


class DtlsError(Exception):
    """Root of the tree."""


class DecodeError(DtlsError):
    """The only exception of any decoder."""

    def __init__(self, what: str, offset: int = 0) -> None:
        super().__init__(what, offset)
        self.what = what
        self.offset = offset

    def __str__(self) -> str:
        return f"{self.what} at byte {self.offset}"


class AlertError(DtlsError):
    """A message that could be read and cannot be accepted; *description* is what a peer may be told."""

    def __init__(self, description: AlertDescription, what: str) -> None:
        super().__init__(description, what)
        self.description = description
        self.what = what

    def __str__(self) -> str:
        return f"{self.what} ({self.description.name.lower()})"


class LocalProtocolError(DtlsError):
    """A mistake of ours, never of the peer: a sequence number used up, a record too long to send."""
