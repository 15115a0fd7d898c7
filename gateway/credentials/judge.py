"""Which device a certificate or a raw public key is, and whether it may come.

Knows the devices and the anchors of the moment. `gateway.dtls.trust` judges the certificate itself;
that the peer holds its key was proved before it is shown here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.credentials.accepted import AcceptedChains
from gateway.credentials.standing import Standing
from gateway.dtls.certificates import CertificateName, NameKind
from gateway.dtls.events import CertificatePresented, CredentialAccepted, RawPublicKeyPresented
from gateway.dtls.refusal import CredentialFault, CredentialRefusal
from gateway.dtls.trust import TrustAnchors, TrustedCertificate, verify_pinned
from registry.clock import Clock
from registry.model import Device
from registry.store import Registry

Verdict = CredentialAccepted | CredentialRefusal

MAX_NAMED = 4
"Devices to which one certificate can write a refusal."


class CredentialJudge:
    """Judges what clients show, and lets operators know of whom it turned away."""

    def __init__(
        self,
        registry: Registry,
        clock: Clock,
        standing: Standing,
        anchors: TrustAnchors | None = None,
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._standing = standing
        self._anchors = TrustAnchors() if anchors is None else anchors
        self._accepted = AcceptedChains(self._anchors)

    @property
    def anchors(self) -> TrustAnchors:
        """Whom certificates may come from. Replace it; the next certificate is judged by the new ones."""
        return self._anchors

    @anchors.setter
    def anchors(self, anchors: TrustAnchors) -> None:
        self._anchors = anchors
        self._accepted = AcceptedChains(anchors)

    def judge_certificate(self, presented: CertificatePresented) -> Verdict:
        """Whether the device that the certificate names may come with it."""
        leaf = presented.leaf
        now_ms = self._clock.wall_ms()
        devices = self._find_named(leaf.names)
        if any(device.certificate_sha256 == leaf.sha256 for device in devices):
            trusted = verify_pinned(leaf, leaf.sha256, now_ms / 1000)
        else:
            trusted = self._accepted.verify(leaf, presented.issuers, now_ms / 1000)
        fault = self._find_fault(trusted, devices, presented.server_name)
        if fault is not None:
            self.report(fault, leaf.names, str(presented.address))
            return CredentialRefusal(fault, leaf.names)
        assert isinstance(trusted, TrustedCertificate), "a refusal is a fault"
        identity = devices[0].node_id.encode()
        expires_at = self._clock.monotonic() + leaf.not_after_s - now_ms / 1000
        return CredentialAccepted(identity, expires_at, self._standing.of_identity(identity, trusted))

    def judge_raw_key(self, presented: RawPublicKeyPresented) -> Verdict:
        """Whether the device whose key this is may come."""
        digest = presented.key.sha256
        device = self._registry.find_device_of_key(digest)
        if device is not None and not device.is_frozen:
            identity = device.node_id.encode()
            return CredentialAccepted(identity, credential=self._standing.of_identity(identity))
        fault = CredentialFault.RAW_KEY_UNKNOWN if device is None else CredentialFault.FROZEN
        # A key has no name: its digest is what the operator needs to register it.
        claimed = f"sha256:{digest.hex()}" if device is None else device.node_id
        self._registry.refuse(claimed, str(presented.address), describe(fault))
        return CredentialRefusal(fault)

    def report(self, fault: CredentialFault, names: Sequence[CertificateName], address: str) -> None:
        """Note for the devices that a certificate names, trusted or not, that it was turned away."""
        devices = [device.node_id for device in self._find_named(names)]
        claimed = devices[:MAX_NAMED] or [name.value for name in names[:1]] or [""]
        for node_id in claimed:
            self._registry.refuse(node_id, address, describe(fault))

    def _find_named(self, names: Iterable[CertificateName]) -> Sequence[Device]:
        dns_names = [name.value for name in names if name.kind is NameKind.DNS]
        return self._registry.find_devices_named(
            [name.value for name in names if name.kind is not NameKind.DNS], dns_names
        )

    def _find_fault(
        self,
        trusted: TrustedCertificate | CredentialRefusal,
        devices: Sequence[Device],
        server_name: bytes | None,
    ) -> CredentialFault | None:
        device = devices[0] if len(devices) == 1 else None
        pinned = None if device is None else device.certificate_sha256
        if isinstance(trusted, CredentialRefusal):
            # The two have one alert: whose certificate is pinned is not for strangers to learn.
            is_stranger = trusted.fault.alert is CredentialFault.NOT_PINNED.alert
            return CredentialFault.NOT_PINNED if pinned is not None and is_stranger else trusted.fault
        if device is None:
            return CredentialFault.SEVERAL_DEVICES if devices else CredentialFault.NO_DEVICE
        if pinned is not None and pinned != trusted.leaf.sha256:
            return CredentialFault.NOT_PINNED
        if device.is_frozen:
            return CredentialFault.FROZEN
        if self._standing.is_revoked(trusted.leaf.sha256, server_name):
            return CredentialFault.REVOKED
        return None


def describe(fault: CredentialFault) -> str:
    """*fault* as operators read it of a refused handshake."""
    return "device is frozen" if fault is CredentialFault.FROZEN else f"DTLS handshake failed: {fault}"
