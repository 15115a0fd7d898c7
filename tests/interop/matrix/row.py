"""What is combined with what: so few rows that each pair of values stands in one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, product, starmap
from typing import NamedTuple

from gateway.dtls.suites import SUITES

PSK, X509, RPK = "psk", "x509", "rpk"
NO_CID, CID_SENT, CID_BOTH = "none", "sent", "both"
AEAD, ETM, MTE = "aead", "encrypt-then-MAC", "MAC-then-encrypt"


class Row(NamedTuple):
    """One exchange with one foreign stack."""

    suite: int
    authentication: str
    "``psk``, ``x509`` or ``rpk``."

    protection: str
    "``aead``; in a CBC suite ``encrypt-then-MAC`` (RFC 7366) or ``MAC-then-encrypt``."

    cid: str
    "``none``; ``sent``: the client sends ours; ``both``: and wants one in answers."

    is_resumed: bool
    "It connects, leaves and comes back."

    mtu_bytes: int
    "For our datagrams, and for those of the client if it can be told; 0: as it comes."

    @property
    def name(self) -> str:
        """For test ids and tables."""
        words = [SUITES[self.suite].name, self.authentication]
        words += [self.protection] if self.protection != AEAD else []
        words += [f"cid {self.cid}"] if self.cid != NO_CID else []
        words += ["resumed"] if self.is_resumed else []
        words += [f"mtu {self.mtu_bytes}"] if self.mtu_bytes else []
        return ", ".join(words)


@dataclass(frozen=True)
class Abilities:
    """What a foreign client can be told to do."""

    suites: dict[int, str]
    "By its own names."

    certificates: Sequence[str] = (X509,)
    cbc: Sequence[str] = (ETM,)
    "What it can be told to do about the MAC in a CBC suite."

    cids: Sequence[str] = (NO_CID,)
    resumes: bool = False
    mtus: Sequence[int] = (0, 512, 256)
    cannot: Callable[[Row], bool] = lambda row: False
    "Combinations that it gets wrong by itself."

    def combinations(self) -> list[Row]:
        """Every row that makes sense."""
        resumed = (False, True) if self.resumes else (False,)
        return [
            row
            for suite in self.suites
            for row in starmap(
                Row,
                product(
                    [suite],
                    self._authentications(suite),
                    self.cbc if SUITES[suite].is_cbc else [AEAD],
                    self.cids,
                    resumed,
                    self.mtus,
                ),
            )
            if not self.cannot(row)
        ]

    def _authentications(self, suite: int) -> Sequence[str]:
        return self.certificates if SUITES[suite].key_exchange.has_certificates else (PSK,)


def pairwise(rows: Iterable[Row]) -> list[Row]:
    """Some of *rows*: any two values that stand together in one of them stand together in one of these."""
    candidates = list(rows)
    open_pairs = {pair for row in candidates for pair in _pairs(row)}
    chosen: list[Row] = []
    while open_pairs:
        best = max(candidates, key=lambda row: len(_pairs(row) & open_pairs))
        chosen.append(best)
        open_pairs -= _pairs(best)
    return chosen


def _pairs(row: Row) -> set[tuple[tuple[str, object], tuple[str, object]]]:
    return set(combinations(zip(Row._fields, row, strict=True), 2))
