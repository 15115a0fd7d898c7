"""Chains that were verified lately: who comes back need not have his issuers' signatures checked again.

Only what cannot change is remembered: that this certificate leads, by these issuers, to this anchor. Dates
count anew each time; other anchors begin with an empty memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from gateway.dtls.certificates import LeafCertificate, dates_of, read_certificate
from gateway.dtls.trust import TrustAnchors, TrustedCertificate

MAX_CHAINS: Final = 2_000


class AcceptedChains:
    """At most `MAX_CHAINS`, under one set of anchors; the oldest goes first."""

    __slots__ = ("_anchors", "_chains")

    def __init__(self, anchors: TrustAnchors) -> None:
        self._anchors = anchors
        self._chains: dict[bytes, tuple[bytes, float, float]] = {}
        "Digest of the chain → fingerprint of its anchor, first and last second in which all of it is valid."

    def find(
        self, leaf: LeafCertificate, issuers: Sequence[bytes], now_s: float
    ) -> TrustedCertificate | None:
        """The verdict on a chain that was accepted before and is within its dates; None: verify it."""
        found = self._chains.get(_digest(leaf, issuers))
        if found is None or not found[1] <= now_s <= found[2]:
            return None
        return TrustedCertificate(leaf, found[0])

    def add(self, accepted: TrustedCertificate, issuers: Sequence[bytes]) -> None:
        """Remember that *accepted* came with *issuers*; one that is pinned has no chain."""
        if accepted.anchor is None:
            return
        read = [read_certificate(der) for der in issuers]
        dates = [dates_of(certificate) for certificate in read if certificate is not None]
        dates += [
            (accepted.leaf.not_before_s, accepted.leaf.not_after_s),
            self._anchors.dates(accepted.anchor),
        ]
        if len(self._chains) >= MAX_CHAINS:
            del self._chains[next(iter(self._chains))]
        until = min(end for _, end in dates)
        self._chains[_digest(accepted.leaf, issuers)] = (
            accepted.anchor,
            max(start for start, _ in dates),
            until,
        )


def _digest(leaf: LeafCertificate, issuers: Sequence[bytes]) -> bytes:
    return sha256(leaf.sha256 + b"".join(sha256(der).digest() for der in issuers)).digest()
