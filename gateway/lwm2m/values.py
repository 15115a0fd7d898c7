"""Values of resources: their types, what fits which, and how they are written in JSON and by hand.

Python types stand for LwM2M's: str (String, Corelnk), int (Integer, Unsigned, Time in Unix seconds), float,
bool, bytes (Opaque), `ObjectLink` (Objlnk). Knows no format on the wire and no object.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple


class Type(Enum):
    """Data types of OMA Core TS 1.2 appendix C, and two states that are none of them."""

    STRING = "string"
    INTEGER = "integer"
    UNSIGNED = "unsigned"
    FLOAT = "float"
    BOOLEAN = "boolean"
    OPAQUE = "opaque"
    TIME = "time"
    OBJLNK = "objlnk"
    CORELNK = "corelnk"

    NONE = "none"
    "An executable resource; in a SenML patch, a resource instance that goes."

    MULTIPLE = "multiple"
    "A multiple resource without instances."


class ObjectLink(NamedTuple):
    """A reference to an object instance; 65535:65535 refers to nothing."""

    object_id: int
    instance_id: int

    def __str__(self) -> str:
        return f"{self.object_id}:{self.instance_id}"


Value = str | int | float | bool | bytes | ObjectLink | tuple[()] | None
"() is a multiple resource without instances, None a resource instance that goes."

Json = str | int | float | bool | None | dict[str, "Json"] | list["Json"]


class Unfit(ValueError):
    """A value that its type does not take; the text says why, without the path."""


INT64 = range(-(2**63), 2**63)
UINT64 = range(2**64)

_EXACT = 2**53
"Up to here a binary64 number says which integer it is."

_MAX_LINK_ID = 65_535
_LINK = re.compile(r"([0-9]{1,5}|[Ff]{4}):([0-9]{1,5}|[Ff]{4})", re.ASCII)
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_FLOAT = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?", re.ASCII)
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_HEX = "hex:"
_MAX_FLOAT_CHARACTERS = 400


def coerce(value: object, type_: Type) -> Value:
    """*value*, as its format typed it, as one of *type_*.

    Integral numbers in float form are integers, integers are good for Float, fractions of a Time are cut
    off, an object link may come as text.

    Raises:
        Unfit: another kind of value, or a number outside the type's range.
    """
    match type_:
        case Type.TIME if isinstance(value, float) and math.isfinite(value):
            return _to_integer(math.floor(value), type_)
        case Type.INTEGER | Type.UNSIGNED | Type.TIME:
            return _to_integer(value, type_)
        case Type.FLOAT:
            return _to_float(value)
        case Type.STRING | Type.CORELNK if isinstance(value, str):
            return str(value)
        case Type.BOOLEAN if isinstance(value, bool):
            return value
        case Type.OPAQUE if isinstance(value, bytes):
            return value
        case Type.OBJLNK if isinstance(value, ObjectLink):
            return value
        case Type.OBJLNK if isinstance(value, str):
            return parse_object_link(value)
        case Type.MULTIPLE if value == ():
            return ()
        case Type.NONE if value is None:
            return None
        case Type.NONE:
            raise Unfit("an executable resource has no value")
    raise Unfit(f"{_describe(value)} is no {type_.value}")


def guess_type(value: object) -> Type:
    """The type of a value whose resource has no definition."""
    match value:
        case bool():
            return Type.BOOLEAN
        case int():
            return Type.INTEGER if value in INT64 else Type.UNSIGNED
        case float():
            return Type.FLOAT
        case str():
            return Type.STRING
        case bytes():
            return Type.OPAQUE
        case ObjectLink():
            return Type.OBJLNK
        case tuple() if not value:
            return Type.MULTIPLE
        case _:
            return Type.NONE


def parse_object_link(text: str) -> ObjectLink:
    """Read ``object:instance``; ``FFFF`` is 65535, NULs at the end mean nothing.

    Raises:
        Unfit: anything else.
    """
    match = _LINK.fullmatch(text.rstrip("\0"))
    if match is not None:
        link = ObjectLink(*(_MAX_LINK_ID if part[0] in "Ff" else int(part) for part in match.groups()))
        if max(link) <= _MAX_LINK_ID:
            return link
    raise Unfit(f"{_describe(text)} is no object link, which is written object:instance")


def parse_text(text: str, type_: Type) -> Value:
    """Read a number, Boolean, link or text as devices and people write it (OMA Core TS 1.2 appendix C).

    Booleans are ``0`` and ``1``. Opaque is for the caller.

    Raises:
        Unfit: the text stands for no value of *type_*.
    """
    match type_:
        case Type.INTEGER | Type.UNSIGNED | Type.TIME:
            stripped = text.strip()
            if _INTEGER.fullmatch(stripped) is None:
                raise Unfit(f"{_describe(text)} is no {type_.value}")
            return _to_integer(int(stripped), type_)
        case Type.FLOAT:
            stripped = text.strip()
            if len(stripped) > _MAX_FLOAT_CHARACTERS or _FLOAT.fullmatch(stripped) is None:
                raise Unfit(f"{_describe(text)} is no float")
            return _finite(float(stripped))
        case Type.BOOLEAN:
            if text.strip() in ("0", "1"):
                return text.strip() == "1"
            raise Unfit(f"{_describe(text)} is no boolean, which is written 0 or 1")
        case Type.OBJLNK:
            return parse_object_link(text.strip())
        case _:
            return coerce(text, type_)


def to_json(value: Value) -> Json:
    """*value* in the notation of the command line: Opaque as hex, links as text, NaN and infinities as
    strings, a multiple resource without instances as an empty object.
    """
    match value:
        case bytes():
            return value.hex()
        case ObjectLink():
            return str(value)
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case ():
            return {}
        case _:
            return value


def from_json(value: object, type_: Type | None) -> Value:
    """Read a scalar of JSON; the opposite of `to_json`, but that bytes are written ``hex:…``.

    Raises:
        Unfit: no value of *type_*.
    """
    if isinstance(value, str):
        if value.startswith(_HEX) and type_ in (None, Type.OPAQUE):
            return _from_hex(value)
        if type_ is Type.FLOAT and value in _SPECIAL:
            return _SPECIAL[value]
        if type_ is Type.OPAQUE:
            raise Unfit("bytes are written hex:…, or come from a file or stdin")
    if type_ is Type.BOOLEAN and type(value) is int and value in (0, 1):
        return value == 1
    if type_ is None:
        if value is None or isinstance(value, list | dict):
            raise Unfit("neither text, number nor boolean")
        return coerce(value, guess_type(value))
    return coerce(value, type_)


def parse_argument(text: str, type_: Type | None) -> object:
    """Read what a person wrote for a resource of *type_*: a value, or an object by id (a dict of JSON).

    With a definition an object is only looked for where *text* begins with ``{`` and the type is no text;
    without one the text is JSON, or else a String.

    Raises:
        Unfit: no value of *type_*.
    """
    if type_ is None:
        return _parse_untyped(text)
    match type_:
        case Type.STRING | Type.CORELNK:
            return text
        case Type.OPAQUE:
            return from_json(text, type_)
        case Type.FLOAT if text in _SPECIAL:
            return _SPECIAL[text]
        case Type.BOOLEAN if text in ("true", "false"):
            return text == "true"
        case Type.NONE:
            raise Unfit("an executable resource has no value")
        case _:
            return parse_text(text, type_)


def parse_object(text: str) -> dict[str, object] | None:
    """The JSON object that *text* is, or None where it is something else; numbers stay exact.

    Raises:
        Unfit: a name that stands twice.
    """
    if not text.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except Unfit:
        raise
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _parse_untyped(text: str) -> object:
    if text.startswith(_HEX):
        return _from_hex(text)
    if (found := parse_object(text)) is not None:
        return found
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text
    if value is None or isinstance(value, list | dict):
        raise Unfit(f"{_describe(text)} is neither text, number nor boolean; put quotes around a text")
    return coerce(value, guess_type(value))


def _unique(pairs: list[tuple[str, object]]) -> Mapping[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise Unfit("a name stands twice in the JSON object")
    return fields


def _no_constant(name: str) -> float:
    raise ValueError(name)


def _to_integer(value: object, type_: Type) -> int:
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unfit(f"{_describe(value)} is no {type_.value}")
    if value not in (UINT64 if type_ is Type.UNSIGNED else INT64):
        raise Unfit(f"{_describe(value)} is outside the range of {type_.value}")
    return value


def _to_float(value: object) -> float:
    if isinstance(value, float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            pass
    raise Unfit(f"{_describe(value)} is no float")


def _finite(value: float) -> float:
    if math.isinf(value):
        raise Unfit("a number beyond binary64")
    return value


def _from_hex(text: str) -> bytes:
    digits = text[len(_HEX) :]
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise Unfit("hex: is followed by pairs of hexadecimal digits") from None


def _describe(value: object) -> str:
    match value:
        case bytes():
            return f"{len(value)} bytes"
        case str():
            return repr(value) if len(value) <= 40 else f"a text of {len(value)} characters"
        case bool():
            return str(value).lower()
        case int() if value not in UINT64 and value not in INT64:
            return "a number beyond 64 bits"
        case float() | int():
            return str(value)
        case None:
            return "null"
        case _:
            return "a list or an object"
