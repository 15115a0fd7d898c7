"""LwM2M enabler versions: how ``lwm2m=`` is read and which of them are served.

Knows nothing of object versions.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from gateway.lwm2m.errors import DecodeError

_VERSION = re.compile(r"([0-9]{1,5})\.([0-9]{1,5})", re.ASCII)

NEWEST_MINOR = 2
"Later 1.x devices are served by the rules of 1.2."


class Version(NamedTuple):
    """An enabler version; compares as one expects."""

    major: int
    minor: int

    @property
    def is_supported(self) -> bool:
        """Every 1.x is; a server may refuse other majors (OMA Core TS 1.2 §6.1)."""
        return self.major == 1

    @property
    def effective(self) -> Version:
        """The version whose rules are applied."""
        return Version(self.major, min(self.minor, NEWEST_MINOR))


@lru_cache(maxsize=256)
def decode_version(text: str) -> Version:
    """Read ``1*DIGIT "." 1*DIGIT``; a third number ("1.2.1") is ill-formed.

    Raises:
        DecodeError: anything else.
    """
    match = _VERSION.fullmatch(text)
    if match is None:
        raise DecodeError("lwm2m is not MAJOR.MINOR")
    return Version(int(match[1]), int(match[2]))
