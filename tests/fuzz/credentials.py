"""What the fuzzed roles show of themselves: made anew in each process."""

from __future__ import annotations

from gateway.dtls.credential import make_credential
from tests.support.certificates import authority

_CA = authority()
_GATEWAY = _CA.issue("gateway")
_DEVICE = _CA.issue("device-1")

GATEWAY = make_credential(_GATEWAY.key, (_GATEWAY.der, _CA.der))
DEVICE = make_credential(_DEVICE.key, (_DEVICE.der, _CA.der))
DEVICE_IDENTITY = b"device-1"
