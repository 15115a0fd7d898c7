"""Whom a certificate or a raw public key lets in, and what operators read of those whom it does not."""

from __future__ import annotations

from hashlib import sha256

import pytest
from cryptography import x509

from gateway.address import Address
from gateway.credentials.judge import MAX_NAMED, CredentialJudge
from gateway.credentials.standing import Standing
from gateway.dtls.certificates import LeafCertificate, decode_leaf
from gateway.dtls.events import CertificatePresented, CredentialAccepted, RawPublicKeyPresented
from gateway.dtls.rawkeys import RawPublicKey, decode_spki
from gateway.dtls.refusal import CredentialFault, CredentialRefusal
from gateway.dtls.trust import TrustAnchors
from registry.model import Security
from tests.support.certificates import DAY_S, NOW_S, Issued, alternative_names, authority, make, spki_of
from tests.support.clock import VirtualClock
from tests.support.registry import Place

PEER = Address("192.0.2.7", 40_000)
ROOT = authority("Root CA")
ANCHORS = TrustAnchors([ROOT.der])


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path, VirtualClock(wall_ms=round(NOW_S * 1000)))


def show(device: Issued, *issuers: Issued, server_name: bytes | None = None) -> CertificatePresented:
    leaf = decode_leaf(device.der)
    assert isinstance(leaf, LeafCertificate)
    return CertificatePresented(1, leaf, tuple(issuer.der for issuer in issuers), PEER, server_name)


def show_key(device: Issued) -> RawPublicKeyPresented:
    key = decode_spki(spki_of(device))
    assert isinstance(key, RawPublicKey)
    return RawPublicKeyPresented(1, key, PEER)


class Court:
    """A judge, its registry, and what it wrote about those whom it refused."""

    def __init__(self, place, registry, is_revoked=None):
        self.place, self.registry = place, registry
        standing = Standing(registry, lambda: ANCHORS, is_revoked)
        self.judge = CredentialJudge(registry, place.clock, standing, ANCHORS)
        self.refused: list[tuple[str, str]] = []
        registry.on_refusal(lambda node_id, refusal: self.refused.append((node_id, refusal.reason)))

    def fault(self, presented) -> CredentialFault | None:
        is_raw = isinstance(presented, RawPublicKeyPresented)
        verdict = (self.judge.judge_raw_key if is_raw else self.judge.judge_certificate)(presented)
        return verdict.fault if isinstance(verdict, CredentialRefusal) else None


@pytest.fixture
async def court(place):
    place.create("meter-1", Security.X509)
    async with place.registry() as registry:
        yield Court(place, registry)


async def create(court, node_id, security=Security.X509, **values):
    court.place.create(node_id, security, **values)
    await court.registry.poll_changes()


async def test_device_that_a_trusted_certificate_names_comes_until_the_certificate_ends(court) -> None:
    verdict = court.judge.judge_certificate(show(ROOT.issue("meter-1")))
    assert isinstance(verdict, CredentialAccepted)
    assert verdict.identity == b"meter-1"
    assert verdict.expires_at == pytest.approx(court.place.clock.monotonic() + 10 * DAY_S)
    assert court.refused == []


@pytest.mark.parametrize("name", [x509.DNSName("METER-1"), x509.UniformResourceIdentifier("meter-1")])
async def test_name_may_stand_in_the_san(court, name) -> None:
    assert court.fault(show(ROOT.issue("Acme", extensions=[alternative_names(name)]))) is None


async def test_only_dns_names_are_compared_without_case(court) -> None:
    assert court.fault(show(ROOT.issue("METER-1"))) is CredentialFault.NO_DEVICE
    uri = alternative_names(x509.UniformResourceIdentifier("METER-1"))
    assert court.fault(show(ROOT.issue("x", extensions=[uri]))) is CredentialFault.NO_DEVICE


async def test_certificate_of_nobody_is_told_of_under_its_first_name(court) -> None:
    assert court.fault(show(ROOT.issue("meter-9"))) is CredentialFault.NO_DEVICE
    assert court.refused == [("meter-9", "DTLS handshake failed: certificate names no x509 device")]


async def test_device_of_another_kind_is_not_reached_by_a_certificate(court) -> None:
    await create(court, "psk-1", Security.PSK)
    assert court.fault(show(ROOT.issue("psk-1"))) is CredentialFault.NO_DEVICE


async def test_certificate_of_two_devices_is_refused_and_both_know(court) -> None:
    await create(court, "meter-2")
    device = ROOT.issue("meter-1", extensions=[alternative_names(x509.DNSName("meter-2"))])
    assert court.fault(show(device)) is CredentialFault.SEVERAL_DEVICES
    assert [node_id for node_id, _ in court.refused] == ["meter-1", "meter-2"]


async def test_one_certificate_writes_to_few_devices(court) -> None:
    names = [x509.DNSName(f"meter-{number}") for number in range(2, 9)]
    for name in names:
        await create(court, name.value)
    assert court.fault(show(ROOT.issue("meter-1", extensions=[alternative_names(*names)])))
    assert len(court.refused) == MAX_NAMED


async def test_untrusted_certificate_is_noted_with_the_device_that_it_names(court) -> None:
    stranger = authority("Other CA").issue("meter-1")
    assert court.fault(show(stranger)) is CredentialFault.UNKNOWN_CA
    assert court.refused == [("meter-1", "DTLS handshake failed: issuer is not trusted")]


async def test_expired_certificate_is_refused(court) -> None:
    device = ROOT.issue("meter-1", not_after_s=5 * DAY_S)
    assert court.fault(show(device)) is None
    court.place.clock.advance(6 * DAY_S)
    assert court.fault(show(device)) is CredentialFault.EXPIRED


async def test_pinned_certificate_needs_no_ca_and_no_other_will_do(court) -> None:
    device = make("meter-2")
    await create(court, "meter-2", certificate=device.der)
    assert court.fault(show(device)) is None
    assert court.fault(show(ROOT.issue("meter-2"))) is CredentialFault.NOT_PINNED
    assert court.fault(show(make("meter-2"))) is CredentialFault.NOT_PINNED
    court.place.clock.advance(11 * DAY_S)
    assert court.fault(show(device)) is CredentialFault.EXPIRED


async def test_stranger_does_not_learn_who_has_a_pinned_certificate(court) -> None:
    await create(court, "meter-2", certificate=make("meter-2").der)
    alerts = set()
    for name in ("meter-1", "meter-2", "nobody"):
        verdict = court.judge.judge_certificate(show(make(name)))
        assert isinstance(verdict, CredentialRefusal)
        alerts.add(verdict.alert)
    assert len(alerts) == 1
    alerts = {court.judge.judge_certificate(show(authority(name))).alert for name in ("meter-1", "meter-2")}
    assert len(alerts) == 1


async def test_pinned_certificate_of_two_devices_is_refused(court) -> None:
    device = make("meter-1", extensions=[alternative_names(x509.DNSName("meter-2"))])
    await create(court, "meter-2", certificate=device.der)
    assert court.fault(show(device)) is CredentialFault.SEVERAL_DEVICES


async def test_frozen_device_is_refused_in_the_same_words_as_others(court) -> None:
    with court.place.administration() as administration:
        administration.freeze("meter-1")
    await court.registry.poll_changes()
    assert court.fault(show(ROOT.issue("meter-1"))) is CredentialFault.FROZEN
    assert court.refused == [("meter-1", "device is frozen")]


async def test_anchors_of_the_moment_count(court) -> None:
    device = ROOT.issue("meter-1")
    court.judge.anchors = TrustAnchors()
    assert court.fault(show(device)) is CredentialFault.UNKNOWN_CA
    court.judge.anchors = ANCHORS
    assert court.fault(show(device)) is None


async def test_issuers_that_come_along_lead_to_the_anchor(court) -> None:
    between = authority("Between", issuer=ROOT)
    assert court.fault(show(between.issue("meter-1"))) is CredentialFault.UNKNOWN_CA
    assert court.fault(show(between.issue("meter-1"), between)) is None


async def test_revocation_check_has_the_last_word_and_knows_the_server_name(place) -> None:
    asked = []

    def is_revoked(certificate_sha256, server_name):
        asked.append((certificate_sha256, server_name))
        return server_name == b"old.example"

    place.create("meter-1", Security.X509)
    device = ROOT.issue("meter-1")
    async with place.registry() as registry:
        court = Court(place, registry, is_revoked=is_revoked)
        assert court.fault(show(device)) is None
        assert court.fault(show(device, server_name=b"old.example")) is CredentialFault.REVOKED
        assert court.fault(show(ROOT.issue("nobody"))) is CredentialFault.NO_DEVICE
    digest = sha256(device.der).digest()
    assert asked == [(digest, None), (digest, b"old.example")]


async def test_raw_public_key_is_that_of_its_device(court) -> None:
    device = make()
    await create(court, "meter-3", Security.RPK, public_key=spki_of(device))
    verdict = court.judge.judge_raw_key(show_key(device))
    assert isinstance(verdict, CredentialAccepted)
    assert (verdict.identity, verdict.expires_at) == (b"meter-3", None)
    with court.place.administration() as administration:
        administration.freeze("meter-3")
    await court.registry.poll_changes()
    assert court.fault(show_key(device)) is CredentialFault.FROZEN
    assert court.refused == [("meter-3", "device is frozen")]


async def test_unknown_raw_public_key_is_told_of_by_its_digest(court) -> None:
    stranger = make()
    assert court.fault(show_key(stranger)) is CredentialFault.RAW_KEY_UNKNOWN
    digest = sha256(spki_of(stranger)).hexdigest()
    assert court.refused == [(f"sha256:{digest}", "DTLS handshake failed: raw public key is no device's")]


async def test_certificate_without_names_is_told_of_without_one(court) -> None:
    court.judge.report(CredentialFault.MALFORMED, (), str(PEER))
    assert court.refused == [("", "DTLS handshake failed: certificate cannot be read")]


async def test_chain_that_was_accepted_is_judged_anew_by_other_anchors(court) -> None:
    shown = show(ROOT.issue("meter-1"))
    assert court.fault(shown) is None
    assert court.fault(shown) is None
    court.judge.anchors = TrustAnchors()
    assert court.fault(shown) is CredentialFault.UNKNOWN_CA
