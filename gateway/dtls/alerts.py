"""Alerts (RFC 5246 §7.2): two bytes that say what went wrong, or that the peer leaves."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from gateway.dtls.errors import DecodeError


class AlertLevel(IntEnum):
    """How the receiver must take it."""

    WARNING = 1
    FATAL = 2


class AlertDescription(IntEnum):
    """The reasons of RFC 5246, RFC 4279, RFC 5746, RFC 6066 and RFC 9146 that may be met in DTLS 1.2."""

    CLOSE_NOTIFY = 0
    UNEXPECTED_MESSAGE = 10
    BAD_RECORD_MAC = 20
    RECORD_OVERFLOW = 22
    DECOMPRESSION_FAILURE = 30
    HANDSHAKE_FAILURE = 40
    BAD_CERTIFICATE = 42
    UNSUPPORTED_CERTIFICATE = 43
    CERTIFICATE_REVOKED = 44
    CERTIFICATE_EXPIRED = 45
    CERTIFICATE_UNKNOWN = 46
    ILLEGAL_PARAMETER = 47
    UNKNOWN_CA = 48
    ACCESS_DENIED = 49
    DECODE_ERROR = 50
    DECRYPT_ERROR = 51
    PROTOCOL_VERSION = 70
    INSUFFICIENT_SECURITY = 71
    INTERNAL_ERROR = 80
    USER_CANCELED = 90
    NO_RENEGOTIATION = 100
    UNSUPPORTED_EXTENSION = 110
    UNRECOGNIZED_NAME = 112
    UNKNOWN_PSK_IDENTITY = 115


class Alert(NamedTuple):
    """One alert. The description is a plain number: a peer may know more of them than we do."""

    level: AlertLevel
    description: int

    @property
    def is_fatal(self) -> bool:
        return self.level == AlertLevel.FATAL

    @property
    def is_close(self) -> bool:
        """A close_notify, which ends the session whatever its level."""
        return self.description == AlertDescription.CLOSE_NOTIFY

    def __str__(self) -> str:
        try:
            name = AlertDescription(self.description).name.lower()
        except ValueError:
            name = f"alert {self.description}"
        return f"{self.level.name.lower()} {name}"


def decode_alert(fragment: bytes) -> Alert:
    """The alert in a record, which is the whole of it: alerts are neither fragmented nor joined.

    Raises:
        DecodeError: not two bytes, or a level that does not exist.
    """
    if len(fragment) != 2:
        raise DecodeError(f"an alert of {len(fragment)} bytes")
    level, description = fragment
    if level not in (1, 2):
        raise DecodeError(f"alert level {level}")
    return Alert(AlertLevel(level), description)


def encode_alert(alert: Alert) -> bytes:
    """The two bytes of *alert*."""
    return bytes(alert)


CLOSE_NOTIFY = Alert(AlertLevel.WARNING, AlertDescription.CLOSE_NOTIFY)


def fatal(description: AlertDescription) -> Alert:
    """A fatal alert."""
    return Alert(AlertLevel.FATAL, description)
