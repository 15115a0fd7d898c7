"""What a simulated device is and how it behaves, as frozen values.

Knows no files, no command line and no registry.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.dtls.credential import Credential
from tools.simulator.client.contents import Contents
from tools.simulator.coap import CoapSettings
from tools.simulator.scenario import Step

_COAP = CoapSettings()

DEFAULT_OBJECTS = '</>;rt="oma.lwm2m";ct="60 110 112",</1/0>,</3/0>'


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """One simulated device."""

    node_id: str

    psk: bytes | None = field(default=None, repr=False)
    "The pre-shared key of a security device; None: plain CoAP."

    credential: Credential | None = None
    "Certificates with their key, or a bare key, which is shown as a raw public key; in place of *psk*."

    cid: bytes | None = b""
    "Connection id that records towards the device carry; None: connection ids are not offered."

    lwm2m: str = "1.1"
    lifetime_s: int = 300
    binding: str | None = None
    "``b`` as sent; None: left out, which means U."

    is_queue_mode: bool = False
    awake_s: float = 93.0
    "A registered queue-mode device hears nothing this long after its last message."

    objects: str = DEFAULT_OBJECTS
    "Payload of the Register, CoRE link format; not used where there are contents."

    contents: Contents | None = None
    "What the device has and answers with; None: it only registers."

    steps: tuple[Step, ...] = ()
    "What happens to the device, counted from its first registration."

    is_confirmable: bool = False
    "Whether notifications are, where the server does not say."

    reboot_s: float = 2.0
    "How long a reboot takes."

    parameters: tuple[str, ...] = ()
    "Further Uri-Query options of the Register."

    has_ep: bool = True
    "Whether Register names the endpoint; a security device may leave it to its identity."

    update_jitter: float = 0.1
    "An Update goes out up to this fraction of its interval early."

    retries: int = 5
    "How often a failed handshake or Register is tried again in a row before the device gives up."

    backoff_s: float = 1.0
    "Pause before the first retry; doubles with each one."

    backoff_max_s: float = 60.0

    handshake_timeout_s: float = 15.0
    "A handshake that takes longer counts as failed."

    coap: CoapSettings = _COAP

    @property
    def is_secure(self) -> bool:
        """Whether the device comes over DTLS."""
        return self.psk is not None or self.credential is not None

    @property
    def scheme(self) -> str:
        """URI scheme of its server."""
        return "coaps" if self.is_secure else "coap"
