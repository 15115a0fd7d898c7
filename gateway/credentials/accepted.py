"""Chains that were verified lately: who comes back need not have his issuers' signatures checked again.

Only what cannot change is remembered: that this certificate leads, by these issuers, to this anchor. Dates
count anew each time; other anchors begin with an empty memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from gateway.dtls.certificates import LeafCertificate, dates_of, read_certificate
from gateway.dtls.refusal import CredentialRefusal
from gateway.dtls.trust import TrustAnchors, TrustedCertificate, verify_chain

MAX_CHAINS: Final = 20_000
"Some 6 MB."


class AcceptedChains:
    """At most `MAX_CHAINS`, under one set of anchors; the one that was not seen for longest goes first."""

    __slots__ = ("_anchors", "_chains")

    def __init__(self, anchors: TrustAnchors) -> None:
        self._anchors = anchors
        self._chains: dict[bytes, tuple[bytes, float, float]] = {}
        "Digests of the chain → fingerprint of its anchor, first and last second in which all of it is valid."

    def verify(
        self, leaf: LeafCertificate, issuers: Sequence[bytes], now_s: float
    ) -> TrustedCertificate | CredentialRefusal:
        """As `gateway.dtls.trust.verify_chain`, without its signatures where they were good before."""
        key = leaf.sha256 + b"".join([sha256(der).digest() for der in issuers])
        found = self._chains.pop(key, None)
        if found is not None and found[1] <= now_s <= found[2]:
            self._chains[key] = found
            return TrustedCertificate(leaf, found[0])
        verdict = verify_chain(leaf, issuers, self._anchors, now_s)
        if isinstance(verdict, TrustedCertificate):
            self._remember(key, verdict, issuers)
        return verdict

    def _remember(self, key: bytes, accepted: TrustedCertificate, issuers: Sequence[bytes]) -> None:
        assert accepted.anchor is not None, "no chain leads to a pinned certificate"
        read = [read_certificate(der) for der in issuers]
        dates = [dates_of(certificate) for certificate in read if certificate is not None]
        dates.append(self._anchors.dates(accepted.anchor))
        leaf = accepted.leaf
        start_s = max(leaf.not_before_s, *[start_s for start_s, _ in dates])
        end_s = min(leaf.not_after_s, *[end_s for _, end_s in dates])
        if len(self._chains) >= MAX_CHAINS:
            del self._chains[next(iter(self._chains))]
        self._chains[key] = accepted.anchor, start_s, end_s
