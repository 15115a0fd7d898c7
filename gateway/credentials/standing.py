"""What a session rests on, as bytes, and whether that still holds when somebody comes back with it.

Asked when a session is resumed, and when one is restored from an earlier run. Knows the devices and the
anchors of the moment.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.dtls.trust import TrustAnchors
from registry.model import Device
from registry.store import Registry


class Standing:
    """The version of a credential: which device, how often changed, by which anchor trusted."""

    def __init__(self, registry: Registry, anchors: Callable[[], TrustAnchors]) -> None:
        self._registry = registry
        self._anchors = anchors

    def of_identity(self, identity: bytes, anchor: bytes | None = None) -> bytes:
        """What a session of *identity*, a node ID, rests on; empty for nobody's.

        *anchor*: fingerprint of the CA that its certificate comes from; None: of none.
        """
        device = self._find(identity)
        return b"" if device is None else _version(device) + (anchor or b"")

    def holds(self, identity: bytes, credential: bytes) -> bool:
        """Whether *credential*, what `of_identity` once gave, is what *identity* still rests on."""
        device = self._find(identity)
        if device is None or device.is_frozen:
            return False
        version = _version(device)
        anchor = credential[len(version) :]
        if not credential.startswith(version):
            return False
        return not anchor or anchor in self._anchors().fingerprints

    def _find(self, identity: bytes) -> Device | None:
        try:
            return self._registry.find_device(identity.decode())
        except UnicodeDecodeError:
            return None


def _version(device: Device) -> bytes:
    return f"{device.device_id}/{device.revision}/".encode()
