"""`gateway.credentials.accepted`: what is remembered of verified chains, and for how long."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gateway.credentials import accepted
from gateway.credentials.accepted import AcceptedChains
from gateway.dtls.certificates import LeafCertificate, decode_leaf
from gateway.dtls.refusal import CredentialFault, CredentialRefusal
from gateway.dtls.trust import TrustAnchors, TrustedCertificate, verify_chain
from tests.support.certificates import CA, DAY_S, NOW_S, Issued, authority

ROOT = authority("Root CA", not_after_s=100 * DAY_S)
MIDDLE = ROOT.issue("Middle CA", extensions=CA, not_after_s=5 * DAY_S)
ANCHORS = TrustAnchors([ROOT.der])


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[LeafCertificate]:
    """The leaves whose chains were verified in full, in order."""
    leaves: list[LeafCertificate] = []

    def verify(
        leaf: LeafCertificate, issuers: Sequence[bytes], anchors: TrustAnchors, now_s: float
    ) -> TrustedCertificate | CredentialRefusal:
        leaves.append(leaf)
        return verify_chain(leaf, issuers, anchors, now_s)

    monkeypatch.setattr(accepted, "verify_chain", verify)
    return leaves


def leaf_of(issued: Issued) -> LeafCertificate:
    leaf = decode_leaf(issued.der)
    assert isinstance(leaf, LeafCertificate)
    return leaf


def test_same_chain_is_accepted_again_with_its_anchor(verified: list[LeafCertificate]) -> None:
    chains = AcceptedChains(ANCHORS)
    leaf = leaf_of(ROOT.issue("meter-1"))
    first = chains.verify(leaf, [], NOW_S)
    assert first == TrustedCertificate(leaf, next(iter(ANCHORS.fingerprints)))
    assert chains.verify(leaf, [], NOW_S) == first
    assert len(verified) == 1


def test_other_issuers_or_another_certificate_make_another_chain(verified: list[LeafCertificate]) -> None:
    chains = AcceptedChains(ANCHORS)
    leaf = leaf_of(ROOT.issue("meter-1"))
    for each, issuers in ((leaf, []), (leaf, [MIDDLE.der]), (leaf_of(ROOT.issue("meter-1")), [])):
        chains.verify(each, issuers, NOW_S)
    assert len(verified) == 3


@pytest.mark.parametrize(
    ("days", "fault"),
    [(-2, CredentialFault.NOT_YET_VALID), (6, CredentialFault.CA_NOT_VALID)],
    ids=["before", "after the issuer between"],
)
def test_dates_of_the_whole_chain_count(
    days: float, fault: CredentialFault, verified: list[LeafCertificate]
) -> None:
    chains = AcceptedChains(ANCHORS)
    leaf = leaf_of(MIDDLE.issue("meter-1"))
    assert isinstance(chains.verify(leaf, [MIDDLE.der], NOW_S), TrustedCertificate)
    verdict = chains.verify(leaf, [MIDDLE.der], NOW_S + days * DAY_S)
    assert verdict == CredentialRefusal(fault, leaf.names)
    assert len(verified) == 2


def test_refused_chain_is_not_remembered(verified: list[LeafCertificate]) -> None:
    chains = AcceptedChains(ANCHORS)
    leaf = leaf_of(authority("Stranger").issue("meter-1"))
    for _ in range(2):
        assert isinstance(chains.verify(leaf, [], NOW_S), CredentialRefusal)
    assert len(verified) == 2


def test_chain_not_seen_for_longest_is_forgotten_first(
    monkeypatch: pytest.MonkeyPatch, verified: list[LeafCertificate]
) -> None:
    monkeypatch.setattr(accepted, "MAX_CHAINS", 2)
    chains = AcceptedChains(ANCHORS)
    first, second, third = (leaf_of(ROOT.issue(f"meter-{number}")) for number in range(3))
    for leaf in (first, second, first, third, first, second):
        chains.verify(leaf, [], NOW_S)
    assert verified == [first, second, third, second]
