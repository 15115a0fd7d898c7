from __future__ import annotations

import pytest

from gateway.lwm2m.errors import DecodeError, TooLarge
from gateway.lwm2m.formats import cborvalues
from gateway.lwm2m.formats.cborvalues import decode_item, encode_item, to_item
from gateway.lwm2m.values import ObjectLink


@pytest.mark.parametrize(
    ("payload", "item"),
    [
        ("1bffffffffffffffff", 2**64 - 1),
        ("3bffffffffffffffff", -(2**64)),
        ("f94de0", 23.5),
        ("fa41bc0000", 23.5),
        ("c11a5182428f", 1367491215),
        ("c1fb3ff8000000000000", 1.5),
        ("c074323031332d30352d30325431303a34303a31355a", 1367491215),
        ("c07819323031332d30352d30325431323a34303a31352b30323a3030", 1367491215),
        ("c07819323031332d30352d30325430393a31303a31352d30313a3330", 1367491215),
        ("c4822118c8", 2.0),
        ("5f41014102ff", b"\1\2"),
        ("7f616161626163ff", "abc"),
        ("9fbf00662f332f302f39021864ffff", [{0: "/3/0/9", 2: 100}]),
        ("a18303000000", {(3, 0, 0): 0}),
    ],
)
def test_what_lwm2m_has_is_read(payload, item):
    found = decode_item(bytes.fromhex(payload))
    assert found == item
    assert type(found) is type(item)


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "ff",
        "18",
        "1c",
        "9f",
        "9f01",
        "bf01ff",
        "62fffe",
        "0102",
        "a200010002",
        "bf00010002ff",
        "a28200010182000102",
        "818181818181818181818101",
        "a1" * 12 + "00",
        "9bffffffffffffffff",
        "bbffffffffffffffff",
        "5bffffffffffffffff",
        "7b7fffffffffffffff",
        "c24101",
        "c34101",
        "c4820102" + "00",
        "c4821903e801",
        "c482f50a",
        "c401",
        "c5822003",
        "c0617a",
        "c001",
        "c074323031332d31332d30325431303a34303a31355a",
        "c1f5",
        "c1617a",
        "d81c80",
        "d81c81d81d00",
        "d81d00",
        "d8236161",
        "d8256161",
        "d9010081",
        "d901008101",
        "d9d9f701",
        "d9ffff01",
        "dbffffffffffffffff01",
        "c1" * 300 + "01",
    ],
)
def test_everything_else_is_refused(payload):
    with pytest.raises(DecodeError):
        decode_item(bytes.fromhex(payload))


def test_size_is_bounded(monkeypatch):
    monkeypatch.setattr(cborvalues, "MAX_PAYLOAD_BYTES", 1)
    with pytest.raises(TooLarge):
        decode_item(b"\x18\xff")


def test_items_are_written_short():
    assert encode_item([1, "a", b"\1", True, 1.5]).hex() == "8501616141 01f5fb3ff8000000000000".replace(
        " ", ""
    )
    assert to_item(ObjectLink(1, 2)) == "1:2"
    assert to_item(5) == 5
