"""JSON (RFC 8259) without its traps: exact integers, repeated names kept, no NaN, bounded depth and size."""

from __future__ import annotations

import json
import math
from typing import Any

from gateway.lwm2m.errors import DecodeError, TooLarge

MAX_PAYLOAD_BYTES = 1_048_576

_SURROGATE = rb"\ud"
"How an escape begins that is only half a character; nothing that holds one can be written as UTF-8."


class Object(list[tuple[str, Any]]):
    """The pairs of a JSON object, as they came."""


def decode_json(payload: bytes) -> object:
    """The value that *payload* is; objects as `Object`.

    Raises:
        TooLarge: more than 1 MiB.
        DecodeError: no JSON, not UTF-8, nested too deep, a number beyond binary64, or half a character.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise TooLarge(f"{len(payload)} bytes of JSON, {MAX_PAYLOAD_BYTES} are allowed")
    try:
        value: object = json.loads(
            payload.decode(),
            object_pairs_hook=Object,
            parse_float=_parse_float,
            parse_constant=_refuse_constant,
        )
        if _SURROGATE in payload.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise DecodeError("JSON that is not UTF-8", error.start) from None
    except UnicodeEncodeError:
        raise DecodeError("JSON with half a surrogate pair, which is no character") from None
    except RecursionError:
        raise DecodeError("JSON that is nested too deep") from None
    except ValueError as error:
        raise DecodeError(f"no JSON: {error}") from None
    return value


def _parse_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("a number beyond binary64")
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} has no form in JSON")
