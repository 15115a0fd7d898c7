from __future__ import annotations

import pytest

from gateway.lwm2m.inputs import read_argument, read_value, takes_bytes
from gateway.lwm2m.model import DeviceModel
from gateway.lwm2m.path import Path, parse_path
from gateway.lwm2m.values import ObjectLink, Type, Unfit
from gateway.objectmodel import own_model

MODEL = DeviceModel(own_model())


def argument(path, given):
    return [(str(row.path), row.value, row.type) for row in read_argument(parse_path(path), given, MODEL)]


@pytest.mark.parametrize(
    ("path", "given", "rows"),
    [
        ("/1/0/1", "3600", [("/1/0/1", 3600, Type.INTEGER)]),
        ("/3/0/14", "+02:00", [("/3/0/14", "+02:00", Type.STRING)]),
        ("/3/0/14", "{x", [("/3/0/14", "{x", Type.STRING)]),
        ("/1/0/6", "true", [("/1/0/6", True, Type.BOOLEAN)]),
        ("/1/0/10", "11:0", [("/1/0/10", ObjectLink(11, 0), Type.OBJLNK)]),
        ("/5/0/0", "hex:00ff", [("/5/0/0", b"\0\xff", Type.OPAQUE)]),
        ("/5/0/0", b"\0", [("/5/0/0", b"\0", Type.OPAQUE)]),
        ("/16/0/0/3", "x", [("/16/0/0/3", "x", Type.STRING)]),
        ("/16/0/0", '{"0":"a","3":"b"}', [("/16/0/0/0", "a", Type.STRING), ("/16/0/0/3", "b", Type.STRING)]),
        ("/16/0/0", "{}", [("/16/0/0", (), Type.MULTIPLE)]),
        ("/3/0", '{"13":5,"14":"x"}', [("/3/0/13", 5, Type.TIME), ("/3/0/14", "x", Type.STRING)]),
        ("/42/0/1", "5", [("/42/0/1", 5, Type.INTEGER)]),
        ("/42/0/1", "-5.5", [("/42/0/1", -5.5, Type.FLOAT)]),
        ("/42/0/1", "words", [("/42/0/1", "words", Type.STRING)]),
        ("/42/0/1", '{"0":true}', [("/42/0/1/0", True, Type.BOOLEAN)]),
        ("/42/0/1", "hex:01", [("/42/0/1", b"\1", Type.OPAQUE)]),
        ("/42/0/1", b"\1", [("/42/0/1", b"\1", Type.OPAQUE)]),
        ("/3/0/9", "100", [("/3/0/9", 100, Type.INTEGER)]),
        ("/3/0", "{}", []),
    ],
)
def test_command_line_notation_is_read_by_type(path, given, rows):
    assert argument(path, given) == rows


def test_values_at_an_object_belong_to_an_instance_without_a_number():
    [record] = read_argument(parse_path("/16"), '{"0":{"1":"x"}}', MODEL)
    assert record.path == Path((16, 65535, 0, 1))


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("/", "5"),
        ("/1/0/1", "soon"),
        ("/1/0/1", "1.5"),
        ("/3/0/9", "101"),
        ("/3/0/4", "1"),
        ("/5/0/0", "00ff"),
        ("/1/0/1", b"\1"),
        ("/3/0/6", "1"),
        ("/3/0", "5"),
        ("/3/0", '{"13":5,"13":6}'),
        ("/3/0", '{"x":5}'),
        ("/3/0", '{"-1":5}'),
        ("/3/0", '{"65535":5}'),
        ("/3/0", '{"123456":5}'),
        ("/3/0", '{"٣":5}'),
        ("/3/0", '{"13":{"0":5}}'),
        ("/3/0", '{"6":5}'),
        ("/3/0", '{"13":"x"}'),
        ("/42/0/1", "null"),
        ("/42/0/1/0", '{"0":1}'),
        ("/16", "[]"),
    ],
)
def test_what_means_nothing_is_refused_with_its_path(path, given):
    with pytest.raises(Unfit, match=r"^/"):
        argument(path, given)


def test_python_values_are_read_likewise():
    records = read_value(parse_path("/3/0"), {13: 5, "6": {0: 1, 1: 5}}, MODEL)
    assert [(str(record.path), record.value) for record in records] == [
        ("/3/0/13", 5),
        ("/3/0/6/0", 1),
        ("/3/0/6/1", 5),
    ]
    assert read_value(parse_path("/6/0/0"), 1, MODEL)[0].value == 1.0
    for path in ("/", "/3/0", "/3"):
        with pytest.raises(Unfit, match=path):
            read_value(parse_path(path), 5, MODEL)
    for key in (True, 1.5, None):
        with pytest.raises(Unfit):
            read_value(parse_path("/3/0"), {key: 5}, MODEL)


def test_bytes_go_where_bytes_belong():
    assert takes_bytes(parse_path("/5/0/0"), MODEL)
    assert takes_bytes(parse_path("/42/0/0"), MODEL)
    assert not takes_bytes(parse_path("/3/0/14"), MODEL)
    assert not takes_bytes(parse_path("/3/0"), MODEL)
