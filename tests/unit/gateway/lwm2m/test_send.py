from __future__ import annotations

import cbor2
import pytest

from gateway.lwm2m.model import DeviceModel
from gateway.lwm2m.negotiation import DeviceProfile
from gateway.lwm2m.path import parse_path
from gateway.lwm2m.records import Decoded, Record
from gateway.lwm2m.send import RefusedSend, SendRefusal, read_send
from gateway.lwm2m.values import Type
from gateway.lwm2m.versions import Version
from gateway.objectmodel import own_model
from registry.model import ObjectLink, ObjectList

OBJECTS = ObjectList((ObjectLink(3, 0), ObjectLink(3303)), "/lwm2m")
DEVICE = DeviceProfile(Version(1, 1), (), "/lwm2m", DeviceModel.of(own_model(), OBJECTS))
TEMPERATURE = parse_path("/3303/0/5700")


def send(payload, content_format=112):
    return read_send(content_format, payload, DEVICE, OBJECTS)


@pytest.mark.parametrize(
    ("content_format", "payload"),
    [
        (110, b'[{"bn":"/3303/0/","n":"5700","v":21}]'),
        (110, b'[{"n":"/lwm2m/3303/0/5700","v":21.0}]'),
        (112, cbor2.dumps([{0: "/3303/0/5700", 2: 21}])),
        (11544, cbor2.dumps({(3303, 0, 5700): 21})),
    ],
)
def test_values_of_registered_objects_are_read(content_format, payload):
    assert send(payload, content_format) == Decoded((Record(TEMPERATURE, 21.0, Type.FLOAT),))


def test_value_that_does_not_fit_is_left_out():
    decoded = send(cbor2.dumps([{0: "/3303/0/5700", 3: "warm"}, {0: "/3/0/9", 2: 5}]))
    assert isinstance(decoded, Decoded)
    assert [str(record.path) for record in decoded.records] == ["/3/0/9"]
    assert [str(misfit.path) for misfit in decoded.misfits] == ["/3303/0/5700"]


@pytest.mark.parametrize(
    ("content_format", "payload", "reason"),
    [
        (None, b"x", SendRefusal.NO_VALUE_FORMAT),
        (0, b"x", SendRefusal.NO_VALUE_FORMAT),
        (11542, b"", SendRefusal.NO_VALUE_FORMAT),
        (322, b"\x80", SendRefusal.NO_VALUE_FORMAT),
        (50, b"[]", SendRefusal.NO_VALUE_FORMAT),
        (112, b"\xff", SendRefusal.UNDECODABLE),
        (112, b"", SendRefusal.UNDECODABLE),
        (112, b"\x80", SendRefusal.EMPTY),
        (11544, b"\xa0", SendRefusal.EMPTY),
        (112, cbor2.dumps([{0: "/3303/0/5700", 3: "warm"}]), SendRefusal.UNDECODABLE),
        (112, cbor2.dumps([{0: "/3/0/9", 2: 5}, {0: "/6/0/0", 2: 5}]), SendRefusal.UNREGISTERED_OBJECT),
        (112, cbor2.dumps([{0: "/3/0/9", 2: 5}, {0: "/6/0/0", 3: "x"}]), SendRefusal.UNREGISTERED_OBJECT),
    ],
)
def test_nothing_is_kept_of_the_rest(content_format, payload, reason):
    refused = send(payload, content_format)
    assert isinstance(refused, RefusedSend)
    assert refused.reason is reason
