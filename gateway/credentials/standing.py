"""What a session rests on, as bytes, and whether that still holds when somebody comes back with it.

Asked when a session is resumed, and when one is restored from an earlier run. Knows the devices and the
anchors of the moment.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.dtls.trust import TrustAnchors, TrustedCertificate
from registry.model import Device
from registry.store import Registry

RevocationCheck = Callable[[bytes, bytes | None], bool]
"""Whether the certificate with this SHA-256 is not welcome any more; also told which server the client asked
for (SNI), but not when an earlier session is gone on with."""

_DIGEST_BYTES = 32


class Standing:
    """The version of a credential: which device, how often changed, which certificate by which anchor."""

    def __init__(
        self,
        registry: Registry,
        anchors: Callable[[], TrustAnchors],
        is_revoked: RevocationCheck | None = None,
    ) -> None:
        self._registry = registry
        self._anchors = anchors
        self._is_revoked = is_revoked

    def of_identity(self, identity: bytes, trusted: TrustedCertificate | None = None) -> bytes:
        """What a session of *identity*, a node ID, rests on, *trusted* where it showed a certificate.

        Empty for nobody's.
        """
        device = self._find(identity)
        if device is None:
            return b""
        return _version(device) + (trusted.leaf.sha256 + (trusted.anchor or b"") if trusted else b"")

    def holds(self, identity: bytes, credential: bytes) -> bool:
        """Whether *credential*, what `of_identity` once gave, is what *identity* still rests on."""
        device = self._find(identity)
        if device is None or device.is_frozen:
            return False
        version = _version(device)
        if not credential.startswith(version):
            return False
        shown = credential[len(version) :]
        certificate_sha256, anchor = shown[:_DIGEST_BYTES], shown[_DIGEST_BYTES:]
        if anchor and anchor not in self._anchors().fingerprints:
            return False
        return not (certificate_sha256 and self.is_revoked(certificate_sha256, None))

    def is_revoked(self, certificate_sha256: bytes, server_name: bytes | None) -> bool:
        """Whether the owner of the gateway says so; nobody else is asked."""
        return self._is_revoked is not None and self._is_revoked(certificate_sha256, server_name)

    def _find(self, identity: bytes) -> Device | None:
        try:
            return self._registry.find_device(identity.decode())
        except UnicodeDecodeError:
            return None


def _version(device: Device) -> bytes:
    return f"{device.device_id}/{device.revision}/".encode()
