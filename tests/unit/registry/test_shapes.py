from dataclasses import replace

from registry.commands import Command, CommandResult, CommandState
from registry.model import Created, Device, DeviceState, DeviceView, EventRow, Refusal, Security
from registry.shapes import (
    describe_answer,
    describe_command,
    describe_created,
    describe_device,
    describe_event,
    describe_registration,
)
from tests.support.registry import make_registration

DEVICE = Device(1, "d-aaaaaaaaaaaaaaaa", "n", Security.PSK, 60, 1_000, sealed_secret=b"sealed")


def test_device_that_never_came_shows_no_connection_and_no_registration():
    assert describe_device(DeviceView(DEVICE, DeviceState.INACTIVE), with_refusals=False) == {
        "device_id": "d-aaaaaaaaaaaaaaaa",
        "node_id": "n",
        "security": "psk",
        "state": "inactive",
        "timeout": 60,
        "created_at": "1970-01-01T00:00:01.000Z",
        "connected_at": None,
        "certificate_sha256": None,
        "public_key_sha256": None,
        "registration": None,
    }


def test_device_that_is_here_with_its_refusals():
    registration = make_registration(DEVICE, "abc", registered_at_ms=2_000)
    view = DeviceView(
        replace(DEVICE, connected_at_ms=2_000),
        DeviceState.ONLINE,
        registration,
        302_000,
        (Refusal(500, "192.0.2.9:1", "unknown"),),
    )
    shape = describe_device(view, with_refusals=True)
    assert shape["connected_at"] == "1970-01-01T00:00:02.000Z"
    assert shape["refused"] == [
        {"at": "1970-01-01T00:00:00.500Z", "address": "192.0.2.9:1", "reason": "unknown"}
    ]
    assert shape["registration"] == {
        "location": "/rd/abc",
        "address": "192.0.2.1:5683",
        "lwm2m": "1.1",
        "binding": "U",
        "lifetime": 300,
        "objects": [
            {"path": "/1/0", "version": None},
            {"path": "/3/0", "version": None},
            {"path": "/5", "version": "1.1"},
        ],
        "registered_at": "1970-01-01T00:00:02.000Z",
        "expires_at": "1970-01-01T00:05:02.000Z",
    }


def test_credentials_are_shown_by_their_digests():
    device = replace(DEVICE, certificate_sha256=b"\x0a" * 32, public_key_sha256=b"\xf0" * 32)
    shape = describe_device(DeviceView(device, DeviceState.INACTIVE), with_refusals=False)
    assert (shape["certificate_sha256"], shape["public_key_sha256"]) == ("0a" * 32, "f0" * 32)


def test_unlimited_registration_has_no_end():
    assert describe_registration(make_registration(DEVICE, lifetime_s=0), None)["expires_at"] is None


def test_created_device_shows_its_secret_in_hex_or_null():
    shape = {"device_id": DEVICE.device_id, "node_id": "n", "security": "psk", "timeout": 60}
    assert describe_created(Created(DEVICE, b"\x00\xab")) == shape | {"secret": "00ab"}
    assert describe_created(Created(DEVICE)) == shape | {"secret": None}


def test_event_has_its_moment_in_utc_and_its_data():
    assert describe_event(EventRow(7, 0, "refused", None, "n", {"reason": "r"})) == {
        "id": 7,
        "at": "1970-01-01T00:00:00.000Z",
        "type": "refused",
        "device_id": None,
        "node_id": "n",
        "data": {"reason": "r"},
    }


def test_command_is_its_answer_and_what_was_asked():
    command = Command(
        4, 1, DEVICE.device_id, "n", "read", ("/3/0/0",), b"", True, CommandState.QUEUED, 0, 60_000
    )
    waiting = dict.fromkeys(("code", "format", "values", "links", "error"))
    assert describe_answer(command) == {"command_id": 4, "state": "queued", **waiting}
    result = CommandResult("2.05", "text", '{"/3/0/0": "Maker"}', '[{"path": "/3"}]', "late")
    answered = replace(command, state=CommandState.ANSWERED, attempts=1, result=result)
    assert describe_command(answered) == {
        "command_id": 4,
        "state": "answered",
        "code": "2.05",
        "format": "text",
        "values": {"/3/0/0": "Maker"},
        "links": [{"path": "/3"}],
        "error": "late",
        "node_id": "n",
        "operation": "read",
        "paths": ["/3/0/0"],
        "created_at": "1970-01-01T00:00:00.000Z",
        "expires_at": "1970-01-01T00:01:00.000Z",
        "attempts": 1,
    }
