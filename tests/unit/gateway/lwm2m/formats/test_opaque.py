from __future__ import annotations

import pytest

from gateway.lwm2m.errors import DecodeError, TooLarge
from gateway.lwm2m.formats import opaque
from gateway.lwm2m.path import parse_path
from gateway.lwm2m.records import Context, EncodeError, Record
from gateway.lwm2m.values import Type

PATH = parse_path("/5/0/0")


@pytest.mark.parametrize("payload", [b"", b"\0", bytes(1_000_000)])
def test_payload_is_the_value(payload):
    record = Record(PATH, payload, Type.OPAQUE)
    assert opaque.decode(payload, Context(PATH)).records == (record,)
    assert opaque.encode((record,), Context(PATH)) == payload


def test_value_of_another_type_does_not_fit():
    decoded = opaque.decode(b"\1", Context(PATH, lambda path: Type.INTEGER))
    assert (decoded.records, [misfit.path for misfit in decoded.misfits]) == ((), [PATH])
    with pytest.raises(EncodeError):
        opaque.encode((Record(PATH, "x", Type.STRING),), Context(PATH))


def test_target_is_a_resource_and_size_is_bounded(monkeypatch):
    with pytest.raises(DecodeError):
        opaque.decode(b"", Context(parse_path("/5/0")))
    monkeypatch.setattr(opaque, "MAX_PAYLOAD_BYTES", 1)
    with pytest.raises(TooLarge):
        opaque.decode(b"12", Context(PATH))
