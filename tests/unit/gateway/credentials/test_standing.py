"""`gateway.credentials.standing`: what a session rests on, and when that no longer holds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.credentials.standing import Standing
from gateway.dtls.certificates import LeafCertificate, decode_leaf
from gateway.dtls.trust import TrustAnchors, TrustedCertificate
from registry.administration import Administration
from registry.model import Security
from tests.support.certificates import authority
from tests.support.clock import VirtualClock
from tests.support.registry import Place

ROOT = authority("Root CA")
ANCHORS = TrustAnchors([ROOT.der])
(FINGERPRINT,) = ANCHORS.fingerprints
LEAF = decode_leaf(ROOT.issue("meter-1").der)
assert isinstance(LEAF, LeafCertificate)


@pytest.fixture
async def place(tmp_path):
    place = Place(tmp_path, VirtualClock())
    place.create("meter-1", Security.PSK)
    return place


async def test_credential_holds_while_nothing_changes(place) -> None:
    async with place.registry() as registry:
        standing = Standing(registry, TrustAnchors)
        credential = standing.of_identity(b"meter-1")
        assert credential
        assert standing.holds(b"meter-1", credential)
        assert not standing.holds(b"meter-1", b"")
        assert not standing.holds(b"meter-2", credential)
        assert not standing.holds(b"\xff", credential)
        assert standing.of_identity(b"nobody") == b""


def delete_and_create(administration: Administration) -> None:
    administration.delete("meter-1")
    administration.create("meter-1")


@pytest.mark.parametrize(
    "change",
    [
        lambda administration: administration.freeze("meter-1"),
        lambda administration: administration.reset_secret("meter-1"),
        delete_and_create,
    ],
    ids=["frozen", "new secret", "another device"],
)
async def test_credential_that_was_changed_does_not_hold(
    place, change: Callable[[Administration], object]
) -> None:
    async with place.registry() as registry:
        standing = Standing(registry, TrustAnchors)
        credential = standing.of_identity(b"meter-1")
        with place.administration() as administration:
            change(administration)
        await registry.poll_changes()
        assert not standing.holds(b"meter-1", credential)


async def test_certificate_holds_as_long_as_its_anchor_is_trusted(place) -> None:
    async with place.registry() as registry:
        trusted = Standing(registry, lambda: ANCHORS)
        credential = trusted.of_identity(b"meter-1", TrustedCertificate(LEAF, FINGERPRINT))
        assert trusted.holds(b"meter-1", credential)
        assert not Standing(registry, TrustAnchors).holds(b"meter-1", credential)


@pytest.mark.parametrize("anchor", [None, FINGERPRINT], ids=["pinned", "of a CA"])
async def test_certificate_does_not_hold_once_it_is_revoked(place, anchor: bytes | None) -> None:
    revoked: set[bytes] = set()
    async with place.registry() as registry:
        standing = Standing(registry, lambda: ANCHORS, lambda digest, server_name: digest in revoked)
        credential = standing.of_identity(b"meter-1", TrustedCertificate(LEAF, anchor))
        assert standing.holds(b"meter-1", credential)
        revoked.add(LEAF.sha256)
        assert not standing.holds(b"meter-1", credential)
        assert standing.holds(b"meter-1", standing.of_identity(b"meter-1"))
