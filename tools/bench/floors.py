"""What the cryptography alone costs of a handshake and of a record: no Python of ours could cost less.

    python -m tools.bench.floors

Each primitive is called as the engine calls it, many times in a row, so with warm caches; what a handshake
meets for the first time (keys, certificates, shares) is new for each call. CPU time of this thread, the least
of several runs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM

from gateway.credentials.shares import new_private_key
from gateway.dtls.credential import Credential
from gateway.dtls.groups import KeyShare, NamedGroup
from gateway.dtls.keys import HmacSha256
from gateway.dtls.signatures import verify
from tools.bench.certified import CertifiedFleet, make_fleet

RUNS: Final = 15
CALLS: Final = 200
"In each run."

_CONTENT_BYTES: Final = 24
"Of a small record, a Finished for one."


@dataclass(frozen=True, slots=True)
class Part:
    """One primitive in one operation."""

    name: str
    times: int
    each_us: float

    @property
    def total_us(self) -> float:
        """All its calls in one operation."""
        return self.times * self.each_us


@dataclass(frozen=True, slots=True)
class Floor:
    """An operation without anything but its primitives."""

    name: str
    parts: Sequence[Part]

    @property
    def total_us(self) -> float:
        """Of all parts."""
        return sum(part.total_us for part in self.parts)


def measure_floors(runs: int = RUNS, calls: int = CALLS) -> list[Floor]:
    """Those of both kinds of handshake, and of a record with its answer."""
    fleet = make_fleet("floor", calls)
    psk = _of_any_handshake(runs, calls)
    certificates = _of_certificates(fleet, runs)
    return [
        Floor("record and its answer", _of_records(runs, calls)),
        Floor("PSK handshake", [*psk, _of_secret(runs, calls)]),
        Floor("certificate handshake, its chain known", [*psk, *certificates]),
        Floor("certificate handshake, its chain new", [*psk, *certificates, _of_chain(fleet, runs)]),
    ]


def _of_records(runs: int, calls: int) -> list[Part]:
    nonce, associated, content = os.urandom(12), os.urandom(13), os.urandom(_CONTENT_BYTES)
    cipher = AESCCM(os.urandom(16), 8)
    sealed = cipher.encrypt(nonce, content, associated)
    return [
        _measure(
            "opened", 1, lambda case: cipher.decrypt(nonce, case, associated), lambda: [sealed] * calls, runs
        ),
        _measure(
            "sealed", 1, lambda case: cipher.encrypt(nonce, case, associated), lambda: [content] * calls, runs
        ),
    ]


def _of_any_handshake(runs: int, calls: int) -> list[Part]:
    secret, message = os.urandom(48), os.urandom(80)
    mac, transcript = HmacSha256(secret), sha256(message * 5)
    return [
        _measure(
            "HMAC: 2 cookies, 8 for the keys, 4 for both Finished",
            14,
            mac.digest,
            lambda: [message] * calls,
            runs,
        ),
        _measure("HMAC keyed", 2, HmacSha256, lambda: [secret] * calls, runs),
        _measure(
            "hash of the messages so far", 3, lambda case: case.digest(), lambda: [transcript] * calls, runs
        ),
        _measure(
            "cipher made of its key", 2, lambda key: AESCCM(key, 8), lambda: [secret[:16]] * calls, runs
        ),
        _measure("randomness", 4, os.urandom, lambda: [32] * calls, runs),
        *_of_records(runs, calls),
    ]


def _of_secret(runs: int, calls: int) -> Part:
    nonce, key = os.urandom(12), AESGCM(os.urandom(32))
    sealed = key.encrypt(nonce, os.urandom(16), b"device")
    return _measure(
        "the device's secret unsealed",
        1,
        lambda case: key.decrypt(nonce, case, b"device"),
        lambda: [sealed] * calls,
        runs,
    )


def _of_certificates(fleet: CertifiedFleet, runs: int) -> list[Part]:
    credentials = [_credential(device.config.credential) for device in fleet.devices]
    ours, content = credentials[0], os.urandom(100)
    signed = [credential.sign(content) for credential in credentials]
    peer = _share(None).public
    return [
        _measure(
            "certificate parsed",
            1,
            x509.load_der_x509_certificate,
            lambda: [each.chain[0] for each in credentials],
            runs,
        ),
        _measure("its key read", 1, lambda leaf: leaf.public_key(), lambda: _leaves(credentials), runs),
        _measure(
            "the client's signature",
            1,
            lambda case: verify(case[0], case[1], content),
            lambda: [
                (leaf.public_key(), each) for leaf, each in zip(_leaves(credentials), signed, strict=True)
            ],
            runs,
        ),
        _measure("our share", 1, _share, lambda: credentials, runs),
        _measure("our signature", 1, ours.sign, lambda: [content] * len(credentials), runs),
        _measure(
            "the shared secret", 1, lambda share: share.agree(peer), lambda: [*map(_share, credentials)], runs
        ),
    ]


def _of_chain(fleet: CertifiedFleet, runs: int) -> Part:
    key = fleet.ca.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    algorithm = fleet.ca.signature_hash_algorithm
    assert algorithm is not None
    credentials = [_credential(device.config.credential) for device in fleet.devices]

    def check(leaf: x509.Certificate) -> None:
        key.verify(leaf.signature, leaf.tbs_certificate_bytes, ec.ECDSA(algorithm))

    return _measure("the issuer's signature", 1, check, lambda: _leaves(credentials), runs)


def _measure(
    name: str, times: int, call: Callable[[Any], object], make_cases: Callable[[], Sequence[Any]], runs: int
) -> Part:
    costs_ns = []
    for _ in range(runs):
        cases = make_cases()
        before = time.thread_time_ns()
        for case in cases:
            call(case)
        costs_ns.append((time.thread_time_ns() - before) / len(cases))
    return Part(name, times, min(costs_ns) / 1000)


def _credential(credential: Credential | None) -> Credential:
    assert credential is not None, "a device with a certificate"
    return credential


def _leaves(credentials: Sequence[Credential]) -> list[x509.Certificate]:
    return [x509.load_der_x509_certificate(credential.chain[0]) for credential in credentials]


def _share(_: object) -> KeyShare:
    return KeyShare(new_private_key(NamedGroup.SECP256R1))


def main() -> None:
    """Print them all."""
    for floor in measure_floors():
        print(f"{floor.name}: {floor.total_us:.1f} µs")
        for part in floor.parts:
            print(
                f"    {part.total_us:6.1f}  {part.name}" + (f", {part.times} times" if part.times > 1 else "")
            )


if __name__ == "__main__":
    main()
