"""`gateway.credentials.accepted`: what is remembered of verified chains, and for how long."""

from __future__ import annotations

import pytest

from gateway.credentials import accepted
from gateway.credentials.accepted import AcceptedChains
from gateway.dtls.certificates import LeafCertificate, decode_leaf
from gateway.dtls.trust import TrustAnchors, TrustedCertificate, verify_chain
from tests.support.certificates import CA, DAY_S, NOW_S, Issued, authority

ROOT = authority("Root CA", not_after_s=100 * DAY_S)
MIDDLE = ROOT.issue("Middle CA", extensions=CA, not_after_s=5 * DAY_S)
ANCHORS = TrustAnchors([ROOT.der])


def leaf_of(issued: Issued) -> LeafCertificate:
    leaf = decode_leaf(issued.der)
    assert isinstance(leaf, LeafCertificate)
    return leaf


def verified(leaf: LeafCertificate, *issuers: Issued) -> TrustedCertificate:
    verdict = verify_chain(leaf, [issuer.der for issuer in issuers], ANCHORS, NOW_S)
    assert isinstance(verdict, TrustedCertificate)
    return verdict


def test_same_chain_is_accepted_again_with_its_anchor() -> None:
    chains = AcceptedChains(ANCHORS)
    leaf = leaf_of(ROOT.issue("meter-1"))
    assert chains.find(leaf, [], NOW_S) is None
    verdict = verified(leaf)
    chains.add(verdict, [])
    assert chains.find(leaf, [], NOW_S) == verdict


def test_other_issuers_or_another_certificate_make_another_chain() -> None:
    chains = AcceptedChains(ANCHORS)
    leaf = leaf_of(ROOT.issue("meter-1"))
    chains.add(verified(leaf), [])
    assert chains.find(leaf, [MIDDLE.der], NOW_S) is None
    assert chains.find(leaf_of(ROOT.issue("meter-1")), [], NOW_S) is None


@pytest.mark.parametrize("days", [-2, 6], ids=["before", "after the issuer between"])
def test_dates_of_the_whole_chain_count(days: float) -> None:
    chains = AcceptedChains(ANCHORS)
    leaf = leaf_of(MIDDLE.issue("meter-1"))
    chains.add(verified(leaf, MIDDLE), [MIDDLE.der])
    assert chains.find(leaf, [MIDDLE.der], NOW_S) is not None
    assert chains.find(leaf, [MIDDLE.der], NOW_S + days * DAY_S) is None


def test_pinned_certificate_has_no_chain() -> None:
    chains = AcceptedChains(ANCHORS)
    leaf = leaf_of(ROOT.issue("meter-1"))
    chains.add(TrustedCertificate(leaf, None), [])
    assert chains.find(leaf, [], NOW_S) is None


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepted, "MAX_CHAINS", 1)
    chains = AcceptedChains(ANCHORS)
    first, second = leaf_of(ROOT.issue("meter-1")), leaf_of(ROOT.issue("meter-2"))
    chains.add(verified(first), [])
    chains.add(verified(second), [])
    assert chains.find(first, [], NOW_S) is None
    assert chains.find(second, [], NOW_S) is not None
