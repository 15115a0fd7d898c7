from __future__ import annotations

import pytest

from gateway.lwm2m.attributes import parse_attributes
from gateway.lwm2m.operations import (
    Cancel,
    Create,
    Delete,
    Discover,
    Execute,
    Observe,
    Read,
    Write,
    WriteAttributes,
    WriteComposite,
    is_composite,
    is_repeatable,
    paths_of,
)
from gateway.lwm2m.path import ROOT, parse_path
from gateway.lwm2m.records import Record
from gateway.lwm2m.values import Type

PATH = parse_path("/3/0/9")
RECORDS = (Record(PATH, 1, Type.INTEGER), Record(parse_path("/3/0/13"), 1, Type.TIME))


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (Read((PATH,)), True),
        (Observe((PATH,)), True),
        (Cancel((PATH,)), True),
        (Discover(PATH), True),
        (Write(PATH, RECORDS), True),
        (Write(PATH, RECORDS, is_partial=True), False),
        (WriteComposite(RECORDS), True),
        (WriteAttributes(PATH, parse_attributes(["pmin=1"])), True),
        (Execute(PATH), False),
        (Create(parse_path("/16")), False),
        (Delete(parse_path("/16/0")), True),
    ],
)
def test_execute_create_and_partial_write_are_never_repeated(operation, expected):
    assert is_repeatable(operation) is expected


def test_several_paths_or_the_root_are_a_composite():
    assert is_composite((ROOT,))
    assert is_composite((PATH, ROOT))
    assert is_composite(())
    assert not is_composite((PATH,))


def test_every_operation_has_paths():
    assert paths_of(Read((PATH, ROOT))) == (PATH, ROOT)
    assert paths_of(WriteComposite(RECORDS)) == (PATH, parse_path("/3/0/13"))
    assert paths_of(Execute(PATH)) == (PATH,)
