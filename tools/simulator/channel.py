"""The way from a device to its server: plain datagrams, or one DTLS session at a time.

Both kinds have the same five verbs, so the device does not know which it has. No sockets, no addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.dtls.client import Client, ClientConfig
from gateway.dtls.credential import Credential
from gateway.dtls.events import (
    ClientClosed,
    ClientData,
    ClientEstablished,
    ClientEvent,
    ClientFailed,
)
from gateway.dtls.extensions import CertificateType
from gateway.dtls.suites import PREFERRED_SUITES, SUITES
from tools.simulator.settings import DeviceSettings

_CERTIFICATE_SUITES = tuple(
    number for number in PREFERRED_SUITES if SUITES[number].key_exchange.has_certificates
)


@dataclass(frozen=True, slots=True)
class ChannelUp:
    """Messages can be sent."""


@dataclass(frozen=True, slots=True)
class ChannelData:
    """A message from the server."""

    data: bytes


@dataclass(frozen=True, slots=True)
class ChannelDown:
    """No messages go through until the channel is opened again."""

    reason: str


ChannelEvent = ChannelUp | ChannelData | ChannelDown


class Channel(Protocol):
    """What a device sends its CoAP messages through."""

    @property
    def is_up(self) -> bool: ...

    def open(self, now: float) -> Sequence[ChannelEvent]: ...

    def receive_datagram(self, datagram: bytes, now: float) -> Sequence[ChannelEvent]: ...

    def send(self, message: bytes, now: float) -> None: ...

    def drop(self) -> None:
        """Forget the channel without a word, as a device that lost power does."""

    def close(self, now: float) -> None:
        """End the channel in due form."""

    def handle_timer(self, now: float) -> Sequence[ChannelEvent]: ...

    def get_timer(self) -> float | None: ...

    def datagrams_to_send(self) -> Sequence[bytes]: ...


class PlainChannel:
    """Every message is a datagram."""

    def __init__(self) -> None:
        self._outgoing: list[bytes] = []
        self.is_up = False

    def open(self, now: float) -> Sequence[ChannelEvent]:
        self.is_up = True
        return (ChannelUp(),)

    def receive_datagram(self, datagram: bytes, now: float) -> Sequence[ChannelEvent]:
        return (ChannelData(datagram),)

    def send(self, message: bytes, now: float) -> None:
        self._outgoing.append(message)

    def drop(self) -> None:
        self.is_up = False

    def close(self, now: float) -> None:
        self.is_up = False

    def handle_timer(self, now: float) -> Sequence[ChannelEvent]:
        return ()

    def get_timer(self) -> float | None:
        return None

    def datagrams_to_send(self) -> Sequence[bytes]:
        outgoing, self._outgoing = self._outgoing, []
        return outgoing


class SecureChannel:
    """One DTLS session; a new client connection each time the channel is opened."""

    def __init__(self, config: ClientConfig, entropy: Callable[[int], bytes]) -> None:
        self._config = config
        self._entropy = entropy
        self._client: Client | None = None
        self._leftover: list[bytes] = []

    @property
    def is_up(self) -> bool:
        return self._client is not None and self._client.is_established

    def open(self, now: float) -> Sequence[ChannelEvent]:
        self._client = Client(self._config, self._entropy)
        self._client.start(now)
        return ()

    def receive_datagram(self, datagram: bytes, now: float) -> Sequence[ChannelEvent]:
        if self._client is None:
            return ()
        return self._translate(self._client.receive_datagram(datagram, now))

    def send(self, message: bytes, now: float) -> None:
        if self._client is not None and self._client.is_established:
            self._client.send(message, now)

    def drop(self) -> None:
        self._client = None

    def close(self, now: float) -> None:
        if self._client is not None:
            self._client.close(now)
            self._leftover.extend(self._client.datagrams_to_send())
            self._client = None

    def handle_timer(self, now: float) -> Sequence[ChannelEvent]:
        return () if self._client is None else self._translate(self._client.handle_timer(now))

    def get_timer(self) -> float | None:
        return None if self._client is None else self._client.get_timer()

    def datagrams_to_send(self) -> Sequence[bytes]:
        outgoing, self._leftover = self._leftover, []
        if self._client is not None:
            outgoing.extend(self._client.datagrams_to_send())
        return outgoing

    def _translate(self, events: Sequence[ClientEvent]) -> Sequence[ChannelEvent]:
        return [self._translate_one(event) for event in events]

    @staticmethod
    def _translate_one(event: ClientEvent) -> ChannelEvent:
        match event:
            case ClientEstablished():
                return ChannelUp()
            case ClientData(data=data):
                return ChannelData(data)
            case ClientFailed(reason=reason):
                return ChannelDown(str(reason))
            case ClientClosed(reason=reason):
                return ChannelDown(str(reason))


def build_channel(settings: DeviceSettings, entropy: Callable[[int], bytes]) -> Channel:
    """The channel that a device with these settings has: over DTLS where it has a credential or a secret."""
    if settings.credential is not None:
        return SecureChannel(_configure_credential(settings.credential, settings.cid), entropy)
    if settings.psk is None:
        return PlainChannel()
    config = ClientConfig(identity=settings.node_id.encode(), psk=settings.psk, cid=settings.cid)
    return SecureChannel(config, entropy)


def _configure_credential(credential: Credential, cid: bytes | None) -> ClientConfig:
    """The client role that shows *credential*, and expects of the server what it has itself."""
    kinds = (CertificateType.X509 if credential.chain else CertificateType.RAW_PUBLIC_KEY,)
    return ClientConfig(
        suites=_CERTIFICATE_SUITES,
        credential=credential,
        client_certificate_types=kinds,
        server_certificate_types=kinds,
        cid=cid,
    )
