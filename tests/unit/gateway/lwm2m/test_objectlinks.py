from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.lwm2m.errors import DecodeError, TooLarge
from gateway.lwm2m.objectlinks import MAX_LINKS, MAX_PAYLOAD_BYTES, decode_object_links, merge_object_lists
from registry.model import ObjectLink, ObjectList

VECTORS = json.loads((Path(__file__).parents[3] / "vectors/lwm2m/object-lists.json").read_text())["vectors"]


def paths(payload: bytes) -> list[str]:
    return [link.path for link in decode_object_links(payload).links]


def versions(payload: bytes) -> dict[str, str | None]:
    return {link.path: link.version for link in decode_object_links(payload).links}


@pytest.mark.parametrize(
    "vector", [vector for vector in VECTORS if "registration" in vector], ids=lambda vector: vector["id"]
)
def test_published_and_captured_lists_are_understood(vector: dict) -> None:
    expected = vector["registration"]
    objects = decode_object_links(vector["text"].encode())
    assert objects.alternate_path == expected["root"]
    assert list(objects.content_formats) == expected["content_formats"]
    assert list(objects.links) == [
        ObjectLink(int(object_id), instance_id, told["ver"])
        for object_id, told in sorted(expected["objects"].items(), key=lambda item: int(item[0]))
        for instance_id in (told["instances"] or [None])
    ]


@pytest.mark.parametrize(
    "vector",
    [vector for vector in VECTORS if vector.get("expected") == "error"],
    ids=lambda vector: vector["id"],
)
def test_what_is_no_link_format_is_refused(vector: dict) -> None:
    with pytest.raises(DecodeError):
        decode_object_links(vector["text"].encode())


def test_separators_inside_quotes_separate_nothing() -> None:
    assert paths(b'</3/0>;x="a \\"b\\" , ;<>",</4/0>') == ["/3/0", "/4/0"]


@pytest.mark.parametrize(
    "payload",
    [
        b"</3/0>,</4/0>",
        b" </3/0> , </4/0> ",
        b"</3/0>,\r\n\t</4/0>\n",
        b"</3/0>,</4/0>\0",
        b"</3/0/>,</4/0/>",
        b"</4/0>,</3/0>",
        b"</3>,</3/0>,</4>,</4/0>,</3/0>",
        b"</3/0/0>,</3/0/1/2>,</4/0/7>",
        b'</3/0>;rt="x y";if=z;obs;ct=,</4/0> ; sz = "12"',
        b'</3/0>;title="";a=<b>,</4/0>',
        b"</3/0>,</4/0>,</sensors/temp>;ct=xx,<coap://host/7/0>,<5/0>,<>,</1/2/3/4/5>,</3/x>,</-1>",
        b"</0/0>,</3/0>,</4/0>,</21/0>,</23>",
    ],
)
def test_tolerated_spellings_mean_the_same(payload: bytes) -> None:
    assert decode_object_links(payload).links == (ObjectLink(3, 0), ObjectLink(4, 0))


def test_objects_and_instances_are_ordered_by_number() -> None:
    assert paths(b"</10/2>,</10/10>,</9>,</3303/1>,</3303/0>") == [
        "/9",
        "/10/2",
        "/10/10",
        "/3303/0",
        "/3303/1",
    ]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"</3>;ver=1.1,</3/0>,</3/1>", {"/3/0": "1.1", "/3/1": "1.1"}),
        (b"</3/0>;ver=1.1,</3/1>", {"/3/0": "1.1", "/3/1": "1.1"}),
        (b"</3/0>;ver=1.2,</3>;ver=1.1", {"/3/0": "1.1"}),
        (b"</3/0>;ver=1.2;ver=1.3,</3/1>;ver=1.4", {"/3/0": "1.2", "/3/1": "1.2"}),
        (b'</3>;ver="1.0"', {"/3": "1.0"}),
        (b"</3>;ver=1", {"/3": "1.0"}),
        (b"</3>;ver=0.4", {"/3": "0.4"}),
        (b"</3>;version=x;over=y", {"/3": None}),
    ],
)
def test_version_belongs_to_the_object(payload: bytes, expected: dict[str, str | None]) -> None:
    assert versions(payload) == expected


@pytest.mark.parametrize("version", [b"abc", b"", b"1.2.3", b'"1. 0"', b"-1", b"1.", b"123456"])
def test_version_that_cannot_be_read_is_refused(version: bytes) -> None:
    with pytest.raises(DecodeError, match="ver"):
        decode_object_links(b"</3>;ver=" + version)


@pytest.mark.parametrize(
    ("payload", "root", "formats"),
    [
        (b"</>;rt=oma.lwm2m;ct=60,</3/0>", "/", (60,)),
        (b'</>;ct="110 112 1543",</3/0>', "/", (110, 112, 1543)),
        (b'</3/0>,</>;ct="110 110";ct=60', "/", (110, 60)),
        (b'</>;ct="application/json 65536 999999 112",</3/0>', "/", (112,)),
        (b'</dm>;rt="oma.lwm2m";ct=112,</dm/3/0>,</4/0>', "/dm", (112,)),
        (b'</dm/>;rt="x oma.lwm2m",</dm/3/0>', "/dm", ()),
        (b"</a/b>;rt=oma.lwm2m,</a/b/3/0>,</a/bc/4/0>", "/a/b", ()),
        (b"</>;rt=oma.lwm2m;ct=60,</dm>;rt=oma.lwm2m;ct=110,</dm/3/0>", "/dm", (60, 110)),
        (b"</dm>;rt=oma.lwm2m,</md>;rt=oma.lwm2m,</dm/3/0>", "/dm", ()),
        (b"</3/0>;x=oma.lwm2m", "/", ()),
    ],
)
def test_root_link_tells_the_root_and_its_formats(
    payload: bytes, root: str, formats: tuple[int, ...]
) -> None:
    objects = decode_object_links(payload)
    assert objects.alternate_path == root
    assert objects.content_formats == formats
    assert objects.links == (ObjectLink(3, 0),)


@pytest.mark.parametrize("path", [b"/1", b"/a/2", b"/a//b", b"a", b"", b"//a"])
def test_root_that_cannot_be_one_is_refused(path: bytes) -> None:
    with pytest.raises(DecodeError, match="alternate path"):
        decode_object_links(b"<" + path + b">;rt=oma.lwm2m")


@pytest.mark.parametrize("payload", [b"</65534>", b"</65534/65534>"])
def test_highest_id_is_65534(payload: bytes) -> None:
    assert paths(payload)


@pytest.mark.parametrize(
    "payload",
    [b"</65535>", b"</3/65535>", b"</3/0/65535>", b"</100000>", b"</03/0>", b"</3/00>", b"</3/0>,</3/99999>"],
)
def test_ids_beyond_it_are_refused(payload: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_object_links(payload)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\0",
        b" ",
        b",",
        b"</3/0>,",
        b",</3/0>",
        b"</3/0>,,</4/0>",
        b"</3/0>;",
        b"</3/0>;=1",
        b'</3/0>;a="b',
        b'</3/0>;a="b"c',
        b"</3/0",
        b"<</3/0>>",
        b"</3/0> </4/0>",
        b"\xff\xfe",
        b"</3/0>\0,</4/0>",
        b"[]",
    ],
)
def test_broken_lists_are_refused(payload: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_object_links(payload)


def test_error_tells_where() -> None:
    with pytest.raises(DecodeError) as caught:
        decode_object_links(b"</3/0>,</70000>")
    assert caught.value.offset == 7


def test_list_of_the_greatest_length_is_taken_and_no_longer_one() -> None:
    link = b"</3/0>"
    padding = b" " * (MAX_PAYLOAD_BYTES - len(link))
    assert decode_object_links(link + padding).links == (ObjectLink(3, 0),)
    with pytest.raises(TooLarge):
        decode_object_links(link + padding + b" ")


def test_number_of_links_is_bounded() -> None:
    links = [b"</3/%d>" % number for number in range(MAX_LINKS)]
    assert len(decode_object_links(b",".join(links)).links) == MAX_LINKS
    with pytest.raises(TooLarge):
        decode_object_links(b",".join([*links, b"</3/0>"]))


@pytest.mark.parametrize("payload", [b"</3/0>,</31024/11>", b"</3/0>" + b" " * 2000])
def test_equal_payloads_share_one_list(payload: bytes) -> None:
    again = bytes(bytearray(payload))
    assert again is not payload
    assert decode_object_links(again) is decode_object_links(payload)


def test_union_takes_links_of_both_and_prefers_the_second() -> None:
    first = decode_object_links(b"</dm>;rt=oma.lwm2m;ct=60,</dm/3>;ver=1.0,</dm/5/0>;ver=1.1")
    second = decode_object_links(b'</>;ct="60 110",</3/0>;ver=1.2,</4/0>')
    assert merge_object_lists(first, second) == ObjectList(
        (ObjectLink(3, 0, "1.2"), ObjectLink(4, 0), ObjectLink(5, 0, "1.1")), "/dm", (60, 110)
    )
    assert merge_object_lists(second, first).alternate_path == "/dm"
    assert merge_object_lists(second, second) == second
