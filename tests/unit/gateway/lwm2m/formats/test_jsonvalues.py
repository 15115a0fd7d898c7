from __future__ import annotations

import pytest

from gateway.lwm2m.errors import DecodeError, TooLarge
from gateway.lwm2m.formats import jsonvalues
from gateway.lwm2m.formats.jsonvalues import Object, decode_json


def test_integers_are_exact_and_names_may_repeat():
    assert decode_json(b'{"v":9223372036854775807,"v":8.64e4}') == [("v", 2**63 - 1), ("v", 86400.0)]
    assert isinstance(decode_json(b"{}"), Object)
    assert not isinstance(decode_json(b"[]"), Object)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"NaN",
        b"[-Infinity]",
        b"[1e400]",
        b"\xff",
        b"[1]x",
        b"9" * 5000,
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'["\\ud800"]',
        b'[{"\\uDFFF\\uD800":1}]',
    ],
    ids=lambda payload: payload[:12].hex(),
)
def test_anything_else_is_refused(payload):
    with pytest.raises(DecodeError):
        decode_json(payload)


def test_characters_in_two_escapes_are_whole():
    assert decode_json(rb'["\ud83d\uDE00", "\\ud800"]') == ["\U0001f600", "\\ud800"]


def test_size_is_bounded(monkeypatch):
    monkeypatch.setattr(jsonvalues, "MAX_PAYLOAD_BYTES", 1)
    with pytest.raises(TooLarge):
        decode_json(b"[]")
