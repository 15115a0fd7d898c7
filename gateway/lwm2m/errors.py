"""Why a request is refused, and the one exception of every decoder.

DecodeError              the bytes do not say what they have to say
├── TooLarge             more of it than the gateway is willing to hold
├── OptionTooLong        a Uri-Query outside the length that RFC 7252 allows
└── UnsupportedFormat    a payload in a content format that this operation does not take
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar


class RefusalReason(Enum):
    """Why a Register, Update or De-register was refused; the value is what the operator reads."""

    MALFORMED = "malformed request"
    OPTION_TOO_LONG = "a query parameter longer than 255 bytes"
    TOO_LARGE = "payload too large"
    UNSUPPORTED_FORMAT = "payload not in link format"
    NO_NODE_ID = "no node ID: neither ep nor an authenticated identity"
    UNKNOWN_DEVICE = "unknown node ID"
    FROZEN = "device is frozen"
    WRONG_SECURITY = "wrong kind of security"
    FOREIGN_IDENTITY = "node ID is not that of the session"
    UNSUPPORTED_VERSION = "LwM2M version not supported"
    LIFETIME_OUT_OF_BOUNDS = "lifetime out of bounds"
    NO_OBJECT_LIST = "no object list"
    UNKNOWN_PROFILE = "profile ID not known from this device"
    UNKNOWN_REGISTRATION = "no such registration"
    FOREIGN_PEER = "registration belongs to another identity or address"


class DecodeError(Exception):
    """What a peer sent cannot be read; the only exception that a decoder raises."""

    reason: ClassVar[RefusalReason] = RefusalReason.MALFORMED

    def __init__(self, what: str, offset: int | None = None) -> None:
        """*what* is for the operator; *offset* counts characters from the start of what was decoded."""
        super().__init__(what if offset is None else f"{what} at {offset}")
        self.what = what
        self.offset = offset


class TooLarge(DecodeError):
    """More bytes or entries than the gateway holds for one device."""

    reason = RefusalReason.TOO_LARGE


class OptionTooLong(DecodeError):
    """A Uri-Query option beyond the 255 bytes of RFC 7252 §5.10."""

    reason = RefusalReason.OPTION_TOO_LONG


class UnsupportedFormat(DecodeError):
    """The Content-Format is none that this operation takes."""

    reason = RefusalReason.UNSUPPORTED_FORMAT
