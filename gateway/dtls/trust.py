"""Whether a peer's certificate is trusted: by a chain to an anchor, or because it is the pinned one.

The decision on a chain is that of `cryptography.x509.verification` under the policies below; when it
says no, `_explain` looks for the reason that an operator can act upon. Knows no devices. Anchors and
the time are arguments: `TrustAnchors` never changes, its owner takes a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from hashlib import sha256
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from gateway.dtls.certificates import (
    UNREADABLE,
    LeafCertificate,
    dates_fault,
    dates_of,
    is_ca,
    read_certificate,
    unwarned,
)
from gateway.dtls.refusal import CredentialFault, CredentialRefusal

MAX_CHAIN_CERTIFICATES: Final = 4
MAX_CHAIN_BYTES: Final = 8_192


class Role(Enum):
    """Whose certificate it is, and which extended key usage that takes, if the certificate has any."""

    CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
    SERVER = ExtendedKeyUsageOID.SERVER_AUTH


class TrustAnchors:
    """CA certificates that need no issuer. A value: equal for the same certificates."""

    __slots__ = ("_builders", "_dates", "_fingerprints", "fingerprints")

    def __init__(self, certificates: Iterable[bytes] = ()) -> None:
        """*certificates* in DER; those that are no CA's, or cannot be read, are no anchors."""
        self._fingerprints: dict[x509.Certificate, bytes] = {}
        for der in certificates:
            anchor = read_certificate(der)
            if anchor is not None and is_ca(anchor):
                self._fingerprints[anchor] = sha256(der).digest()
        self._dates = {digest: dates_of(anchor) for anchor, digest in self._fingerprints.items()}
        self._builders = _make_builders(list(self._fingerprints)) if self._fingerprints else {}
        self.fingerprints = frozenset(self._dates)
        "SHA-256 of each, by which a session remembers what it was trusted for."

    def __len__(self) -> int:
        return len(self._fingerprints)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TrustAnchors) and self.fingerprints == other.fingerprints

    def __hash__(self) -> int:
        return hash(self.fingerprints)

    def find_policy(self, role: Role) -> PolicyBuilder | None:
        """All that verifies certificates for *role* but the time; None when there are no anchors."""
        return self._builders.get(role)

    def dates(self, fingerprint: bytes) -> tuple[float, float]:
        """First and last second of the anchor with this fingerprint."""
        return self._dates[fingerprint]

    def fingerprint_of(self, anchor: x509.Certificate) -> bytes:
        """Of one of the anchors."""
        return self._fingerprints[anchor]

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """Each once, in the order in which they were given."""
        return tuple(self._fingerprints)


class TrustedCertificate(NamedTuple):
    """A certificate that was accepted, and what must stay so while its session lives."""

    leaf: LeafCertificate
    anchor: bytes | None
    "Fingerprint of the anchor; None: it is pinned."


def verify_chain(
    leaf: LeafCertificate,
    issuers: Sequence[bytes],
    anchors: TrustAnchors,
    now_s: float,
    role: Role = Role.CLIENT,
) -> TrustedCertificate | CredentialRefusal:
    """Judge *leaf*, which came with *issuers* behind it, in any order."""
    fault = _size_fault(leaf, issuers)
    parsed = [read_certificate(der) for der in issuers]
    readable = [issuer for issuer in parsed if issuer is not None]
    if fault is None and len(readable) < len(parsed):
        fault = CredentialFault.CA_MALFORMED
    if fault is not None:
        return CredentialRefusal(fault, leaf.names)
    chain = None
    if leaf.public_key is not None:
        chain = _build_chain(leaf, readable, anchors, now_s, role)
    if chain is None:
        return CredentialRefusal(_explain(leaf, readable, anchors, now_s, role), leaf.names)
    return TrustedCertificate(leaf, anchors.fingerprint_of(chain[-1]))


def verify_pinned(
    leaf: LeafCertificate, pinned_sha256: bytes, now_s: float
) -> TrustedCertificate | CredentialRefusal:
    """Judge *leaf* where exactly one is expected, by its SHA-256: that and dates decide, no CA does."""
    fault = leaf.dates_fault(now_s) if leaf.sha256 == pinned_sha256 else CredentialFault.NOT_PINNED
    if fault is None and leaf.public_key is None:
        fault = CredentialFault.KEY_TYPE
    return TrustedCertificate(leaf, None) if fault is None else CredentialRefusal(fault, leaf.names)


def _size_fault(leaf: LeafCertificate, issuers: Sequence[bytes]) -> CredentialFault | None:
    size_bytes = len(leaf.der) + sum(map(len, issuers))
    if 1 + len(issuers) > MAX_CHAIN_CERTIFICATES or size_bytes > MAX_CHAIN_BYTES:
        return CredentialFault.CHAIN_TOO_LONG
    return None


# --- the decision


def _build_chain(
    leaf: LeafCertificate,
    issuers: list[x509.Certificate],
    anchors: TrustAnchors,
    now_s: float,
    role: Role,
) -> list[x509.Certificate] | None:
    policy = anchors.find_policy(role)
    if policy is None:
        return None
    moment = leaf.parsed.not_valid_before_utc
    verifier = policy.time(moment.fromtimestamp(now_s, moment.tzinfo)).build_client_verifier()
    try:
        return verifier.verify(leaf.parsed, issuers).chain
    except (VerificationError, *UNREADABLE):
        return None


class _PolicyError(Exception):
    """How a validator says no; the verifier turns it into its own."""


def _require_no_ca(
    policy: Policy, certificate: x509.Certificate, basic: x509.BasicConstraints | None
) -> None:
    if basic is not None and basic.ca:
        raise _PolicyError(CredentialFault.IS_CA)


def _require_signing(policy: Policy, certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.digital_signature:
        raise _PolicyError(CredentialFault.KEY_USAGE)


def _require_ca(policy: Policy, certificate: x509.Certificate, basic: x509.BasicConstraints) -> None:
    if not basic.ca:
        raise _PolicyError(CredentialFault.CA_BASIC_CONSTRAINTS)


def _require_issuing(policy: Policy, certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise _PolicyError(CredentialFault.CA_KEY_USAGE)


def _leaf_policy(role: Role) -> ExtensionPolicy:
    def require_role(
        policy: Policy, certificate: x509.Certificate, usages: x509.ExtendedKeyUsage | None
    ) -> None:
        if usages is not None and not _allows(usages, role):
            raise _PolicyError(CredentialFault.EXTENDED_KEY_USAGE)

    return (
        ExtensionPolicy.permit_all()
        .may_be_present(x509.BasicConstraints, Criticality.AGNOSTIC, _require_no_ca)
        .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _require_signing)
        .may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, require_role)
    )


def _allows(usages: Iterable[ObjectIdentifier], role: Role) -> bool:
    return any(usage in (role.value, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE) for usage in usages)


_LEAF_POLICIES: Final = {role: _leaf_policy(role) for role in Role}
_CA_POLICY: Final = (
    ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, _require_ca)
    .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _require_issuing)
)


def _make_builders(anchors: list[x509.Certificate]) -> dict[Role, PolicyBuilder]:
    common = PolicyBuilder().store(Store(anchors)).max_chain_depth(MAX_CHAIN_CERTIFICATES - 1)
    return {
        role: common.extension_policies(ca_policy=_CA_POLICY, ee_policy=leaf_policy)
        for role, leaf_policy in _LEAF_POLICIES.items()
    }


_UNDERSTOOD: Final = frozenset(
    extension.oid
    for extension in (
        x509.AuthorityInformationAccess,
        x509.AuthorityKeyIdentifier,
        x509.BasicConstraints,
        x509.ExtendedKeyUsage,
        x509.KeyUsage,
        x509.NameConstraints,
        x509.SubjectAlternativeName,
        x509.SubjectKeyIdentifier,
    )
)
"What the verifier takes account of; any other extension must not be critical."


# --- the explanation


def _explain(
    leaf: LeafCertificate,
    issuers: list[x509.Certificate],
    anchors: TrustAnchors,
    now_s: float,
    role: Role,
) -> CredentialFault:
    """Why no chain could be built: first what is wrong with the leaf, then with those above it."""
    with unwarned():
        fault = _leaf_fault(leaf, role, now_s)
        if fault is not None:
            return fault
        if leaf.public_key is None:
            return CredentialFault.KEY_TYPE
        try:
            above = list(_issuers_of(leaf.parsed, (*issuers, *anchors.certificates)))
        except UNREADABLE:
            return CredentialFault.MALFORMED
    for issuer in above:
        fault = _ca_fault(issuer, now_s)
        if fault is not None:
            return fault
    is_known = any(issuer in anchors.certificates for issuer in above)
    return CredentialFault.NOT_FROM_CA if is_known else CredentialFault.UNKNOWN_CA


def _issuers_of(
    certificate: x509.Certificate, candidates: Sequence[x509.Certificate]
) -> Iterator[x509.Certificate]:
    """Those that claim to be above *certificate*, nearest first, by their names alone.

    Raises one of `UNREADABLE` where *certificate* does not name its issuer readably.
    """
    left = list(candidates)
    names = [certificate.issuer]
    while names:
        found = [candidate for candidate in left if candidate.subject in names]
        yield from found
        left = [candidate for candidate in left if candidate not in found]
        names = [candidate.issuer for candidate in found]


def _leaf_fault(leaf: LeafCertificate, role: Role, now_s: float) -> CredentialFault | None:
    certificate = leaf.parsed
    if certificate.version is not x509.Version.v3:
        return CredentialFault.VERSION
    extensions = certificate.extensions
    if is_ca(certificate):
        return CredentialFault.IS_CA
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.KeyUsage) and not value.digital_signature:
            return CredentialFault.KEY_USAGE
        if isinstance(value, x509.ExtendedKeyUsage) and not _allows(value, role):
            return CredentialFault.EXTENDED_KEY_USAGE
    if _has_unknown_critical(extensions):
        return CredentialFault.CRITICAL_EXTENSION
    return leaf.dates_fault(now_s)


def _ca_fault(certificate: x509.Certificate, now_s: float) -> CredentialFault | None:
    if certificate.version is not x509.Version.v3:
        return CredentialFault.CA_VERSION
    if not is_ca(certificate):
        return CredentialFault.CA_BASIC_CONSTRAINTS
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.KeyUsage) and not extension.value.key_cert_sign:
            return CredentialFault.CA_KEY_USAGE
    if _has_unknown_critical(certificate.extensions):
        return CredentialFault.CA_CRITICAL_EXTENSION
    return None if dates_fault(*dates_of(certificate), now_s) is None else CredentialFault.CA_NOT_VALID


def _has_unknown_critical(extensions: x509.Extensions) -> bool:
    return any(extension.critical and extension.oid not in _UNDERSTOOD for extension in extensions)
