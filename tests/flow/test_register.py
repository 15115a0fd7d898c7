"""Register, from the device to the file (OMA Core TS 1.2 §6.2.1)."""

import pytest

from registry.model import DeviceState, Security
from tests.support.clock import virtual_time
from tests.support.gateway import gateway_in_memory
from tools.simulator.coap import CoapSettings
from tools.simulator.events import AttemptFailed, GaveUp, HandshakeDone, Registered, SessionLost

BOTH = pytest.mark.parametrize("security", [Security.NONE, Security.PSK])


@BOTH
@virtual_time
async def test_device_registers(clock, tmp_path, security):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = scene.play("meter-7", security, lifetime_s=120)
        assert scene.state("meter-7") is DeviceState.INACTIVE
        await scene.until(player.is_registered)

        view = scene.view("meter-7")
        assert view.state is DeviceState.ONLINE
        assert view.device.connected_at_ms is not None
        assert view.registration.location == player.location
        assert view.registration.address == str(player.connection.outside)
        assert view.registration.identity == ("meter-7" if security is Security.PSK else None)
        assert (view.registration.lifetime_s, view.registration.lwm2m, view.registration.binding) == (
            120,
            "1.1",
            "U",
        )
        assert [link.path for link in view.registration.objects.links] == ["/1/0", "/3/0"]
        assert [event.node_id for event in scene.facts("registered")] == ["meter-7"]


@pytest.mark.parametrize("cid", [None, b"", b"\x01\x02\x03\x04"], ids=["no-cid", "zero-cid", "own-cid"])
@virtual_time
async def test_security_device_registers_with_any_kind_of_connection_id(clock, tmp_path, cid):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await scene.play("meter-7", Security.PSK, cid=cid).registered()
        assert [type(event) for event in player.events] == [HandshakeDone, Registered]


@pytest.mark.parametrize(
    ("version", "is_queue_mode", "binding"),
    [("1.0", False, "U"), ("1.0", True, "UQ"), ("1.1", True, "UQ"), ("1.2", False, "U"), ("1.2", True, "UQ")],
)
@virtual_time
async def test_each_version_registers_with_its_own_spelling_of_queue_mode(
    clock, tmp_path, version, is_queue_mode, binding
):
    async with gateway_in_memory(clock, tmp_path) as scene:
        await scene.play("meter-7", lwm2m=version, is_queue_mode=is_queue_mode).registered()
        registration = scene.view("meter-7").registration
        assert (registration.lwm2m, registration.binding) == (version, binding)


@virtual_time
async def test_security_device_may_leave_its_name_to_its_identity(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path) as scene:
        await scene.play("meter-7", Security.PSK, has_ep=False).registered()
        assert scene.state("meter-7") is DeviceState.ONLINE


@BOTH
@virtual_time
async def test_long_object_list_comes_block_by_block(clock, tmp_path, security):
    objects = "</1/0>,</3/0>," + ",".join(f"</3303/{instance}>" for instance in range(400))
    async with gateway_in_memory(clock, tmp_path) as scene:
        await scene.play(
            "meter-7", security, objects=objects, coap=CoapSettings(block_exponent=4)
        ).registered()
        assert len(scene.view("meter-7").registration.objects.links) == 402
        assert len(scene.facts("registered")) == 1


@virtual_time
async def test_unknown_device_is_refused_over_plain_coap_and_gives_up(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await scene.join("stranger").over()
        assert player.count(AttemptFailed) == 6
        assert player.events[-2] == GaveUp("registering", "4.03")
        assert {event.node_id for event in scene.facts("refused")} == {"stranger"}


@virtual_time
async def test_security_device_over_plain_coap_hears_what_an_unknown_one_hears(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path) as scene:
        scene.administration.create("meter-7", Security.PSK)
        player = await scene.join("meter-7").over()
        assert player.events[-2] == GaveUp("registering", "4.03")
        assert set(scene.reasons("meter-7")) == {"wrong kind of security: security psk over plain CoAP"}


@virtual_time
async def test_wrong_key_is_answered_by_silence_and_shown_to_the_operator(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path) as scene:
        scene.administration.create("meter-7", Security.PSK)
        player = await scene.join("meter-7", psk=b"\x00" * 16).over()
        assert player.events[-2] == GaveUp("handshaking", "no answer")
        *_, refusal = scene.view("meter-7").refusals
        assert refusal.reason == "DTLS handshake failed: wrong key"
        assert refusal.address == str(player.connection.outside)


@virtual_time
async def test_unknown_identity_is_answered_by_the_same_silence(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await scene.join("stranger", psk=b"\x00" * 16).over()
        assert player.events[-2] == GaveUp("handshaking", "no answer")
        assert {event.node_id for event in scene.facts("refused")} == {"stranger"}


@virtual_time
async def test_plain_device_cannot_come_over_dtls(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path) as scene:
        scene.administration.create("meter-7", Security.NONE)
        player = await scene.join("meter-7", psk=b"\x00" * 16).over()
        assert player.count(Registered) == 0
        assert scene.state("meter-7") is DeviceState.INACTIVE


@BOTH
@virtual_time
async def test_frozen_device_is_refused(clock, tmp_path, security):
    async with gateway_in_memory(clock, tmp_path) as scene:
        created = scene.administration.create("meter-7", security)
        scene.administration.freeze("meter-7")
        player = await scene.join("meter-7", psk=created.secret).over()
        assert player.count(HandshakeDone) + player.count(Registered) == 0
        view = scene.view("meter-7")
        assert view.state is DeviceState.FROZEN
        assert view.refusals[-1].reason == "device is frozen"


@BOTH
@virtual_time
async def test_newest_registration_wins_and_the_old_location_is_unknown(clock, tmp_path, security):
    async with gateway_in_memory(clock, tmp_path) as scene:
        first = await scene.play("meter-7", security).registered()
        second = await scene.join("meter-7", psk=first.device.settings.psk).registered()
        assert first.location != second.location
        assert scene.view("meter-7").registration.location == second.location
        assert scene.registry.find_registration(first.location) is None

        second.device.location = first.device.location
        second.update()
        await scene.until(lambda: second.count(Registered) == 2)
        assert AttemptFailed("updating", "4.04") in second.events


@virtual_time
async def test_older_session_of_an_identity_ends_in_silence(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path) as scene:
        first = await scene.play("meter-7", Security.PSK).registered()
        second = await scene.join("meter-7", psk=first.device.settings.psk).registered()
        assert scene.gateway.endpoint.session_count == 1

        first.update()
        await scene.until(lambda: first.count(AttemptFailed))
        assert first.events[-1] == AttemptFailed("updating", "no answer")
        assert first.count(SessionLost) == 0
        assert second.is_registered()


@BOTH
@virtual_time
async def test_identity_of_another_device_cannot_be_taken(clock, tmp_path, security):
    async with gateway_in_memory(clock, tmp_path) as scene:
        owner = await scene.play("meter-7", security).registered()
        thief = await scene.play("thief", Security.PSK, has_ep=False, parameters=("ep=meter-7",)).over()
        assert thief.events[-2] == GaveUp("registering", "4.03")
        assert scene.view("meter-7").registration.location == owner.location
