"""Base64 as devices write it: both alphabets, padded or not (RFC 4648 §4, §5)."""

from __future__ import annotations

import base64
import re

from gateway.lwm2m.values import Unfit

_ALPHABET = re.compile(r"[A-Za-z0-9+/]*+={0,2}", re.ASCII)


def decode_base64(text: str) -> bytes:
    """The bytes that *text* stands for.

    Raises:
        Unfit: no Base64.
    """
    classic = text.replace("-", "+").replace("_", "/")
    bare = classic.rstrip("=")
    if _ALPHABET.fullmatch(classic) is None or len(bare) % 4 == 1:
        raise Unfit("no Base64")
    return base64.b64decode(bare + "=" * (-len(bare) % 4))


def encode_url(octets: bytes) -> str:
    """URL-safe and without padding, as SenML JSON wants it (RFC 8428 §5)."""
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")
