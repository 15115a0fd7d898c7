from __future__ import annotations

import pytest

from gateway.lwm2m.formats import Format
from gateway.lwm2m.negotiation import (
    DeviceProfile,
    composite_accept,
    composite_formats,
    create_formats,
    is_single,
    may_be_single,
    read_formats,
    write_formats,
)
from gateway.lwm2m.path import parse_path
from gateway.objectmodel import own_model
from registry.model import ObjectLink, ObjectList, Registration

F = Format


def profile(lwm2m="1.1", *content_formats, root="/"):
    objects = ObjectList((ObjectLink(3, 0),), root, content_formats)
    registration = Registration(
        1, "d-1", "n", "loc", None, "127.0.0.1:1", lwm2m, "U", 60, objects, registered_at_ms=0
    )
    return DeviceProfile.of(registration, own_model())


SINGLE, OPAQUE, MULTIPLE = map(parse_path, ("/3/0/9", "/5/0/0", "/3/0/6"))
INSTANCE, UNKNOWN = map(parse_path, ("/3/0", "/42/0/1"))


def test_profile_is_that_of_the_registration():
    device = profile("1.3", 110, 112, root="/lwm2m")
    assert (str(device.version.minor), device.content_formats, device.root) == ("2", (110, 112), "/lwm2m")
    assert device.model.find_object(3).name == "Device"


def test_number_of_values_is_known_from_the_definition():
    model = profile().model
    assert is_single(SINGLE, model)
    assert is_single(parse_path("/3/0/6/0"), model)
    assert not is_single(MULTIPLE, model)
    assert not is_single(UNKNOWN, model)
    assert may_be_single(UNKNOWN, model)
    assert may_be_single(parse_path("/3/0/6/0"), model)
    assert not may_be_single(MULTIPLE, model)
    assert not may_be_single(INSTANCE, model)


@pytest.mark.parametrize(
    ("path", "device", "first"),
    [
        (SINGLE, profile("1.0"), F.TEXT),
        (SINGLE, profile("1.1"), F.TEXT),
        (SINGLE, profile("1.1", 110), F.SENML_JSON),
        (SINGLE, profile("1.0", 11543), F.OMA_JSON),
        (OPAQUE, profile("1.0"), F.OPAQUE),
        (OPAQUE, profile("1.2", 112), F.OPAQUE),
        (INSTANCE, profile("1.0"), F.TLV),
        (INSTANCE, profile("1.0", 1543), F.OMA_JSON),
        (INSTANCE, profile("1.1"), F.SENML_CBOR),
        (INSTANCE, profile("1.1", 110), F.SENML_JSON),
        (INSTANCE, profile("1.2", 11544), F.LWM2M_CBOR),
        (INSTANCE, profile("1.2", 0, 42, 50), F.SENML_CBOR),
        (MULTIPLE, profile("1.0"), F.TLV),
        (UNKNOWN, profile("1.0"), F.TLV),
        (UNKNOWN, profile("1.1"), F.SENML_CBOR),
    ],
)
def test_read_asks_for_what_version_and_ct_allow(path, device, first):
    choices = read_formats(path, device)
    assert choices[0] is first
    assert choices[-1] is None
    assert len(set(choices)) == len(choices)


@pytest.mark.parametrize(
    ("path", "device", "is_partial", "first"),
    [
        (SINGLE, profile("1.0"), False, F.TEXT),
        (SINGLE, profile("1.1", 112), False, F.SENML_CBOR),
        (OPAQUE, profile("1.1", 112), False, F.OPAQUE),
        (INSTANCE, profile("1.0"), True, F.TLV),
        (INSTANCE, profile("1.1"), False, F.SENML_CBOR),
        (MULTIPLE, profile("1.0"), False, F.TLV),
        (MULTIPLE, profile("1.1"), True, F.SENML_CBOR),
        (UNKNOWN, profile("1.1"), False, F.TEXT),
    ],
)
def test_write_is_sent_in_what_version_and_ct_allow(path, device, is_partial, first):
    choices = write_formats(path, device, is_partial=is_partial)
    assert choices[0] is first
    assert len(set(choices)) == len(choices)


@pytest.mark.parametrize(
    ("path", "device", "first"),
    [
        ("/16", profile("1.0"), F.TLV),
        ("/16", profile("1.1", 110), F.TLV),
        ("/16", profile("1.2"), F.TLV),
        ("/16/1", profile("1.2"), F.SENML_CBOR),
        ("/16/1", profile("1.1"), F.SENML_CBOR),
        ("/16/1", profile("1.0"), F.TLV),
    ],
)
def test_create_without_a_number_is_tlv(path, device, first):
    assert create_formats(parse_path(path), device)[0] is first


def test_composites_are_senml():
    assert composite_formats(profile("1.1")) == [F.SENML_CBOR, F.SENML_JSON]
    assert composite_formats(profile("1.1", 110)) == [F.SENML_JSON, F.SENML_CBOR]
    assert composite_accept(F.SENML_ETCH_JSON) is F.SENML_JSON
    assert composite_accept(F.SENML_ETCH_CBOR) is F.SENML_CBOR
    assert composite_accept(F.LWM2M_CBOR) is F.LWM2M_CBOR
