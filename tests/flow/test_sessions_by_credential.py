"""Sessions of every kind of credential and protection, through stops and crashes of the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gateway.dtls.cbc import CbcOpener
from gateway.dtls.credential import make_credential
from gateway.dtls.session import Session
from registry.administration import Administration
from registry.model import DeviceState, Security
from registry.sqlite import Database
from tests.support.certificates import DAY_S, NOW_S, authority, credential_of, make, spki_of, write_trust
from tests.support.clock import VirtualClock, virtual_time
from tests.support.gateway import Player, Scene, gateway_in_memory
from tools.simulator.channel import SecureChannel
from tools.simulator.events import Registered, Updated

NODE_ID = "meter-7"
LONG: dict[str, Any] = {"not_after_s": 1000 * DAY_S}
ROOT = authority("Root CA", **LONG)


class Kind(NamedTuple):
    """How the device proves itself, and how its records are protected."""

    security: Security
    suite: int
    encrypts_then_macs: bool = True


KINDS = {
    "psk ccm-8": Kind(Security.PSK, 0xC0A8),
    "psk gcm": Kind(Security.PSK, 0x00A8),
    "psk cbc etm": Kind(Security.PSK, 0x00AE),
    "psk cbc mte": Kind(Security.PSK, 0x00AE, encrypts_then_macs=False),
    "ecdhe-psk cbc mte": Kind(Security.PSK, 0xC037, encrypts_then_macs=False),
    "x509 ccm-8": Kind(Security.X509, 0xC0AE),
    "x509 cbc mte": Kind(Security.X509, 0xC023, encrypts_then_macs=False),
    "rpk ccm-8": Kind(Security.RPK, 0xC0AE),
    "rpk cbc etm": Kind(Security.RPK, 0xC023),
}

STOPS = pytest.mark.parametrize("is_crashing", [False, True], ids=["stop", "crash"])
EACH_KIND = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    return write_trust(tmp_path, ROOT)


def settings(trust: Path, cid_length: int = 8) -> dict[str, Any]:
    return {"dtls": {"trust_dir": trust, "cid_length": cid_length}}


def play(scene: Scene, kind: Kind, **certificate: Any) -> Player:
    """A device of *kind*, created as an administrator would."""
    create = scene.administration.create
    if kind.security is Security.PSK:
        credential: dict[str, Any] = {"psk": create(NODE_ID, Security.PSK).secret}
    elif kind.security is Security.X509:
        create(NODE_ID, Security.X509)
        credential = {"credential": credential_of(ROOT.issue(NODE_ID, **(LONG | certificate)))}
    else:
        device = make()
        create(NODE_ID, Security.RPK, public_key=spki_of(device))
        credential = {"credential": make_credential(device.key)}
    player = scene.join(NODE_ID, lifetime_s=300, **credential)
    channel = player.device._channel
    assert isinstance(channel, SecureChannel)
    channel._config = replace(channel._config, suites=(kind.suite,), encrypt_then_mac=kind.encrypts_then_macs)
    return player


def the_session(scene: Scene) -> Session:
    (session,) = scene.gateway.endpoint.sessions_of(NODE_ID.encode())
    return session


def is_protected_as(session: Session, kind: Kind) -> bool:
    if isinstance(session.opener, CbcOpener):
        return session.opener.encrypt_then_mac is kind.encrypts_then_macs
    return kind.encrypts_then_macs


@EACH_KIND
@STOPS
@pytest.mark.parametrize("cid_length", [8, 0], ids=["cid", "address"])
@virtual_time
async def test_device_goes_on_without_a_handshake_and_keeps_its_registration(
    clock: VirtualClock, tmp_path: Path, trust: Path, kind: Kind, is_crashing: bool, cid_length: int
) -> None:
    config = settings(trust, cid_length)
    async with gateway_in_memory(clock, tmp_path, settings=config, is_crashing=is_crashing) as scene:
        player = await play(scene, kind).registered()
        await asyncio.sleep(1)
        assert is_protected_as(the_session(scene), kind)
        location = player.location
    async with gateway_in_memory(clock, tmp_path, settings=config, network=scene.network) as again:
        assert is_protected_as(the_session(again), kind)
        await again.until(lambda: player.count(Updated) >= 2)
        assert again.gateway.endpoint.counters.handshakes_begun == 0
        assert again.state(NODE_ID) is DeviceState.ONLINE
        assert again.view(NODE_ID).registration.location == location
    assert player.count(Registered) == 1


Change = Callable[[Administration, Path], object]

EVERYBODYS: dict[str, Change] = {
    "frozen": lambda administration, trust: administration.freeze(NODE_ID),
    "deleted": lambda administration, trust: administration.delete(NODE_ID),
    "deleted and created anew": lambda administration, trust: (
        administration.delete(NODE_ID),
        administration.create(NODE_ID, Security.PSK),
    ),
    "frozen and unfrozen": lambda administration, trust: (
        administration.freeze(NODE_ID),
        administration.unfreeze(NODE_ID),
    ),
}
"What takes the credential away while the gateway is down."

LOST: list[tuple[str, str, Change]] = [
    *((kind, what, change) for kind in KINDS for what, change in EVERYBODYS.items()),
    *(
        (kind, "newer secret", lambda administration, trust: administration.reset_secret(NODE_ID))
        for kind in KINDS
        if KINDS[kind].security is Security.PSK
    ),
    *(
        (kind, "lost anchor", lambda administration, trust: (trust / "0.pem").unlink())
        for kind in KINDS
        if KINDS[kind].security is Security.X509
    ),
]


@pytest.mark.parametrize(
    ("kind", "change"),
    [pytest.param(KINDS[kind], change, id=f"{kind}: {what}") for kind, what, change in LOST],
)
@STOPS
@virtual_time
async def test_session_is_not_revived_once_its_credential_is_lost(
    clock: VirtualClock, tmp_path: Path, trust: Path, kind: Kind, change: Change, is_crashing: bool
) -> None:
    async with gateway_in_memory(clock, tmp_path, settings=settings(trust), is_crashing=is_crashing) as scene:
        await play(scene, kind).registered()
        await asyncio.sleep(1)
    with Administration(Database.open(tmp_path / "registry.db"), clock=clock) as administration:
        change(administration, trust)
    await _assert_not_revived(clock, tmp_path, trust)


@pytest.mark.parametrize("kind", [KINDS["x509 ccm-8"], KINDS["x509 cbc mte"]], ids=["ccm-8", "cbc mte"])
@STOPS
@virtual_time
async def test_session_is_not_revived_once_its_certificate_has_expired(
    clock: VirtualClock, tmp_path: Path, trust: Path, kind: Kind, is_crashing: bool
) -> None:
    async with gateway_in_memory(clock, tmp_path, settings=settings(trust), is_crashing=is_crashing) as scene:
        await play(scene, kind, not_after_s=clock.wall_ms() // 1000 + 100 - NOW_S).registered()
        await asyncio.sleep(1)
    await asyncio.sleep(200)
    await _assert_not_revived(clock, tmp_path, trust)


async def _assert_not_revived(clock: VirtualClock, folder: Path, trust: Path) -> None:
    """Not as a session, not by its id, and not in the file."""
    async with gateway_in_memory(clock, folder, settings=settings(trust)) as scene:
        assert scene.gateway.endpoint.session_count == 0
        assert scene.gateway.endpoint.resumable_count == 0
    assert NODE_ID.encode() not in (folder / "registry.db.sessions").read_bytes()
