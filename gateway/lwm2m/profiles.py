"""Profile IDs: an object list by reference (OMA Core TS 1.2 §6.2.1, RFC 6920 suites).

What a fingerprint is taken over is nowhere defined, so ``pid`` is an opaque key, learnt from a device that
sent it together with a list, and believed of that device alone. Here only its form is known.
"""

from __future__ import annotations

import re

from gateway.lwm2m.errors import DecodeError

_PROFILE_ID = re.compile(r"[1-6]:[0-9A-Fa-f]+|(?:oma|v):[0-9A-Za-z-]+", re.ASCII)


def decode_profile_ids(text: str) -> tuple[str, ...]:
    """Split ``pid``: one id, or several between quotes and separated by commas.

    Raises:
        DecodeError: an id of no known form.
    """
    if len(text) > 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    ids = tuple(text.split(","))
    if not all(map(_PROFILE_ID.fullmatch, ids)):
        raise DecodeError("pid is no profile ID")
    return ids
