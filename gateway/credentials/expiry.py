"""How long the gateway's own certificates last."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography import x509

from gateway.dtls.certificates import dates_of

WARN_BEFORE_S = 30 * 86_400


def find_expiry_fault(chain: Iterable[bytes], now_s: float) -> str | None:
    """What is the matter with the first of *chain* (DER, readable) to run out; None: nothing for 30 days."""
    ends_s = [dates_of(x509.load_der_x509_certificate(der))[1] for der in chain]
    left_s = min(ends_s, default=float("inf")) - now_s
    if left_s < 0:
        return "has expired: devices will refuse it"
    if left_s < WARN_BEFORE_S:
        return f"expires in {int(left_s // 86_400)} days"
    return None
