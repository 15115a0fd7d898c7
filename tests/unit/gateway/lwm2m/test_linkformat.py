from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.lwm2m import linkformat
from gateway.lwm2m.errors import DecodeError, TooLarge
from gateway.lwm2m.linkformat import Link, decode_links

VECTORS = json.loads((Path(__file__).parents[3] / "vectors/lwm2m/links.json").read_text())["vectors"]


@pytest.mark.parametrize(
    "vector",
    [pytest.param(vector, id=vector["id"]) for vector in VECTORS if vector["expected"] != "error"],
)
def test_links_of_devices_are_read(vector):
    assert [(link.target, list(link.attributes)) for link in decode_links(vector["text"].encode())] == [
        (
            link["uri"].rstrip("/") or "/",
            [(attribute["name"], attribute["value"]) for attribute in link["attributes"]],
        )
        for link in vector["expected"]
    ]


@pytest.mark.parametrize(
    "vector",
    [pytest.param(vector, id=vector["id"]) for vector in VECTORS if vector["expected"] == "error"],
)
def test_what_is_no_link_format_is_refused(vector):
    with pytest.raises(DecodeError):
        decode_links(vector["text"].encode())


def test_flag_has_no_value_and_an_empty_value_is_one():
    assert decode_links(b'</3>;obs;ct=;title="";x="a\\"b"') == (
        Link("/3", (("obs", None), ("ct", ""), ("title", ""), ("x", 'a"b'))),
    )


@pytest.mark.parametrize("payload", [b"", b" \n", b"\0"])
def test_nothing_is_no_link(payload):
    assert decode_links(payload) == ()


def test_amount_is_bounded(monkeypatch):
    with pytest.raises(TooLarge):
        decode_links(b"<" * (linkformat.MAX_DISCOVERED_BYTES + 1))
    monkeypatch.setattr(linkformat, "MAX_DISCOVERED_LINKS", 2)
    with pytest.raises(TooLarge):
        decode_links(b"</1>,</2>,</3>")


def test_text_has_to_be_utf_8():
    with pytest.raises(DecodeError):
        decode_links(b"</\xff>")
