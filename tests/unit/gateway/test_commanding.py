import pytest

from gateway.commanding import make_command
from gateway.lwm2m.model import DeviceModel
from gateway.lwm2m.negotiation import DeviceProfile
from gateway.lwm2m.operationcodec import decode_operation
from gateway.lwm2m.operations import Create, Execute, Read, Write
from gateway.lwm2m.path import parse_path
from gateway.lwm2m.requests import Refusal
from gateway.lwm2m.versions import Version
from gateway.objectmodel import own_model
from registry.commands import NewCommand

OLD = DeviceProfile(Version(1, 0), (), "/", DeviceModel(own_model()))
COMPOSITE = Read((parse_path("/3/0/0"), parse_path("/3/0/1")))


def test_command_carries_the_operation_its_name_and_its_paths():
    made = make_command(COMPOSITE, None, ttl_s=7)
    assert isinstance(made, NewCommand)
    assert (made.operation, made.paths, made.ttl_s) == ("read", ("/3/0/0", "/3/0/1"), 7)
    assert decode_operation(made.request) == COMPOSITE


@pytest.mark.parametrize(
    ("operation", "is_repeatable"),
    [
        (COMPOSITE, True),
        (Execute(parse_path("/3/0/4")), False),
        (Create(parse_path("/1"), ()), False),
        (Write(parse_path("/3/0"), (), is_partial=True), False),
        (Write(parse_path("/3/0"), ()), True),
    ],
)
def test_what_must_not_be_done_twice_is_marked(operation, is_repeatable):
    assert make_command(operation, None, ttl_s=7).is_repeatable is is_repeatable


def test_what_the_device_cannot_have_is_refused():
    assert isinstance(make_command(COMPOSITE, OLD, ttl_s=7), Refusal)
