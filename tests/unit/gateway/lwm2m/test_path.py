from __future__ import annotations

import pytest

from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.path import ROOT, Path, parse_name, parse_path


@pytest.mark.parametrize("text", ["/", "/3", "/3/0", "/65534/65534/65534/65534", "/3/0/0/0"])
def test_path_reads_as_it_is_written(text):
    assert str(parse_path(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3/0",
        "//",
        "/3/",
        "/03",
        "/3/0/1/2/3",
        "/65535",
        "/65536",
        "/3/65535/0",
        "/a",
        "/-1",
        "/٣",
        "/3/0/",
        "/ 3",
    ],
)
def test_what_is_no_path_is_refused(text):
    with pytest.raises(DecodeError):
        parse_path(text)


def test_parts_of_a_path():
    path = parse_path("/3/0/6/1")
    assert (path.object_id, path.resource_id) == (3, 6)
    assert parse_path("/3/0").resource_id is None
    assert path.up_to(2) == parse_path("/3/0")
    assert parse_path("/3").child(0, 6, 1) == path
    assert path.is_within(parse_path("/3/0/6"))
    assert path.is_within(ROOT)
    assert not path.is_within(parse_path("/3/1"))
    assert repr(path) == "Path('/3/0/6/1')"


def test_paths_sort_by_number():
    paths = [parse_path(text) for text in ("/10", "/9/1", "/9", "/9/0/12", "/9/0/2")]
    assert list(map(str, sorted(paths))) == ["/9", "/9/0/2", "/9/0/12", "/9/1", "/10"]


def test_alternate_path_goes_in_front():
    path = parse_path("/3/0")
    assert path.segments("/") == ("3", "0")
    assert path.segments("/a/b") == ("a", "b", "3", "0")
    assert ROOT.segments("/lwm2m") == ("lwm2m",)
    assert path.name("/lwm2m") == "/lwm2m/3/0"
    assert ROOT.name("/lwm2m") == "/lwm2m"
    assert ROOT.name() == "/"


@pytest.mark.parametrize(
    ("name", "root", "path"),
    [
        ("3/0/9", "/", "/3/0/9"),
        ("/3/0/", "/", "/3/0"),
        ("/lwm2m/3/0", "/lwm2m", "/3/0"),
        ("/3/0", "/lwm2m", "/3/0"),
        ("/lwm2m", "/lwm2m", "/"),
        ("/lwm2m/", "/lwm2m", "/"),
        ("/", "/lwm2m", "/"),
        ("", "/", "/"),
    ],
)
def test_names_are_read_as_devices_write_them(name, root, path):
    assert parse_name(name, root) == parse_path(path)


def test_instance_without_a_number_is_for_create_only():
    assert parse_name("/16/65535/0", is_create=True) == Path((16, 65535, 0))
    for name in ("/16/65535/65535", "/65535/0", "/16/0/65535", "/65535"):
        with pytest.raises(DecodeError):
            parse_name(name, is_create=True)
    with pytest.raises(DecodeError):
        parse_name("/16/65535/0")
    with pytest.raises(DecodeError):
        parse_name("/lwm2mm/3", "/lwm2m")
