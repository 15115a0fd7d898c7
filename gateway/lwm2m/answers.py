"""What a device answers to an operation: values, links or a refusal of its own.

Response codes are text (``2.05``). A payload is read by its own Content-Format, never by the one asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.formats import Format, decode, find_format
from gateway.lwm2m.linkformat import decode_links
from gateway.lwm2m.negotiation import DeviceProfile, may_be_single
from gateway.lwm2m.operations import (
    Cancel,
    Create,
    Delete,
    Discover,
    Observe,
    Operation,
    Read,
    is_composite,
)
from gateway.lwm2m.path import ROOT, Path, parse_name
from gateway.lwm2m.records import Context, Decoded, Misfit, Record, newest
from gateway.lwm2m.values import Json, Type, to_json

MAX_DIAGNOSTIC_CHARACTERS = 256

CODE_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "2.01": "Created",
        "2.02": "Deleted",
        "2.03": "Valid",
        "2.04": "Changed",
        "2.05": "Content",
        "4.00": "Bad Request",
        "4.01": "Unauthorized",
        "4.02": "Bad Option",
        "4.03": "Forbidden",
        "4.04": "Not Found",
        "4.05": "Method Not Allowed",
        "4.06": "Not Acceptable",
        "4.08": "Request Entity Incomplete",
        "4.09": "Conflict",
        "4.12": "Precondition Failed",
        "4.13": "Request Entity Too Large",
        "4.15": "Unsupported Content-Format",
        "4.22": "Unprocessable Entity",
        "4.29": "Too Many Requests",
        "5.00": "Internal Server Error",
        "5.01": "Not Implemented",
        "5.02": "Bad Gateway",
        "5.03": "Service Unavailable",
        "5.04": "Gateway Timeout",
        "5.05": "Proxying Not Supported",
    }
)
"RFC 7252 §12.1.2, RFC 7959, RFC 8132, RFC 8516."

_SUCCESSES = frozenset({"2.01", "2.02", "2.03", "2.04", "2.05"})
_CONTENT = "2.05"


@dataclass(frozen=True, slots=True)
class LinkDescription:
    """A link of a Discover's answer, or the instance that a Create made."""

    path: str
    "Without the device's alternate path; as it came where it is no LwM2M path."

    attributes: tuple[tuple[str, str | None], ...] = ()

    def describe(self) -> dict[str, object]:
        """As JSON; of an attribute that stands twice the last counts."""
        return {"path": self.path, "attributes": dict(self.attributes)}


@dataclass(frozen=True, slots=True)
class Response:
    """A response as the message layer hands it up."""

    code: str
    content_format: int | None = None
    payload: bytes = b""

    has_observe: bool = False
    "Whether it carries the Observe option."

    location: tuple[str, ...] = ()
    "Location-Path options."


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an operation."""

    code: str
    format: str | None = None
    "Name of the payload's format; a number where it is not known."

    records: tuple[Record, ...] = ()
    misfits: tuple[Misfit, ...] = ()

    links: tuple[LinkDescription, ...] | None = None
    "None but for discover and create."

    error: str | None = None
    "What the device says against it, or why its answer is of no use."

    is_usable: bool = True
    "Whether the command is *answered*, not *failed*."

    def values(self) -> dict[str, Json] | None:
        """Path → value of the newest record of each, as JSON; None where the answer is none of values."""
        return None if self.format is None or self.links is not None else describe_values(self.records)


def describe_values(records: Sequence[Record]) -> dict[str, Json]:
    """Path → value, as JSON, in the order of the paths; multiple resources without instances have none."""
    found = newest(record for record in records if record.type is not Type.MULTIPLE)
    return {str(path): to_json(found[path].value) for path in sorted(found)}


def read_answer(
    operation: Operation, device: DeviceProfile, response: Response, *, is_repeat: bool = False
) -> Answer:
    """What *response* means as the answer to *operation*.

    With *is_repeat* the request had been sent before without an answer: what is deleted already counts as
    deleted.
    """
    code = response.code
    if isinstance(operation, Delete) and is_repeat and code == "4.04":
        return Answer("2.02")
    if not code.startswith("2."):
        return Answer(code, error=_diagnostic(response))
    try:
        match operation:
            case Read() | Observe() | Cancel():
                return _read_values(operation, device, response)
            case Discover():
                return _read_links(device, response)
            case Create():
                return Answer(code, links=_read_location(operation, device, response))
    except DecodeError as error:
        return Answer(code, _format_name(response), error=str(error), is_usable=False)
    if code not in _SUCCESSES:
        return _unexpected(response)
    return Answer(code)


def read_notification(paths: tuple[Path, ...], device: DeviceProfile, response: Response) -> Decoded:
    """The values of a notification for an observation of *paths*.

    Raises:
        DecodeError: it cannot be read, or is in a format that nobody knows.
    """
    return _decode(paths, device, response)


def _read_values(operation: Read | Observe | Cancel, device: DeviceProfile, response: Response) -> Answer:
    if response.code != _CONTENT:
        return _unexpected(response)
    decoded = _decode(operation.paths, device, response)
    problems = [f"{misfit.path}: {misfit.reason}" for misfit in decoded.misfits]
    if isinstance(operation, Observe) and not response.has_observe:
        problems.append("the device gave the value but does not observe it")
    return Answer(
        response.code,
        _format_name(response) or _presumed(operation.paths, device).value,
        decoded.records,
        decoded.misfits,
        error="; ".join(problems) or None,
        is_usable=not problems,
    )


def _decode(paths: tuple[Path, ...], device: DeviceProfile, response: Response) -> Decoded:
    number = response.content_format
    format_ = _presumed(paths, device) if number is None else find_format(number)
    if format_ is None:
        raise DecodeError(f"the answer is in content format {number}, which is not known")
    if not response.payload and not format_.is_for_one_value:
        return Decoded()
    target = ROOT if is_composite(paths) else paths[0]
    decoded = decode(format_, response.payload, Context(target, device.model.find_type, device.root))
    found = decoded.paths()
    if found and not any(told.is_within(path) for told in found for path in paths):
        raise DecodeError(f"the answer is about {found[0]}, which was not asked for")
    return decoded


def _presumed(paths: tuple[Path, ...], device: DeviceProfile) -> Format:
    """What a payload without a Content-Format is taken for."""
    if is_composite(paths):
        return Format.SENML_CBOR
    return Format.TEXT if may_be_single(paths[0], device.model) else Format.TLV


def _read_links(device: DeviceProfile, response: Response) -> Answer:
    if response.code != _CONTENT:
        return _unexpected(response)
    if response.content_format not in (None, Format.LINK.number):
        raise DecodeError("the answer to discover is not in link format")
    links = tuple(
        LinkDescription(_relative(link.target, device.root), link.attributes)
        for link in decode_links(response.payload)
    )
    return Answer(response.code, Format.LINK.value, links=links)


def _read_location(
    operation: Create, device: DeviceProfile, response: Response
) -> tuple[LinkDescription, ...]:
    """The instance that was made: what the device says, else what was asked for, if that has a number."""
    location = "/" + "/".join(response.location)
    try:
        made = parse_name(location, device.root)
    except DecodeError:
        made = ROOT
    if len(made) != 2:
        made = operation.path
    return (LinkDescription(str(made)),) if len(made) == 2 else ()


def _relative(target: str, root: str) -> str:
    try:
        return str(parse_name(target, root)) if target else target
    except DecodeError:
        return target


def _unexpected(response: Response) -> Answer:
    name = CODE_NAMES.get(response.code, "unknown")
    return Answer(
        response.code,
        error=f"{response.code} {name} is no answer to this",
        is_usable=False,
    )


def _diagnostic(response: Response) -> str:
    """The device's own words, or the name of the code."""
    is_text = response.content_format in (None, Format.TEXT.number)
    text = response.payload.decode(errors="replace").strip("\0 \t\r\n") if is_text else ""
    return text[:MAX_DIAGNOSTIC_CHARACTERS] or CODE_NAMES.get(response.code, response.code)


def _format_name(response: Response) -> str | None:
    if response.content_format is None:
        return None
    format_ = find_format(response.content_format)
    return str(response.content_format) if format_ is None else format_.value
