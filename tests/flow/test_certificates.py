"""Devices with certificates and raw public keys: who comes in, who does not, and what operators read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.dtls.credential import Credential, make_credential
from registry.model import DeviceState, Security
from tests.support.certificates import (
    CA,
    DAY_S,
    NOW_S,
    Issued,
    alternative_names,
    authority,
    credential_of,
    key_usage,
    make,
    new_key,
    spki_of,
    write_trust,
)
from tests.support.clock import VirtualClock, virtual_time
from tests.support.gateway import Player, Scene, gateway_in_memory
from tools.simulator.events import AttemptFailed

LONG: dict[str, Any] = {"not_after_s": 1000 * DAY_S}
ROOT = authority("Root CA", **LONG)
X509 = Security.X509
FAILED = "DTLS handshake failed: "


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    return write_trust(tmp_path, ROOT)


@asynccontextmanager
async def trusting(clock: VirtualClock, trust: Path, *node_ids: str) -> AsyncIterator[Scene]:
    """A gateway that trusts `ROOT` and knows these devices, whose certificates it has yet to see."""
    settings = {"dtls": {"trust_dir": trust}}
    async with gateway_in_memory(clock, trust.parent, settings=settings) as scene:
        for node_id in node_ids:
            scene.administration.create(node_id, X509)
        yield scene


def join(
    scene: Scene, node_id: str, device: Issued | Credential, *issuers: Issued, **settings: Any
) -> Player:
    credential = device if isinstance(device, Credential) else credential_of(device, *issuers)
    return scene.join(node_id, credential=credential, retries=0, **settings)


async def refused(scene: Scene, player: Player, shown_of: str = "") -> str:
    """The reason that operators read once *player* has been turned away."""
    await scene.until(player.is_over)
    await scene.until(lambda: scene.reasons(shown_of or player.node_id))
    return scene.reasons(shown_of or player.node_id)[-1]


@virtual_time
async def test_device_with_a_certificate_of_a_trusted_ca_registers(clock: VirtualClock, trust) -> None:
    async with trusting(clock, trust, "meter-7") as scene:
        player = await join(scene, "meter-7", ROOT.issue("meter-7", **LONG)).registered()
        assert scene.state("meter-7") is DeviceState.ONLINE
        registration = scene.registry.find_registration(player.location)
        assert registration is not None
        assert registration.identity == "meter-7"


@virtual_time
async def test_chain_may_have_a_ca_between(clock: VirtualClock, trust) -> None:
    between = authority("Between", issuer=ROOT, **LONG)
    async with trusting(clock, trust, "meter-7") as scene:
        await join(scene, "meter-7", between.issue("meter-7", **LONG), between).registered()


@virtual_time
async def test_node_id_without_ep_is_that_of_the_device_which_the_certificate_names(
    clock: VirtualClock, trust
) -> None:
    names = alternative_names(x509.DNSName("meter-7.example"))
    async with trusting(clock, trust, "Meter-7.Example") as scene:
        await join(
            scene, "anything", ROOT.issue("Acme", extensions=[names], **LONG), has_ep=False
        ).registered()
        assert scene.state("Meter-7.Example") is DeviceState.ONLINE


@virtual_time
async def test_ep_of_another_device_is_refused(clock: VirtualClock, trust) -> None:
    async with trusting(clock, trust, "meter-7", "meter-8") as scene:
        player = join(scene, "meter-8", ROOT.issue("meter-7", **LONG))
        assert "ep is meter-8" in await refused(scene, player, "meter-7")
        assert scene.state("meter-8") is DeviceState.INACTIVE
        assert [event.reason for event in player.events if isinstance(event, AttemptFailed)] == ["4.03"]


@virtual_time
async def test_pinned_certificate_needs_no_ca(clock: VirtualClock, tmp_path) -> None:
    device = make("meter-7", **LONG)
    async with gateway_in_memory(clock, tmp_path) as scene:
        scene.administration.create("meter-7", X509, certificate=device.der)
        await join(scene, "meter-7", device).registered()


@virtual_time
async def test_no_other_certificate_than_the_pinned_one_is_accepted(clock: VirtualClock, trust) -> None:
    async with trusting(clock, trust) as scene:
        scene.administration.create("meter-7", X509, certificate=make("meter-7", **LONG).der)
        player = join(scene, "meter-7", ROOT.issue("meter-7", **LONG))
        assert await refused(scene, player) == FAILED + "certificate is not the pinned one"


NOT_ACCEPTED = {
    "another name": (lambda: ROOT.issue("meter-8", **LONG), None),
    "untrusted": (lambda: authority("Other", **LONG).issue("meter-7", **LONG), "issuer is not trusted"),
    "self-signed": (lambda: make("meter-7", **LONG), "issuer is not trusted"),
    "expired": (lambda: ROOT.issue("meter-7"), "certificate has expired"),
    "not yet valid": (
        lambda: ROOT.issue("meter-7", not_before_s=900 * DAY_S, **LONG),
        "certificate is not valid yet",
    ),
    "of a CA": (lambda: ROOT.issue("meter-7", extensions=CA, **LONG), "certificate is that of a CA"),
    "no digitalSignature": (
        lambda: ROOT.issue("meter-7", extensions=[(key_usage("key_agreement"), True)], **LONG),
        "key usage without digitalSignature",
    ),
    "for servers": (
        lambda: ROOT.issue(
            "meter-7", extensions=[(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)], **LONG
        ),
        "extended key usage without the role",
    ),
}


@pytest.mark.parametrize("case", NOT_ACCEPTED)
@virtual_time
async def test_certificate_that_is_not_accepted_says_why_to_the_operator(
    clock: VirtualClock, trust, case: str
) -> None:
    issue, reason = NOT_ACCEPTED[case]
    async with trusting(clock, trust, "meter-7") as scene:
        player = join(scene, "meter-7", issue())
        if reason is None:
            await scene.until(player.is_over)
            assert scene.reasons("meter-7") == []
            assert [fact.node_id for fact in scene.facts("refused")] == ["meter-8"]
        else:
            assert await refused(scene, player) == FAILED + reason
        assert scene.state("meter-7") is DeviceState.INACTIVE


@virtual_time
async def test_certificate_of_version_1_is_refused(clock: VirtualClock, trust) -> None:
    device = ROOT.issue("meter-7", **LONG)
    credential = make_credential(device.key)._replace(chain=(device.as_version_1(ROOT),))
    async with trusting(clock, trust, "meter-7") as scene:
        assert await refused(scene, join(scene, "meter-7", credential)) == (
            FAILED + "certificate is not of version 3"
        )


@virtual_time
async def test_ca_without_basic_constraints_issues_nothing(clock: VirtualClock, trust) -> None:
    no_ca = make("No CA", issuer=ROOT, **LONG)
    async with trusting(clock, trust, "meter-7") as scene:
        player = join(scene, "meter-7", no_ca.issue("meter-7", **LONG), no_ca)
        assert await refused(scene, player) == FAILED + "CA certificate without basicConstraints CA:true"


@virtual_time
async def test_certificate_of_two_devices_is_refused_and_both_are_told(clock: VirtualClock, trust) -> None:
    names = alternative_names(x509.DNSName("meter-8"))
    async with trusting(clock, trust, "meter-7", "meter-8") as scene:
        player = join(scene, "meter-7", ROOT.issue("meter-7", extensions=[names], **LONG))
        assert await refused(scene, player) == FAILED + "certificate names several devices"
        assert scene.reasons("meter-8") == [FAILED + "certificate names several devices"]


@virtual_time
async def test_certificate_without_its_key_is_refused(clock: VirtualClock, trust) -> None:
    stolen = replace(ROOT.issue("meter-7", **LONG), key=new_key())
    credential = make_credential(stolen.key)._replace(chain=(stolen.der,))
    async with trusting(clock, trust, "meter-7") as scene:
        assert await refused(scene, join(scene, "meter-7", credential)) == (
            FAILED + "the private key was not proved"
        )


@virtual_time
async def test_frozen_device_is_refused_and_freezing_ends_its_session(clock: VirtualClock, trust) -> None:
    async with trusting(clock, trust, "meter-7") as scene:
        player = await join(scene, "meter-7", ROOT.issue("meter-7", **LONG)).registered()
        scene.administration.freeze("meter-7")
        assert await refused(scene, player) == "device is frozen"
        assert scene.gateway.endpoint.session_count == 0


@virtual_time
async def test_session_ends_with_its_certificate(clock: VirtualClock, trust) -> None:
    device = ROOT.issue("meter-7", not_after_s=clock.wall_ms() // 1000 + 100 - NOW_S)
    async with trusting(clock, trust, "meter-7") as scene:
        await join(scene, "meter-7", device, lifetime_s=86_400).registered()
        assert scene.gateway.endpoint.session_count == 1
        left_s = device.certificate.not_valid_after_utc.timestamp() - clock.wall_ms() / 1000
        await asyncio.sleep(left_s - 1)
        assert scene.gateway.endpoint.session_count == 1
        await asyncio.sleep(2)
        assert scene.gateway.endpoint.session_count == 0


@virtual_time
async def test_change_of_the_trust_folder_counts_after_five_seconds(clock: VirtualClock, trust) -> None:
    other = authority("Other CA", **LONG)
    async with trusting(clock, trust, "meter-7", "meter-8") as scene:
        first = await join(scene, "meter-7", ROOT.issue("meter-7", **LONG)).registered()
        (trust / "other.crt").write_bytes(other.der)
        (trust / "0.pem").unlink()
        await join(scene, "meter-8", other.issue("meter-8", **LONG), after_s=5.0).registered()
        late = scene.join(
            "meter-7", credential=credential_of(ROOT.issue("meter-7", **LONG)), retries=0, host="192.0.2.9"
        )
        assert await refused(scene, late) == FAILED + "issuer is not trusted"
        assert first.is_registered()


# Raw public keys


@virtual_time
async def test_device_with_a_known_raw_public_key_registers(clock: VirtualClock, tmp_path) -> None:
    device = make()
    async with gateway_in_memory(clock, tmp_path) as scene:
        scene.administration.create("meter-7", Security.RPK, public_key=spki_of(device))
        player = await join(scene, "meter-7", make_credential(device.key)).registered()
        registration = scene.registry.find_registration(player.location)
        assert registration is not None
        assert registration.identity == "meter-7"


@virtual_time
async def test_unknown_raw_public_key_is_refused_and_told_by_its_digest(
    clock: VirtualClock, tmp_path
) -> None:
    device = make()
    async with gateway_in_memory(clock, tmp_path) as scene:
        await join(scene, "meter-7", make_credential(device.key)).over()
        [fact] = scene.facts("refused")
        assert fact.node_id.startswith("sha256:")
        assert fact.data["reason"] == FAILED + "raw public key is no device's"


@virtual_time
async def test_deleted_device_loses_its_session_and_its_key_is_free(clock: VirtualClock, tmp_path) -> None:
    device = make()
    async with gateway_in_memory(clock, tmp_path) as scene:
        scene.administration.create("meter-7", Security.RPK, public_key=spki_of(device))
        await join(scene, "meter-7", make_credential(device.key)).registered()
        scene.administration.delete("meter-7")
        await scene.until(lambda: scene.gateway.endpoint.session_count == 0)
        scene.administration.create("meter-8", Security.RPK, public_key=spki_of(device))
        await join(scene, "meter-8", make_credential(device.key), host="192.0.2.9").registered()


@virtual_time
async def test_certificate_does_not_stand_for_its_bare_key(clock: VirtualClock, trust) -> None:
    device = ROOT.issue("meter-7", **LONG)
    async with trusting(clock, trust, "meter-7") as scene:
        await join(scene, "meter-7", make_credential(device.key)).over()
        assert scene.state("meter-7") is DeviceState.INACTIVE
