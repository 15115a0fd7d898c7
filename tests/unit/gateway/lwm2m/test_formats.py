"""Every published and captured payload, read and written."""

from __future__ import annotations

import json
from pathlib import Path as File
from typing import Any

import pytest

from gateway.lwm2m import formats
from gateway.lwm2m.errors import DecodeError, UnsupportedFormat
from gateway.lwm2m.formats import Format
from gateway.lwm2m.path import Path, parse_name, parse_path
from gateway.lwm2m.records import Context, Decoded, EncodeError, Record
from gateway.lwm2m.values import Type, Value, parse_object_link

VECTORS = json.loads((File(__file__).parents[3] / "vectors/lwm2m/data-formats.json").read_text())["vectors"]

TARGET = parse_path("/3/0/9")
ROOTS = {"sj-alternate-path": "/lwm2m"}
SENML_AND_JSON = {"senml-json", "senml-etch-json", "senml-cbor", "senml-etch-cbor", "oma-json"}
BOOLEAN, FLOAT = parse_path("/1/0/6"), parse_path("/3303/0/5700")


def payload(vector: dict[str, Any]) -> bytes:
    return bytes.fromhex(vector["hex"]) if "hex" in vector else vector["text"].encode()


def expected_records(vector: dict[str, Any], root: str) -> list[Record]:
    records = []
    for row in vector["expected"]:
        path = TARGET if row["path"] == "(target)" else parse_name(row["path"], root, is_create=True)
        records.append(Record(path, to_value(row), Type(row["type"]), row.get("time")))
    return records


def to_value(row: dict[str, Any]) -> Value:
    match row["type"]:
        case "opaque":
            return bytes.fromhex(row["value"])
        case "objlnk":
            return parse_object_link(row["value"])
        case "multiple":
            return ()
        case _:
            return row["value"]


def context(vector: dict[str, Any], records: list[Record]) -> Context:
    root = ROOTS.get(vector["id"], "/")
    name = vector["path"]
    if name == "(single resource)":
        target = TARGET
    elif name == "/dp":
        target = Path()
    else:
        target = parse_name(name, root)
    types = {BOOLEAN: Type.BOOLEAN, FLOAT: Type.FLOAT} | {
        record.path: record.type for record in records if record.type not in (Type.NONE, Type.MULTIPLE)
    }
    return Context(target, types.get, root, is_create="create" in vector.get("operation", ""))


def same(decoded: Decoded, records: list[Record]) -> bool:
    assert not decoded.misfits
    assert [(record.path, record.type) for record in decoded.records] == [
        (record.path, record.type) for record in records
    ]
    for actual, wanted in zip(decoded.records, records, strict=True):
        assert actual.time_s == pytest.approx(wanted.time_s) if wanted.time_s else not actual.time_s
        if wanted.type is Type.FLOAT:
            assert actual.value == pytest.approx(wanted.value, rel=1e-6)
        else:
            assert actual.value == wanted.value
            assert type(actual.value) is type(wanted.value)
    return True


def of(expected: type) -> list[Any]:
    chosen = [vector for vector in VECTORS if isinstance(vector["expected"], expected)]
    return [pytest.param(vector, id=vector["id"]) for vector in chosen]


@pytest.mark.parametrize("vector", of(list))
def test_values_are_read(vector: dict[str, Any]) -> None:
    records = expected_records(vector, ROOTS.get(vector["id"], "/"))
    format_ = Format(vector["kind"])
    assert same(formats.decode(format_, payload(vector), context(vector, records)), records)


@pytest.mark.parametrize("vector", of(str))
def test_what_says_nothing_is_refused(vector: dict[str, Any]) -> None:
    try:
        decoded = formats.decode(Format(vector["kind"]), payload(vector), context(vector, []))
    except DecodeError:
        return
    assert decoded.misfits
    assert not decoded.records


@pytest.mark.parametrize("vector", of(dict))
def test_lists_of_paths_are_read_and_written(vector: dict[str, Any]) -> None:
    format_ = Format(vector["kind"])
    paths = tuple(map(parse_path, vector["expected"]["paths"]))
    assert formats.decode_paths(format_, payload(vector)) == paths
    if vector["direction"] == "both":
        assert formats.encode_paths(format_, paths) == payload(vector)


@pytest.mark.parametrize("vector", of(list))
def test_values_are_written_as_published(vector: dict[str, Any]) -> None:
    if vector["direction"] != "both":
        return
    records = expected_records(vector, "/")
    format_ = Format(vector["kind"])
    written = formats.encode(format_, tuple(records), context(vector, records))
    if vector["kind"] not in SENML_AND_JSON:
        assert written == payload(vector)
    assert same(formats.decode(format_, written, context(vector, records)), records)


def test_numbers_and_names_belong_together() -> None:
    for format_ in Format:
        assert formats.find_format(format_.number) is format_
    assert [formats.find_format(number) for number in (1541, 1542, 1543)] == [
        Format.TEXT,
        Format.TLV,
        Format.OMA_JSON,
    ]
    assert formats.find_format(50) is None
    assert [format_ for format_ in Format if format_.is_for_one_value] == [
        Format.TEXT,
        Format.OPAQUE,
        Format.CBOR,
    ]


def test_links_hold_no_values() -> None:
    with pytest.raises(UnsupportedFormat):
        formats.decode(Format.LINK, b"", Context(TARGET))
    with pytest.raises(EncodeError):
        formats.encode(Format.LINK, (), Context(TARGET))


def test_only_senml_has_lists_of_paths() -> None:
    with pytest.raises(UnsupportedFormat):
        formats.decode_paths(Format.TLV, b"")
    with pytest.raises(EncodeError):
        formats.encode_paths(Format.LWM2M_CBOR, (TARGET,))


def test_only_patches_take_away() -> None:
    record = Record(parse_path("/16/0/0/1"), None, Type.NONE)
    for format_ in Format:
        if format_ in (Format.SENML_ETCH_JSON, Format.SENML_ETCH_CBOR):
            written = formats.encode(format_, (record,), Context(Path()))
            assert formats.decode(format_, written, Context(Path())).records == (record,)
        else:
            with pytest.raises(EncodeError):
                formats.encode(format_, (record,), Context(record.path))
