from __future__ import annotations

import pytest

from gateway.lwm2m.formats.single import single_record
from gateway.lwm2m.path import parse_path
from gateway.lwm2m.records import Context, EncodeError, Record
from gateway.lwm2m.values import Type

PATH = parse_path("/3/0/9")
RECORD = Record(PATH, 1, Type.INTEGER)


def test_one_value_of_the_target_is_taken():
    assert single_record((RECORD,), Context(PATH)) is RECORD


@pytest.mark.parametrize(
    "records",
    [
        (),
        (RECORD, RECORD),
        (Record(parse_path("/3/0/10"), 1, Type.INTEGER),),
        (Record(PATH, (), Type.MULTIPLE),),
        (Record(PATH, None, Type.NONE),),
    ],
)
def test_anything_else_is_refused(records):
    with pytest.raises(EncodeError):
        single_record(records, Context(PATH))
