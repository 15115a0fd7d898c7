from __future__ import annotations

import pytest

from gateway.lwm2m import records
from gateway.lwm2m.errors import DecodeError, TooLarge
from gateway.lwm2m.path import ROOT, parse_path
from gateway.lwm2m.records import Collector, Context, Decoded, Misfit, Record, absolute_time_s, newest
from gateway.lwm2m.values import Type, Unfit

PATH = parse_path("/3/0/9")


def collector(types=None):
    return Collector(Context(ROOT, (types or {}).get))


def test_value_is_typed_by_its_definition():
    found = collector({PATH: Type.FLOAT})
    found.add(PATH, 5, 17, Type.INTEGER)
    assert found.finish() == Decoded((Record(PATH, 5.0, Type.FLOAT, 17),))


def test_value_without_a_definition_is_typed_by_its_format():
    found = collector()
    found.add(PATH, 5, None, Type.INTEGER)
    assert found.finish().records == (Record(PATH, 5, Type.INTEGER),)


def test_value_that_does_not_fit_is_left_out_and_the_rest_is_kept():
    found = collector({PATH: Type.INTEGER})
    found.add(PATH, "x", None, Type.STRING)
    found.add(PATH, None, None, Type.NONE)
    found.add(PATH, 1, None, Type.INTEGER)
    found.leave_out(PATH, Unfit("why"))
    decoded = found.finish()
    assert decoded.records == (Record(PATH, 1, Type.INTEGER),)
    assert [misfit.path for misfit in decoded.misfits] == [PATH, PATH, PATH]
    assert decoded.misfits[2] == Misfit(PATH, "why")
    assert decoded.paths() == [PATH] * 4


def test_value_above_resources_is_refused():
    with pytest.raises(DecodeError):
        collector().add(parse_path("/3/0"), 1, None, Type.INTEGER)


def test_number_of_values_is_bounded(monkeypatch):
    monkeypatch.setattr(records, "MAX_RECORDS", 2)
    found = collector()
    found.add(PATH, 1, None, Type.INTEGER)
    found.leave_out(PATH, Unfit("why"))
    with pytest.raises(TooLarge):
        found.add(PATH, 1, None, Type.INTEGER)


def test_small_times_count_from_the_receipt():
    assert absolute_time_s(None, 1_700_000_000) == 1_700_000_000
    assert absolute_time_s(-30, 1_700_000_000) == 1_699_999_970
    assert absolute_time_s(2**28, 1_700_000_000) == 2**28


def test_newest_record_of_a_path_counts():
    other = parse_path("/3/0/10")
    rows = [
        Record(PATH, 1, Type.INTEGER, 1_700_000_010),
        Record(PATH, 2, Type.INTEGER, 1_700_000_000),
        Record(other, 3, Type.INTEGER, 1_700_000_000),
        Record(other, 4, Type.INTEGER),
        Record(other, 5, Type.INTEGER, -10),
    ]
    assert newest(rows) == {PATH: rows[0], other: rows[3]}
    assert newest([*rows, Record(PATH, 6, Type.INTEGER, 1_700_000_010)])[PATH].value == 6


def test_nothing_is_known_without_a_model():
    assert Context(ROOT).find_type(PATH) is None
