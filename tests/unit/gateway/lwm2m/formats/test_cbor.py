from __future__ import annotations

import pytest

from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.formats import cbor
from gateway.lwm2m.path import parse_path
from gateway.lwm2m.records import Context
from gateway.lwm2m.values import Type

PATH = parse_path("/3/0/9")


@pytest.mark.parametrize("payload", ["f6", "f7", "e0", "80", "a0", "8101", "a10000"])
def test_items_that_are_no_value_do_not_fit(payload):
    for type_ in (None, Type.STRING, Type.INTEGER):
        decoded = cbor.decode(bytes.fromhex(payload), Context(PATH, lambda path, type_=type_: type_))
        assert (decoded.records, [misfit.path for misfit in decoded.misfits]) == ((), [PATH])


def test_target_is_a_resource():
    with pytest.raises(DecodeError):
        cbor.decode(b"\1", Context(parse_path("/3/0")))
