"""`gateway.workers.results`: an answer as the registry keeps it."""

from __future__ import annotations

import json

import pytest

from gateway.lwm2m.answers import Answer, Response, read_answer
from gateway.lwm2m.model import DeviceModel
from gateway.lwm2m.negotiation import DeviceProfile
from gateway.lwm2m.operations import Create, Discover, Operation, Read
from gateway.lwm2m.path import parse_path
from gateway.lwm2m.versions import Version
from gateway.objectmodel import own_model
from gateway.workers.results import describe_answer

PROFILE = DeviceProfile(Version(1, 1), (), "/", DeviceModel(own_model()))
LINK_FORMAT, SENML_JSON = 40, 110


def answer_to(operation: Operation, response: Response) -> Answer:
    return read_answer(operation, PROFILE, response, is_repeat=False)


def test_values_are_json_by_path() -> None:
    senml = b'[{"bn":"/3/0/","n":"0","vs":"Maker"},{"n":"9","v":80}]'
    result = describe_answer(answer_to(Read((parse_path("/3/0"),)), Response("2.05", SENML_JSON, senml)))
    assert (result.code, result.format, result.links, result.error) == ("2.05", "senml-json", None, None)
    assert json.loads(result.values or "") == {"/3/0/0": "Maker", "/3/0/9": 80}


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 2**53 + 1])
def test_integers_stay_exact(value: int) -> None:
    response = Response("2.05", 0, str(value).encode())
    result = describe_answer(answer_to(Read((parse_path("/3/0/13"),)), response))
    assert result.values == f'{{"/3/0/13": {value}}}'


def test_links_are_json_in_their_order() -> None:
    response = Response("2.05", LINK_FORMAT, b"</3/0>;pmin=10,</3/0/7>;dim=2,</3/0/0>")
    result = describe_answer(answer_to(Discover(parse_path("/3/0")), response))
    assert result.values is None
    assert json.loads(result.links or "") == [
        {"path": "/3/0", "attributes": {"pmin": "10"}},
        {"path": "/3/0/7", "attributes": {"dim": "2"}},
        {"path": "/3/0/0", "attributes": {}},
    ]


def test_created_instance_is_a_link() -> None:
    result = describe_answer(answer_to(Create(parse_path("/16"), ()), Response("2.01", location=("16", "3"))))
    assert json.loads(result.links or "") == [{"path": "/16/3", "attributes": {}}]


def test_refusal_is_told_with_its_reason() -> None:
    response = Response("4.05", None, b"not yours")
    result = describe_answer(answer_to(Read((parse_path("/3/0/0"),)), response))
    assert (result.code, result.values, result.links, result.error) == ("4.05", None, None, "not yours")
