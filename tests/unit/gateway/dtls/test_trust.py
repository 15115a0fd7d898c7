"""Which certificates are accepted, and the reason given for each that is not (CA and leaf policy)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage

from gateway.dtls import trust
from gateway.dtls.certificates import LeafCertificate, NameKind, decode_leaf
from gateway.dtls.refusal import CredentialFault, CredentialRefusal
from gateway.dtls.trust import (
    MAX_CHAIN_BYTES,
    Role,
    TrustAnchors,
    TrustedCertificate,
    verify_chain,
    verify_pinned,
)
from tests.support.certificates import (
    CA,
    DAY_S,
    NOW_S,
    UNKNOWN_EXTENSION,
    Extensions,
    Issued,
    alternative_names,
    authority,
    common_name,
    key_usage,
    make,
    new_key,
    rsa_key,
)

ROOT = authority("Root CA")
ANCHORS = TrustAnchors([ROOT.der])


def leaf_of(der: bytes) -> LeafCertificate:
    leaf = decode_leaf(der)
    assert isinstance(leaf, LeafCertificate)
    return leaf


def judge(
    issued: Issued | bytes,
    issuers: Sequence[Issued | bytes] = (),
    anchors: TrustAnchors = ANCHORS,
    now_s: float = NOW_S,
    role: Role = Role.CLIENT,
) -> CredentialFault | None:
    """None: trusted."""
    leaf = leaf_of(issued if isinstance(issued, bytes) else issued.der)
    ders = [issuer if isinstance(issuer, bytes) else issuer.der for issuer in issuers]
    verdict = verify_chain(leaf, ders, anchors, now_s, role)
    if isinstance(verdict, CredentialRefusal):
        assert verdict.names == leaf.names
        return verdict.fault
    assert verdict.leaf is leaf
    assert verdict.anchor in anchors.fingerprints
    return None


def with_extension(extension: x509.ExtensionType, *, is_critical: bool = True) -> Issued:
    return ROOT.issue(extensions=((extension, is_critical),))


# --- the leaf


def test_what_is_missing_is_not_held_against_it() -> None:
    assert judge(ROOT.issue()) is None
    assert judge(ROOT.issue(x509.Name([]))) is None


def test_verdict_names_the_anchor() -> None:
    verdict = verify_chain(leaf_of(ROOT.issue().der), (), ANCHORS, NOW_S)
    assert isinstance(verdict, TrustedCertificate)
    assert verdict.anchor == sha256(ROOT.der).digest()


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (("digital_signature",), None),
        (("digital_signature", "key_agreement"), None),
        (("key_agreement",), CredentialFault.KEY_USAGE),
        (("key_encipherment", "content_commitment"), CredentialFault.KEY_USAGE),
    ],
)
@pytest.mark.parametrize("is_critical", [False, True])
def test_key_usage_needs_digital_signature(
    names: tuple[str, ...], fault: CredentialFault | None, is_critical: bool
) -> None:
    assert judge(with_extension(key_usage(*names), is_critical=is_critical)) is fault


@pytest.mark.parametrize(
    ("usages", "as_client", "as_server"),
    [
        ([Usage.CLIENT_AUTH], True, False),
        ([Usage.SERVER_AUTH], False, True),
        ([Usage.SERVER_AUTH, Usage.CLIENT_AUTH], True, True),
        ([Usage.ANY_EXTENDED_KEY_USAGE], True, True),
        ([Usage.CODE_SIGNING], False, False),
    ],
)
@pytest.mark.parametrize("is_critical", [False, True])
def test_extended_key_usage_needs_the_role_or_any(
    usages: list[x509.ObjectIdentifier], as_client: bool, as_server: bool, is_critical: bool
) -> None:
    device = with_extension(x509.ExtendedKeyUsage(usages), is_critical=is_critical)
    for role, is_allowed in ((Role.CLIENT, as_client), (Role.SERVER, as_server)):
        assert judge(device, role=role) is (None if is_allowed else CredentialFault.EXTENDED_KEY_USAGE)


def test_e11_ca_is_no_device_though_it_is_an_anchor_itself() -> None:
    assert judge(ROOT.issue(extensions=CA)) is CredentialFault.IS_CA
    assert judge(ROOT) is CredentialFault.IS_CA
    assert judge(ROOT.issue(extensions=((x509.BasicConstraints(False, None), True),))) is None


def test_e11_unknown_critical_extension_is_refused() -> None:
    assert judge(with_extension(UNKNOWN_EXTENSION)) is CredentialFault.CRITICAL_EXTENSION
    assert judge(with_extension(UNKNOWN_EXTENSION, is_critical=False)) is None
    policies = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3.4"), None)])
    assert judge(with_extension(policies)) is CredentialFault.CRITICAL_EXTENSION


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()], ids=lambda curve: curve.name)
def test_keys_of_p_256_and_p_384_are_fine(curve: ec.EllipticCurve) -> None:
    assert judge(ROOT.issue(key=new_key(curve))) is None


def test_e11_other_keys_are_refused() -> None:
    for key in (rsa_key(), new_key(ec.SECP521R1()), new_key(ec.SECP256K1()), new_key(ec.BrainpoolP256R1())):
        assert judge(ROOT.issue(key=key)) is CredentialFault.KEY_TYPE


def test_worse_than_the_key_is_named_first() -> None:
    assert judge(ROOT.issue(key=rsa_key(), not_after_s=-DAY_S / 2)) is CredentialFault.EXPIRED


def test_e11_outside_its_dates_it_is_refused() -> None:
    device = ROOT.issue(not_before_s=-DAY_S, not_after_s=DAY_S)
    cases = {
        -DAY_S - 1: CredentialFault.NOT_YET_VALID,
        -DAY_S: None,
        DAY_S: None,
        DAY_S + 1: CredentialFault.EXPIRED,
    }
    found = {offset_s: judge(device, now_s=NOW_S + offset_s) for offset_s in cases}
    assert found == cases


def test_version_1_is_refused() -> None:
    device = ROOT.issue()
    assert judge(device.as_version_1(ROOT)) is CredentialFault.VERSION
    assert leaf_of(device.as_version_1(ROOT)).names == ((NameKind.COMMON_NAME, "device-1"),)


# --- the chain


def chain_of(length: int, root: Issued = ROOT, **options: object) -> list[Issued]:
    """A leaf and the CAs above it, without the root: *length* certificates."""
    chain = [root]
    for number in range(length - 1):
        chain.insert(0, chain[0].issue(f"CA {number}", **{"extensions": CA, **options}))
    return [chain[0].issue(), *chain[:-1]]


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_chains_of_four_certificates_reach_the_anchor(length: int) -> None:
    leaf, *issuers = chain_of(length)
    assert judge(leaf, issuers) is None
    assert judge(leaf, issuers[::-1]) is None


def test_anchor_that_is_sent_along_counts_but_does_no_harm() -> None:
    leaf, *issuers = chain_of(3)
    assert judge(leaf, [*issuers, ROOT]) is None
    leaf, *issuers = chain_of(4)
    assert judge(leaf, [*issuers, ROOT]) is CredentialFault.CHAIN_TOO_LONG


def test_longer_chains_are_refused() -> None:
    leaf, *issuers = chain_of(5)
    assert judge(leaf, issuers) is CredentialFault.CHAIN_TOO_LONG


def test_larger_chains_are_refused() -> None:
    leaf = leaf_of(ROOT.issue().der)
    stuffing = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(MAX_CHAIN_BYTES - 1_200))
    big = ROOT.issue("CA big", extensions=(*CA, (stuffing, False)))
    spare = MAX_CHAIN_BYTES - len(big.der)
    assert judge(big.issue(), [big]) is None
    padding = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.5"), bytes(spare))
    assert judge(big.issue(extensions=((padding, False),)), [big]) is CredentialFault.CHAIN_TOO_LONG
    assert leaf.names


def test_unrelated_certificates_in_the_chain_do_no_harm() -> None:
    leaf, issuer = chain_of(2)
    assert judge(leaf, [authority("Stranger"), issuer]) is None


def test_ca_below_the_root_may_be_the_anchor() -> None:
    leaf, issuer = chain_of(2)
    assert judge(leaf, anchors=TrustAnchors([issuer.der])) is None
    assert judge(leaf, [issuer], anchors=TrustAnchors([issuer.der])) is None


def test_leaf_whose_issuer_has_no_readable_name_is_malformed() -> None:
    leaf = leaf_of(authority("Nobody").issue().der.replace(b"Nobody", b"\xff" * 6))
    assert verify_chain(leaf, [], ANCHORS, NOW_S) == CredentialRefusal(CredentialFault.MALFORMED, leaf.names)


def test_unknown_issuers_are_not_trusted() -> None:
    stranger = authority("Stranger")
    assert judge(stranger.issue()) is CredentialFault.UNKNOWN_CA
    assert judge(stranger.issue(), [stranger]) is CredentialFault.UNKNOWN_CA
    assert judge(make()) is CredentialFault.UNKNOWN_CA
    leaf, _ = chain_of(2)
    assert judge(leaf) is CredentialFault.UNKNOWN_CA


def test_without_anchors_nobody_is_trusted() -> None:
    assert judge(ROOT.issue(), anchors=TrustAnchors()) is CredentialFault.UNKNOWN_CA
    assert judge(ROOT.issue(), [ROOT], anchors=TrustAnchors()) is CredentialFault.UNKNOWN_CA


def test_forged_signature_is_not_that_of_the_ca_it_names() -> None:
    assert judge(ROOT.issue(signer=new_key())) is CredentialFault.NOT_FROM_CA
    impostor = authority("Root CA")
    assert judge(impostor.issue(), [impostor]) is CredentialFault.NOT_FROM_CA


@pytest.mark.parametrize(
    ("extensions", "fault"),
    [
        ((), CredentialFault.CA_BASIC_CONSTRAINTS),
        (((x509.BasicConstraints(False, None), True),), CredentialFault.CA_BASIC_CONSTRAINTS),
        ((*CA, (key_usage("digital_signature"), True)), CredentialFault.CA_KEY_USAGE),
        ((*CA, (key_usage("crl_sign"), False)), CredentialFault.CA_KEY_USAGE),
        ((*CA, (UNKNOWN_EXTENSION, True)), CredentialFault.CA_CRITICAL_EXTENSION),
        ((*CA, (key_usage("key_cert_sign"), True)), None),
        ((*CA, (UNKNOWN_EXTENSION, False)), None),
        (((x509.BasicConstraints(True, None), False),), None),
    ],
    ids=[
        "nothing",
        "no CA",
        "no key_cert_sign",
        "crl only",
        "critical",
        "key_cert_sign",
        "unknown",
        "CA only",
    ],
)
def test_cas_need_basic_constraints_and_the_right_key_usage(
    extensions: Extensions, fault: CredentialFault | None
) -> None:
    issuer = ROOT.issue("CA", extensions=extensions)
    assert judge(issuer.issue(), [issuer]) is fault


def test_policy_says_itself_that_a_ca_must_be_one() -> None:
    # The library looks at this before it asks, but does not promise to.
    with pytest.raises(trust._PolicyError, match="basicConstraints"):
        trust._require_ca(None, ROOT.certificate, x509.BasicConstraints(False, None))  # type: ignore[arg-type]


def test_ca_of_version_1_is_refused() -> None:
    issuer = ROOT.issue("CA")
    assert judge(issuer.issue(), [issuer.as_version_1(ROOT)]) is CredentialFault.CA_VERSION


@pytest.mark.parametrize(("begins_s", "ends_s"), [(-2 * DAY_S, -DAY_S), (DAY_S, 2 * DAY_S)])
def test_ca_outside_its_dates_is_refused(begins_s: float, ends_s: float) -> None:
    issuer = ROOT.issue("CA", extensions=CA, not_before_s=begins_s, not_after_s=ends_s)
    assert judge(issuer.issue(), [issuer]) is CredentialFault.CA_NOT_VALID
    root = authority("Old CA", not_before_s=begins_s, not_after_s=ends_s)
    assert judge(root.issue(), anchors=TrustAnchors([root.der])) is CredentialFault.CA_NOT_VALID


def test_ca_that_cannot_be_read_is_refused() -> None:
    leaf, issuer = chain_of(2)
    assert judge(leaf, [issuer, b"no certificate"]) is CredentialFault.CA_MALFORMED
    assert judge(leaf, [issuer.der[:-1]]) is CredentialFault.CA_MALFORMED


def test_path_length_of_a_ca_is_kept() -> None:
    root = authority("Short CA", extensions=((x509.BasicConstraints(True, 0), True),))
    anchors = TrustAnchors([root.der])
    assert judge(root.issue(), anchors=anchors) is None
    leaf, *issuers = chain_of(2, root)
    assert judge(leaf, issuers, anchors=anchors) is CredentialFault.NOT_FROM_CA


def test_name_constraints_of_a_ca_are_kept() -> None:
    constraints = x509.NameConstraints([x509.DNSName("example.org")], None)
    root = authority("Narrow CA", extensions=(*CA, (constraints, True)))
    anchors = TrustAnchors([root.der])
    inside = root.issue(extensions=(alternative_names(x509.DNSName("device.example.org")),))
    outside = root.issue(extensions=(alternative_names(x509.DNSName("device.example.com")),))
    assert judge(inside, anchors=anchors) is None
    assert judge(outside, anchors=anchors) is CredentialFault.NOT_FROM_CA


def test_ring_of_issuers_is_no_chain() -> None:
    one, two = make("one", extensions=CA), make("two", extensions=CA)
    below_two = two.issue("one", key=one.key, extensions=CA)
    below_one = one.issue("two", key=two.key, extensions=CA)
    assert judge(below_two.issue(), [below_two, below_one]) is CredentialFault.UNKNOWN_CA


def test_rsa_and_p_384_may_stand_above_the_leaf() -> None:
    for key in (rsa_key(), new_key(ec.SECP384R1())):
        root = authority("Other CA", key=key)
        assert judge(root.issue(), anchors=TrustAnchors([root.der])) is None


def test_nothing_comes_from_a_ca_with_a_weak_key_or_on_another_curve() -> None:
    for key in (rsa.generate_private_key(65537, 1024), new_key(ec.SECP256K1())):
        ca = authority(key=key)
        assert judge(ca.issue(), anchors=TrustAnchors([ca.der])) is CredentialFault.NOT_FROM_CA


def test_small_faults_of_issuers_are_not_warned_about() -> None:
    with warnings.catch_warnings(action="ignore"):
        country = x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "DEU", _validate=False)
        root = authority(x509.Name([country, *common_name("Odd CA")]))  # type: ignore[arg-type]
        device, stranger = root.issue(), make(issuer=root, signer=new_key())
    anchors = TrustAnchors([root.der])
    assert judge(device, [root], anchors=anchors) is None
    assert judge(stranger, [root], anchors=anchors) is CredentialFault.NOT_FROM_CA


# --- pins


def pinned(shown: Issued, pin: bytes, now_s: float = NOW_S) -> CredentialFault | None:
    leaf = leaf_of(shown.der)
    verdict = verify_pinned(leaf, sha256(pin).digest(), now_s)
    if isinstance(verdict, CredentialRefusal):
        assert verdict.names == leaf.names
        return verdict.fault
    assert verdict == TrustedCertificate(leaf, None)
    return None


def test_pinned_certificate_needs_no_ca_and_no_usage() -> None:
    device = make(extensions=((key_usage("key_agreement"), True), (UNKNOWN_EXTENSION, True)))
    assert pinned(device, device.der) is None


def test_other_certificate_than_the_pinned_one_is_refused() -> None:
    device = make()
    renewed = make(key=device.key)
    assert pinned(renewed, device.der) is CredentialFault.NOT_PINNED
    assert pinned(ROOT.issue(), device.der) is CredentialFault.NOT_PINNED
    assert pinned(device, device.der[:-1]) is CredentialFault.NOT_PINNED


def test_dates_of_a_pinned_certificate_count() -> None:
    device = make()
    assert pinned(device, device.der, NOW_S - 2 * DAY_S) is CredentialFault.NOT_YET_VALID
    assert pinned(device, device.der, NOW_S + 11 * DAY_S) is CredentialFault.EXPIRED


def test_pinned_certificate_whose_key_cannot_be_proved_is_refused() -> None:
    device = make(key=rsa_key())
    assert pinned(device, device.der) is CredentialFault.KEY_TYPE


# --- anchors


def test_only_cas_are_anchors() -> None:
    other = authority("Other CA")
    anchors = TrustAnchors([ROOT.der, make().der, b"junk", other.der, ROOT.der])
    assert len(anchors) == 2
    assert anchors.fingerprints == {sha256(ROOT.der).digest(), sha256(other.der).digest()}
    assert not TrustAnchors([make("CA").as_version_1(ROOT)])


def test_anchors_are_values() -> None:
    other = authority("Other CA")
    assert TrustAnchors([ROOT.der, other.der]) == TrustAnchors([other.der, ROOT.der])
    assert hash(TrustAnchors([ROOT.der])) == hash(ANCHORS)
    assert TrustAnchors([other.der]) != ANCHORS != "anchors"
    assert len(TrustAnchors()) == 0
