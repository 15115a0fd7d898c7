"""Operations as CoAP requests: what each is for one device, or why it is not sent.

Methods, paths, queries, formats, payload: no message, no token. Nothing that a definition forbids, that a
format cannot say or that the device's version does not have leaves the gateway.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

from gateway.lwm2m.arguments import parse_arguments
from gateway.lwm2m.attributes import find_contradiction, find_misplaced
from gateway.lwm2m.definitions import ResourceDefinition, check_range
from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.formats import Format, encode, encode_paths
from gateway.lwm2m.formats.tlv import encode_empty_instance
from gateway.lwm2m.negotiation import (
    V1_1,
    V1_2,
    DeviceProfile,
    composite_accept,
    composite_formats,
    create_formats,
    may_be_single,
    read_formats,
    write_formats,
)
from gateway.lwm2m.operations import (
    Cancel,
    Create,
    Delete,
    Discover,
    Execute,
    Observe,
    Operation,
    Read,
    Write,
    WriteAttributes,
    WriteComposite,
    is_composite,
    paths_of,
)
from gateway.lwm2m.path import ROOT, Path
from gateway.lwm2m.records import Context, EncodeError, Record
from gateway.lwm2m.values import Unfit

MAX_DEPTH = 3


class Method(Enum):
    """Request codes (RFC 7252 §12.1.1, RFC 8132)."""

    GET = 1
    POST = 2
    PUT = 3
    DELETE = 4
    FETCH = 5
    IPATCH = 7


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent."""

    method: Method
    path: tuple[str, ...] = ()
    "Uri-Path options."

    queries: tuple[str, ...] = ()
    content_format: int | None = None
    accept: int | None = None
    payload: bytes = b""

    observe: int | None = None
    "0 or 1."

    format: Format | None = None
    "The one that was chosen; None where the device chooses, or there is nothing to choose."


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing is sent, and why, in a line for the user."""

    text: str


class _Refused(Exception):
    """Carries the reason out of the builders of this module."""


def prepare(
    operation: Operation, device: DeviceProfile, refused: Collection[Format] = ()
) -> Request | Refusal:
    """The request that *operation* is for *device*, in the best format that is not among *refused*.

    A format that the operation names is not fallen back from.
    """
    try:
        return _prepare(operation, device, refused)
    except _Refused as refusal:
        return Refusal(str(refusal))


def prepare_again(
    operation: Operation, device: DeviceProfile, tried: Sequence[Request], code: str
) -> Request | None:
    """The request in the next format, when the device answered *code* to the last of *tried*, or None.

    Only 4.06 and 4.15 are about formats, and both say that nothing was done.
    """
    formats = {request.format for request in tried}
    if code not in ("4.06", "4.15") or None in formats or getattr(operation, "format", None) is not None:
        return None
    request = prepare(operation, device, {format_ for format_ in formats if format_ is not None})
    return request if isinstance(request, Request) else None


def _prepare(operation: Operation, device: DeviceProfile, refused: Collection[Format]) -> Request:
    match operation:
        case Read() | Observe() | Cancel():
            if is_composite(operation.paths):
                return _fetch(operation, device, refused)
            return _get(operation, device, refused)
        case Discover():
            return _discover(operation, device)
        case Write():
            return _write(operation, device, refused)
        case WriteComposite():
            return _patch(operation, device, refused)
        case WriteAttributes():
            return _write_attributes(operation, device)
        case Execute():
            return _execute(operation, device)
        case Create():
            return _create(operation, device, refused)
        case _:
            return _delete(operation, device)


def _get(operation: Read | Observe | Cancel, device: DeviceProfile, refused: Collection[Format]) -> Request:
    [path] = operation.paths
    _check_readable(path, device)
    chosen = operation.format
    if chosen is None:
        chosen = next((choice for choice in read_formats(path, device) if choice not in refused), None)
    elif chosen is Format.LINK or composite_accept(chosen) is not chosen:
        raise _Refused(
            f"{chosen.value} is no format of values that are read; composites and discover have it"
        )
    elif chosen.is_for_one_value and not may_be_single(path, device.model):
        raise _Refused(f"{chosen.value} holds the value of a single resource; {path} is more")
    return Request(
        Method.GET,
        path.segments(device.root),
        _observation_queries(operation, device),
        accept=None if chosen is None else chosen.number,
        observe=_observe_option(operation),
        format=chosen,
    )


def _fetch(operation: Read | Observe | Cancel, device: DeviceProfile, refused: Collection[Format]) -> Request:
    _check_composite(device)
    paths = operation.paths
    if not paths or len(set(paths)) < len(paths):
        raise _Refused("a composite needs paths, each of them once")
    chosen, body = _composite_format(operation.format, device, refused)
    try:
        payload = encode_paths(body, paths, device.root)
    except EncodeError:
        raise _Refused(f"{chosen.value} has no lists of paths, as composites need") from None
    return Request(
        Method.FETCH,
        ROOT.segments(device.root),
        _observation_queries(operation, device),
        body.number,
        composite_accept(chosen).number,
        payload,
        _observe_option(operation),
        chosen,
    )


def _discover(operation: Discover, device: DeviceProfile) -> Request:
    path, depth = operation.path, operation.depth
    if not 1 <= len(path) <= 3:
        raise _Refused(f"discover takes an object, an instance or a resource; {path} is none")
    if depth is not None and not 0 <= depth <= MAX_DEPTH:
        raise _Refused(f"the depth is 0 to {MAX_DEPTH}")
    if depth is not None and device.version < V1_2:
        raise _Refused("a device before LwM2M 1.2 takes no depth in discover")
    queries = () if depth is None else (f"depth={depth}",)
    return Request(Method.GET, path.segments(device.root), queries, accept=Format.LINK.number)


def _write(operation: Write, device: DeviceProfile, refused: Collection[Format]) -> Request:
    path, records = operation.path, operation.records
    if len(path) < 2:
        raise _Refused(f"write takes an instance, a resource or a resource instance; {path} is none")
    if not records:
        raise _Refused(f"there is nothing to write to {path}")
    _check_records(records, path, device)
    if operation.is_partial and len(path) > 2:
        # POST to a resource that has one value would be an Execute: the update goes to the instance above.
        path = path.up_to(2 if may_be_single(path, device.model) and not _is_array(records, path) else 3)
    candidates = write_formats(path, device, is_partial=operation.is_partial)
    if operation.is_partial and operation.format is not None and operation.format.is_for_one_value:
        raise _Refused(f"{operation.format.value} holds one value; a partial write needs more")
    context = Context(path, root=device.root)
    chosen, payload = _encode(records, context, operation.format, candidates, refused)
    return Request(
        Method.POST if operation.is_partial else Method.PUT,
        path.segments(device.root),
        content_format=chosen.number,
        payload=payload,
        format=chosen,
    )


def _patch(operation: WriteComposite, device: DeviceProfile, refused: Collection[Format]) -> Request:
    _check_composite(device)
    records = operation.records
    paths = paths_of(operation)
    if not records or len(set(paths)) < len(paths):
        raise _Refused("a composite write needs values, one for each path")
    _check_records(records, ROOT, device)
    chosen, body = _composite_format(operation.format, device, refused)
    _, payload = _encode(records, Context(ROOT, root=device.root), body, (), ())
    return Request(
        Method.IPATCH, ROOT.segments(device.root), content_format=body.number, payload=payload, format=chosen
    )


def _write_attributes(operation: WriteAttributes, device: DeviceProfile) -> Request:
    path, attributes = operation.path, operation.attributes
    if not path:
        raise _Refused("attributes belong to an object, an instance, a resource or a resource instance")
    if not attributes.changes:
        raise _Refused("there is no attribute to change")
    if (contradiction := find_contradiction(attributes.merged({}))) is not None:
        raise _Refused(contradiction)
    if (misplaced := find_misplaced(attributes, path)) is not None:
        raise _Refused(f"{misplaced} belongs to a resource; {path} is none")
    return Request(Method.PUT, path.segments(device.root), attributes.queries())


def _execute(operation: Execute, device: DeviceProfile) -> Request:
    path = operation.path
    if len(path) != 3:
        raise _Refused(f"execute takes a resource; {path} is none")
    resource = _forbidding(path, device)
    if resource is not None and not resource.is_executable:
        raise _Refused(f"{path} ({resource.name}) is not executable")
    try:
        parse_arguments(operation.arguments)
    except DecodeError as error:
        raise _Refused(str(error)) from None
    payload = operation.arguments.encode()
    return Request(
        Method.POST,
        path.segments(device.root),
        content_format=Format.TEXT.number if payload else None,
        payload=payload,
    )


def _create(operation: Create, device: DeviceProfile, refused: Collection[Format]) -> Request:
    path, records = operation.path, operation.records
    if len(path) not in (1, 2):
        raise _Refused(f"create takes an object or the instance to be; {path} is neither")
    target = path.up_to(1)
    if not records:
        return _create_empty(operation, device, refused)
    _check_values(records, path, device)
    context = Context(target, root=device.root, is_create=True)
    chosen, payload = _encode(records, context, operation.format, create_formats(path, device), refused)
    return Request(
        Method.POST,
        target.segments(device.root),
        content_format=chosen.number,
        payload=payload,
        format=chosen,
    )


def _create_empty(operation: Create, device: DeviceProfile, refused: Collection[Format]) -> Request:
    segments = operation.path.up_to(1).segments(device.root)
    if len(operation.path) == 1:
        # An instance without values is no bytes at all in TLV. Without a format some take that for text.
        if Format.TLV in refused:
            return Request(Method.POST, segments)
        return Request(Method.POST, segments, content_format=Format.TLV.number, format=Format.TLV)
    if operation.format not in (None, Format.TLV):
        raise _Refused("only tlv can name an instance without values")
    payload = encode_empty_instance(operation.path[1])
    return Request(Method.POST, segments, content_format=Format.TLV.number, payload=payload)


def _delete(operation: Delete, device: DeviceProfile) -> Request:
    path = operation.path
    if len(path) not in (2, 4):
        raise _Refused(f"delete takes an object instance or a resource instance; {path} is neither")
    return Request(Method.DELETE, path.segments(device.root))


def _encode(
    records: tuple[Record, ...],
    context: Context,
    wanted: Format | None,
    candidates: Sequence[Format],
    refused: Collection[Format],
) -> tuple[Format, bytes]:
    """The first format that is able and not refused, and the payload in it."""
    reason = "the device takes none of the formats that it could be written in"
    for choice in (wanted,) if wanted is not None else candidates:
        if choice in refused:
            continue
        try:
            return choice, encode(choice, records, context)
        except EncodeError as error:
            reason = str(error)
    raise _Refused(reason)


def _composite_format(
    wanted: Format | None, device: DeviceProfile, refused: Collection[Format]
) -> tuple[Format, Format]:
    """The format of a composite, and that of its body."""
    if wanted is not None:
        return wanted, Format.SENML_CBOR if wanted is Format.LWM2M_CBOR else wanted
    for choice in composite_formats(device):
        if choice not in refused:
            return choice, choice
    raise _Refused("the device takes none of the formats that composites have")


def _check_composite(device: DeviceProfile) -> None:
    if device.version < V1_1:
        raise _Refused("the device registered with LwM2M 1.0, which has no composites: name one path")


def _check_readable(path: Path, device: DeviceProfile) -> None:
    resource = _forbidding(path, device)
    if resource is not None and "R" not in resource.operations:
        what = "executable, not readable" if resource.is_executable else "not readable"
        raise _Refused(f"{path} ({resource.name}) is {what}")


def _check_records(records: tuple[Record, ...], path: Path, device: DeviceProfile) -> None:
    _check_values(records, path, device)
    for record in records:
        resource = _forbidding(record.path, device)
        if resource is not None and "W" not in resource.operations:
            what = "executable, not writable" if resource.is_executable else "not writable"
            raise _Refused(f"{record.path} ({resource.name}) is {what}")


def _check_values(records: tuple[Record, ...], path: Path, device: DeviceProfile) -> None:
    for record in records:
        if len(record.path) < 3 or not record.path.is_within(path):
            raise _Refused(f"{record.path} is no resource below {path}")
        resource = device.model.find_resource(record.path)
        if resource is not None:
            try:
                check_range(record.value, resource)
            except Unfit as error:
                raise _Refused(f"{record.path} ({resource.name}): {error}") from None


def _forbidding(path: Path, device: DeviceProfile) -> ResourceDefinition | None:
    """The definition that may forbid something at *path*.

    Resources that no server may touch are left to the device, which answers 4.01.
    """
    resource = device.model.find_resource(path)
    if resource is None or not resource.operations or not device.model.is_authoritative(path[0]):
        return None
    return resource


def _is_array(records: tuple[Record, ...], path: Path) -> bool:
    return len(path) == 3 and any(record.path != path or record.value == () for record in records)


def _observe_option(operation: Read | Observe | Cancel) -> int | None:
    return {Read: None, Observe: 0, Cancel: 1}[type(operation)]


def _observation_queries(operation: Read | Observe | Cancel, device: DeviceProfile) -> tuple[str, ...]:
    if not isinstance(operation, Observe) or operation.attributes is None:
        return ()
    if device.version < V1_2:
        raise _Refused("a device before LwM2M 1.2 takes no attributes in observe: set them with attributes")
    return operation.attributes.queries()
