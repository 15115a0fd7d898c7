"""The query parameters of Register and Update, every enabler version (OMA Core TS 1.2 §6.2.1, §6.2.2).

Says what was sent and whether each value is well-formed. Which of them an operation needs, and what
they may be, is for `gateway.lwm2m.registration`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from gateway.lwm2m.errors import DecodeError, OptionTooLong
from gateway.lwm2m.nodeid import find_malformed_urn
from gateway.lwm2m.profiles import decode_profile_ids
from gateway.lwm2m.versions import Version, decode_version

MAX_OPTION_BYTES = 255
"Uri-Query, RFC 7252 §5.10."

MAX_LIFETIME_DIGITS = 10
MAX_VENDOR_PARAMETERS = 16
MAX_VENDOR_CHARACTERS = 1024

_SHARED = 256
"So many sets of parameters are remembered."

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_QUEUE_MODE_SPELLINGS = frozenset({"", "true"})


class Parameters(NamedTuple):
    """What the queries say; None where they say nothing."""

    node_id: str | None = None
    "``ep``"

    lifetime_s: int | None = None
    "``lt``"

    lwm2m: str | None = None
    "As sent."

    version: Version | None = None
    "``lwm2m``, read."

    binding: str | None = None
    "``b`` as sent; its letters are checked against the version later."

    is_queue_mode: bool = False
    "``Q``"

    sms: str | None = None
    "Empty where it was sent empty."

    profile_id: str | None = None
    "``pid`` as sent."

    vendor: tuple[tuple[str, str], ...] = ()
    "Everything else, in the order sent."


NO_PARAMETERS = Parameters()


def decode_parameters(queries: Sequence[str]) -> Parameters:
    """Read Uri-Query options in any order; empty ones are passed over.

    Raises:
        OptionTooLong: one of more than 255 bytes.
        DecodeError: a parameter that is repeated, nameless or ill-formed, a control character,
            or more vendor parameters than are kept.
    """
    if not queries:
        return NO_PARAMETERS
    others: list[str] = []
    named = ""
    for query in queries:
        if query[:3] == "ep=" and not named:
            named = query
        else:
            others.append(query)
    if not named or len(named) * 4 > MAX_OPTION_BYTES or not named.isprintable():
        return _decode(queries)
    # What a device says besides its name, its whole fleet says.
    shared = _decode_shared(tuple(others))
    if shared.node_id is not None:
        raise DecodeError("ep given twice")
    # Not by Parameters(...): that constructor is a function in Python.
    return tuple.__new__(Parameters, (_decode_node_id(named[3:]), *shared[1:]))


def _decode(queries: Sequence[str]) -> Parameters:
    # All at once, where that shows each to be short and printable: no character has more than four bytes.
    together = "".join(queries)
    is_plain = len(together) * 4 <= MAX_OPTION_BYTES and together.isprintable()
    values: dict[str, str] = {}
    for query in queries:
        if not query:
            continue
        if not is_plain and len(query.encode(errors="replace")) > MAX_OPTION_BYTES:
            raise OptionTooLong("a query parameter")
        name, _, value = query.partition("=")
        if not name:
            raise DecodeError("a query parameter without a name")
        if name in values:
            raise DecodeError(f"{_printable(name)} given twice")
        if not is_plain and _CONTROL.search(query):
            raise DecodeError(f"a control character in {_printable(name)}")
        values[name] = value
    take = values.pop
    lwm2m = take("lwm2m", None)
    fields = (
        _decode_node_id(take("ep", None)),
        _decode_lifetime(take("lt", None)),
        lwm2m,
        None if lwm2m is None else decode_version(lwm2m),
        take("b", None),
        _decode_queue_mode(take("Q", None)) if values else False,
        take("sms", None) if values else None,
        _check_profile_id(take("pid", None)) if values else None,
        check_vendor_parameters(values) if values else (),
    )
    return tuple.__new__(Parameters, fields)


_decode_shared = lru_cache(maxsize=_SHARED)(_decode)


def check_vendor_parameters(values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What is kept of parameters that no enabler knows.

    Raises:
        DecodeError: more than 16, or more than 1024 characters.
    """
    if len(values) > MAX_VENDOR_PARAMETERS:
        raise DecodeError(f"more than {MAX_VENDOR_PARAMETERS} vendor parameters")
    if sum(len(name) + len(value) for name, value in values.items()) > MAX_VENDOR_CHARACTERS:
        raise DecodeError(f"more than {MAX_VENDOR_CHARACTERS} characters of vendor parameters")
    return tuple(values.items())


def find_claimed_node_id(queries: Sequence[str]) -> str | None:
    """The first ``ep`` however ill-formed, made printable: for the record of a refusal, nothing else."""
    for query in queries:
        if query.startswith("ep="):
            return _printable(query[3:])
    return None


def _decode_node_id(text: str | None) -> str | None:
    if text is None:
        return None
    if not text:
        raise DecodeError("ep is empty")
    if (prefix := find_malformed_urn(text)) is not None:
        raise DecodeError(f"ep is no well-formed {prefix}")
    return text


def _decode_lifetime(text: str | None) -> int | None:
    if text is None:
        return None
    if len(text) > MAX_LIFETIME_DIGITS or not (text.isascii() and text.isdigit()):
        raise DecodeError("lt is no number of seconds")
    return int(text)


def _decode_queue_mode(text: str | None) -> bool:
    if text is None:
        return False
    if text not in _QUEUE_MODE_SPELLINGS:
        raise DecodeError("Q takes no value")
    return True


def _check_profile_id(text: str | None) -> str | None:
    if text is not None:
        decode_profile_ids(text)
    return text


def _printable(text: str) -> str:
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text[:MAX_OPTION_BYTES])
