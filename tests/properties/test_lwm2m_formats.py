"""Data formats: any bytes are values or a `DecodeError`; what is written is read again."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.lwm2m import formats
from gateway.lwm2m.answers import Response, read_answer
from gateway.lwm2m.arguments import format_arguments, parse_arguments
from gateway.lwm2m.attributes import NAMES, parse_attributes
from gateway.lwm2m.ddf import decode_definitions
from gateway.lwm2m.definitions import parse_version, read_definition
from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.formats import Format
from gateway.lwm2m.inputs import read_argument
from gateway.lwm2m.linkformat import decode_links
from gateway.lwm2m.model import DeviceModel
from gateway.lwm2m.negotiation import DeviceProfile
from gateway.lwm2m.operationcodec import decode_operation, encode_operation
from gateway.lwm2m.operations import Create, Discover, Observe, Read, Write
from gateway.lwm2m.path import ROOT, Path, parse_name, parse_path
from gateway.lwm2m.records import Context, Decoded, EncodeError, Record
from gateway.lwm2m.requests import Refusal, Request, prepare
from gateway.lwm2m.send import RefusedSend, read_send
from gateway.lwm2m.values import ObjectLink, Type, Unfit, parse_argument, to_json
from gateway.lwm2m.versions import Version
from gateway.objectmodel import own_model
from registry.model import ObjectLink as RegisteredLink
from registry.model import ObjectList

ids = st.integers(0, 65_534)
paths = st.lists(ids, max_size=4).map(Path)
resources = st.lists(ids, min_size=3, max_size=4).map(Path)
targets = st.sampled_from(
    ["/", "/3", "/3/0", "/3/0/9", "/3/0/6", "/3/0/6/1", "/5/0/0", "/42", "/3303/0/5700"]
)
MODEL = DeviceModel(own_model())
PACKS = [Format.SENML_JSON, Format.SENML_CBOR, Format.SENML_ETCH_JSON, Format.SENML_ETCH_CBOR]
VALUE_FORMATS = [format_ for format_ in Format if format_ is not Format.LINK]

VALUES: dict[Type, st.SearchStrategy[Any]] = {
    Type.STRING: st.text(),
    Type.CORELNK: st.text(),
    Type.INTEGER: st.integers(-(2**63), 2**63 - 1),
    Type.TIME: st.integers(-(2**63), 2**63 - 1),
    Type.UNSIGNED: st.integers(0, 2**64 - 1),
    Type.FLOAT: st.floats(allow_nan=False),
    Type.BOOLEAN: st.booleans(),
    Type.OPAQUE: st.binary(),
    Type.OBJLNK: st.builds(ObjectLink, st.integers(0, 65_535), st.integers(0, 65_535)),
}

# JSON and CBOR that look like packs: what random bytes never are.
names = st.sampled_from(["/3/0/9", "/3/0/", "9", "6/0", "/", "", "x", "/65535/0/0", "/3/0/6/1"])
keys = st.sampled_from(
    ["bn", "bt", "bv", "bver", "n", "v", "vs", "vb", "vd", "vlo", "t", "e", "sv", "bv", "ov", "x_"]
)
scalars = (
    names
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([10**400, -(2**63), 2**64, 1e308])
)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=12,
)
cbor_keys = (
    st.integers(-8, 10) | st.sampled_from(["vlo", "n", "v", 65535]) | st.tuples(ids, ids, ids) | st.booleans()
)
cbor_items = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.floats()
    | names
    | st.binary(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(cbor_keys, inner, max_size=4),
    max_leaves=12,
)
payloads = (
    st.binary(max_size=120)
    | documents.map(lambda value: json.dumps(value).encode())
    | cbor_items.map(cbor2.dumps)
    | st.builds(lambda item, cut: cbor2.dumps(item)[:cut], cbor_items, st.integers(0, 40))
)


@given(st.sampled_from(VALUE_FORMATS), payloads, targets, st.booleans(), st.sampled_from(["/", "/lwm2m"]))
def test_any_bytes_are_values_or_a_decode_error(
    format_: Format, payload: bytes, target: str, is_create: bool, root: str
) -> None:
    context = Context(parse_path(target), MODEL.find_type, root, is_create=is_create)
    try:
        decoded = formats.decode(format_, payload, context)
    except DecodeError:
        return
    for record in decoded.records:
        assert 3 <= len(record.path) <= 4
        to_json(record.value)
    assert isinstance(decoded, Decoded)


@given(st.sampled_from(PACKS), payloads)
def test_any_bytes_are_paths_or_a_decode_error(format_: Format, payload: bytes) -> None:
    try:
        found = formats.decode_paths(format_, payload)
    except DecodeError:
        return
    assert formats.decode_paths(format_, formats.encode_paths(format_, found)) == found


@st.composite
def packs(draw: st.DrawFn, times: bool) -> tuple[Path, tuple[Record, ...]]:
    """A target, and typed values below it."""
    target = draw(st.sampled_from([(), (3,), (3, 0)]).map(Path))
    chosen = draw(st.lists(st.sampled_from(list(VALUES)), max_size=5))
    records = []
    for number, type_ in enumerate(chosen):
        path = Path((3, 0, number, draw(ids))) if draw(st.booleans()) else Path((3, 0, number))
        time_s = draw(st.none() | st.integers(1, 2**40)) if times else None
        records.append(Record(path, draw(VALUES[type_]), type_, time_s))
    return target, tuple(records)


def typed(records: tuple[Record, ...]) -> Callable[[Path], Type | None]:
    return {record.path: record.type for record in records}.get


@given(st.sampled_from([*PACKS, Format.OMA_JSON]), packs(times=True))
def test_written_packs_are_read_again(format_: Format, pack: tuple[Path, tuple[Record, ...]]) -> None:
    target, records = pack
    context = Context(target, typed(records))
    try:
        written = formats.encode(format_, records, context)
    except EncodeError:
        assert any(isinstance(record.value, float) and math.isinf(record.value) for record in records)
        return
    assert formats.decode(format_, written, context) == Decoded(records)


@given(st.sampled_from([Format.TLV, Format.LWM2M_CBOR]), packs(times=False))
def test_written_maps_are_read_again(format_: Format, pack: tuple[Path, tuple[Record, ...]]) -> None:
    target, records = pack
    assume(records and (target or format_ is Format.LWM2M_CBOR))
    context = Context(target, typed(records))
    assert formats.decode(format_, formats.encode(format_, records, context), context) == Decoded(records)


@given(
    st.sampled_from([Format.TEXT, Format.CBOR]),
    resources,
    st.sampled_from(list(VALUES)).flatmap(lambda type_: st.tuples(st.just(type_), VALUES[type_])),
)
def test_written_values_are_read_again(format_: Format, path: Path, typed_value: tuple[Type, Any]) -> None:
    type_, value = typed_value
    record = Record(path, value, type_)
    context = Context(path, lambda _: type_)
    try:
        written = formats.encode(format_, (record,), context)
    except EncodeError:
        assert isinstance(value, float)
        return
    assert formats.decode(format_, written, context) == Decoded((record,))


DEVICES = [
    DeviceProfile(Version(1, minor), numbers, root, MODEL)
    for minor in (0, 1, 2)
    for numbers in ((), (110,), (11544, 112))
    for root in ("/", "/lwm2m")
]


@given(
    st.sampled_from(DEVICES),
    st.sampled_from([
        Read((parse_path("/3/0"),)),
        Observe((parse_path("/3/0/9"), parse_path("/1"))),
        Discover(parse_path("/3")),
        Create(parse_path("/16")),
    ]),
    st.sampled_from(["2.01", "2.04", "2.05", "2.31", "4.04", "5.00"]),
    st.none() | st.sampled_from([0, 40, 42, 50, 60, 110, 112, 11542, 11543, 11544]),
    payloads,
    st.lists(st.text(max_size=6), max_size=4).map(tuple),
)  # fmt: skip
def test_any_response_is_an_answer(
    device: DeviceProfile,
    operation: Any,
    code: str,
    content_format: int | None,
    payload: bytes,
    location: tuple[str, ...],
) -> None:
    answer = read_answer(operation, device, Response(code, content_format, payload, False, location))
    assert answer.code == code
    assert answer.is_usable or answer.error
    json.dumps(answer.values())


@given(st.sampled_from([None, 0, 110, 112, 11542, 11544]), payloads)
def test_any_send_is_kept_or_refused(content_format: int | None, payload: bytes) -> None:
    objects = ObjectList((RegisteredLink(3, 0),))
    found = read_send(content_format, payload, DEVICES[0], objects)
    if isinstance(found, RefusedSend):
        assert found.reason.value
    else:
        assert {record.path.object_id for record in found.records} == {3}


@given(
    st.sampled_from(DEVICES),
    paths,
    st.text(max_size=30) | documents.map(json.dumps) | st.binary(max_size=8),
    st.booleans(),
    st.none() | st.sampled_from(list(Format)),
)
def test_any_input_is_a_request_or_a_refusal(
    device: DeviceProfile, path: Path, given_value: Any, is_partial: bool, format_: Format | None
) -> None:
    try:
        records = read_argument(path, given_value, device.model)
    except Unfit:
        return
    for operation in (Write(path, records, is_partial, format_), Create(path, records, format_)):
        assert isinstance(prepare(operation, device), Request | Refusal)
        assert decode_operation(encode_operation(operation)) == operation


@given(st.text(max_size=60), st.none() | st.sampled_from(list(Type)))
def test_any_text_is_an_argument_or_unfit(text: str, type_: Type | None) -> None:
    try:
        parse_argument(text, type_)
    except Unfit:
        return


@given(paths)
def test_paths_are_read_as_they_are_written(path: Path) -> None:
    assert parse_path(str(path)) == path
    assert parse_name(path.name("/lwm2m"), "/lwm2m") == path


@pytest.mark.parametrize(
    "decode", [parse_path, parse_name, parse_version, parse_arguments, lambda text: parse_attributes([text])]
)
@given(st.text(max_size=40) | st.text("/0123456789,='.", max_size=20))
def test_any_text_is_a_value_or_a_decode_error(decode: Callable[[str], object], text: str) -> None:
    try:
        decode(text)
    except DecodeError:
        return


@given(st.dictionaries(st.integers(0, 9), st.none() | st.text("!abc=,.[]{}", max_size=8), max_size=4))
def test_arguments_are_read_as_they_are_written(arguments: dict[int, str | None]) -> None:
    assert parse_arguments(format_arguments(tuple(arguments.items()))) == tuple(arguments.items())


@given(
    st.dictionaries(
        st.sampled_from(sorted(NAMES)),
        st.none() | st.integers(0, 100).map(str) | st.decimals(0, 100, places=2).map(str),
        max_size=4,
    )
)
def test_attributes_are_read_as_they_are_written(values: dict[str, str | None]) -> None:
    items = [name if value is None else f"{name}={value}" for name, value in values.items()]
    try:
        attributes = parse_attributes(items)
    except DecodeError:
        return
    assert parse_attributes(attributes.queries()) == attributes


@given(st.binary(max_size=200) | st.text('<>/;,="\\ 0129dimpx\n', max_size=80).map(str.encode))
def test_any_bytes_are_links_or_a_decode_error(payload: bytes) -> None:
    try:
        decode_links(payload)
    except DecodeError:
        return


TAGS = ["<LWM2M>", "</LWM2M>", "<Object>", "</Object>", "<ObjectID>", "</ObjectID>", "5", "<Resources>"]
TAGS += ["</Resources>", '<Item ID="1">', "<Item/>", "</Item>", "<Type>", "Float", "</Type>", "&lt;", "&x;"]
TAGS += ["<!DOCTYPE a>", '<?xml version="1.0" encoding="latin-1"?>']


@given(
    st.binary(max_size=80)
    | st.lists(st.sampled_from(TAGS), max_size=12).map(lambda parts: "".join(parts).encode())
)
def test_any_bytes_are_definitions_or_a_decode_error(content: bytes) -> None:
    try:
        decode_definitions(content)
    except DecodeError:
        return


@given(
    st.dictionaries(
        st.sampled_from(["object_id", "version", "name", "resources", "multiple", "mandatory"]), documents
    )
)
def test_any_description_is_a_definition_or_a_decode_error(description: dict[str, object]) -> None:
    try:
        read_definition(description)
    except DecodeError:
        return


@given(cbor_items.map(cbor2.dumps) | st.binary(max_size=60))
def test_any_bytes_are_an_operation_or_a_decode_error(content: bytes) -> None:
    try:
        decode_operation(content)
    except DecodeError:
        return


def test_the_root_is_a_path() -> None:
    assert parse_path(str(ROOT)) == ROOT
