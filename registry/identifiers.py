"""Which names, secrets and durations a device may have.

Knows the rules and nothing else: entropy is an argument, uniqueness is the database's affair.
"""

from __future__ import annotations

import base64
import re
import unicodedata

from registry.errors import InvalidValue

DEVICE_ID_ENTROPY_BYTES = 10
MAX_NODE_ID_BYTES = 128
MIN_SECRET_BYTES = 8
MAX_SECRET_BYTES = 64
MAX_TIMEOUT_S = 10 * 366 * 86_400

_DEVICE_ID = re.compile(r"d-[a-z2-7]{16}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})*")


def make_device_id(entropy: bytes) -> str:
    """``d-`` and 16 lower-case base32 characters out of 10 random bytes."""
    assert len(entropy) == DEVICE_ID_ENTROPY_BYTES
    return "d-" + base64.b32encode(entropy).decode("ascii").lower()


def is_device_id(text: str) -> bool:
    """Whether *text* has the form of a device ID, which no node ID may have."""
    return _DEVICE_ID.fullmatch(text) is not None


def check_node_id(node_id: str) -> None:
    """Accept 1 to 128 bytes of UTF-8 without control characters.

    Raises:
        InvalidValue: says which rule *node_id* breaks.
    """
    try:
        size = len(node_id.encode())
    except UnicodeEncodeError:
        raise InvalidValue("the node ID is not valid UTF-8") from None
    if size == 0:
        raise InvalidValue("the node ID is empty")
    if size > MAX_NODE_ID_BYTES:
        raise InvalidValue(f"the node ID has {size} bytes; at most {MAX_NODE_ID_BYTES} are allowed")
    if any(unicodedata.category(character) == "Cc" for character in node_id):
        raise InvalidValue(f"the node ID {node_id!a} holds a control character")
    if is_device_id(node_id):
        raise InvalidValue(f"{node_id} has the form of a device ID; choose another node ID")


def parse_secret(text: str) -> bytes:
    """A secret as administrators write it: an even number of hex digits.

    Raises:
        InvalidValue: not hex, or outside 8 to 64 bytes. The message never quotes the secret.
    """
    if not _HEX.fullmatch(text):
        raise InvalidValue("the secret is not hex: give an even number of digits 0-9 and a-f")
    secret = bytes.fromhex(text)
    check_secret(secret)
    return secret


def check_secret(secret: bytes) -> None:
    """Accept 8 to 64 bytes.

    Raises:
        InvalidValue: too short or too long.
    """
    if not MIN_SECRET_BYTES <= len(secret) <= MAX_SECRET_BYTES:
        raise InvalidValue(
            f"the secret has {len(secret)} bytes; {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} are allowed"
        )


def check_timeout(timeout_s: int) -> None:
    """Accept 0 (none) to ten years.

    Raises:
        InvalidValue: negative or absurdly long.
    """
    if timeout_s < 0:
        raise InvalidValue(f"the timeout {timeout_s} is negative; give seconds, or 0 for none")
    if timeout_s > MAX_TIMEOUT_S:
        raise InvalidValue(f"the timeout {timeout_s} is above {MAX_TIMEOUT_S} seconds; give 0 for none")
