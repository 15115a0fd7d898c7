from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.lwm2m.attributes import find_misplaced, format_number, parse_attributes
from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.path import parse_path

VECTORS = json.loads((Path(__file__).parents[3] / "vectors/lwm2m/attributes.json").read_text())["vectors"]


@pytest.mark.parametrize("vector", [pytest.param(vector, id=vector["id"]) for vector in VECTORS])
def test_published_attributes(vector):
    items = vector["text"].split("&")
    if vector["expected"] == "error":
        with pytest.raises(DecodeError):
            parse_attributes(items)
        return
    attributes = parse_attributes(items)
    assert dict(attributes.changes) == vector["expected"]
    assert list(attributes.queries()) == items


@pytest.mark.parametrize(
    "items",
    [
        ["pmin=1", "pmin=2"],
        ["max=1"],
        ["pmin=1.5"],
        ["pmin="],
        ["pmin=12345678901"],
        ["gt=1e3"],
        ["gt=.5"],
        ["gt="],
        ["st=-1"],
        ["edge=2"],
        ["con=true"],
        ["hqmax=-1"],
        ["lt=5", "gt=5"],
        ["lt=5", "gt=4"],
        ["lt=20", "gt=30", "st=5"],
        ["epmin=6", "epmax=5"],
        [""],
    ],
)
def test_ill_formed_and_contradictory_ones_are_refused(items):
    with pytest.raises(DecodeError):
        parse_attributes(items)


@pytest.mark.parametrize(
    "items",
    [
        ["lt=-20.5", "gt=-10"],
        ["lt=20", "gt=30.5", "st=5"],
        ["lt=20", "gt=30"],
        ["lt", "gt=5", "st=100"],
        ["pmin=60", "pmax=10"],
        ["epmin=5"],
        ["epmax=5"],
        ["epmin=5", "epmax=6"],
        [],
    ],
)
def test_the_rest_is_taken(items):
    assert list(parse_attributes(items).queries()) == items


def test_changes_are_merged_into_what_holds():
    attributes = parse_attributes(["pmin=5", "gt", "st"])
    assert attributes.merged({"gt": 30.0, "pmax": 60}) == {"pmin": 5, "pmax": 60}


def test_thresholds_belong_to_resources():
    attributes = parse_attributes(["pmin=1", "gt=5"])
    assert find_misplaced(attributes, parse_path("/3303/0")) == "gt"
    assert find_misplaced(attributes, parse_path("/3303/0/5700")) is None
    assert find_misplaced(parse_attributes(["pmin=1"]), parse_path("/3303")) is None


@pytest.mark.parametrize(("number", "text"), [(5, "5"), (5.0, "5"), (42.25, "42.25"), (1e-7, "0.0000001")])
def test_numbers_have_no_exponent(number, text):
    assert format_number(number) == text
