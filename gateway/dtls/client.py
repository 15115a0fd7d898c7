"""The client role: one connection to one server, for simulators, benchmarks and tests.

Knows one identity and its key; knows no addresses and no clock. Small once it is established, for
simulators hold it by the thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final

from gateway.dtls.alerts import CLOSE_NOTIFY, Alert, AlertDescription, AlertLevel, decode_alert, encode_alert
from gateway.dtls.clienthandshake import ClientHandshake
from gateway.dtls.clienthandshake import State as HandshakeState
from gateway.dtls.errors import DecodeError, LocalProtocolError
from gateway.dtls.events import (
    ClientClosed,
    ClientData,
    ClientEstablished,
    ClientEvent,
    ClientFailed,
    HandshakeFailure,
    SessionEnd,
)
from gateway.dtls.messages import HandshakeType, decode_fragments
from gateway.dtls.record import (
    CHANGE_CIPHER_SPEC_BODY,
    ContentType,
    Record,
    decode_records,
    encode_record,
)
from gateway.dtls.resumption import ClientResumable
from gateway.dtls.routability import RoutabilityType, decode_routability_message, encode_routability_message
from gateway.dtls.session import Keys
from gateway.dtls.settings import ClientConfig

__all__ = ["Client", "ClientConfig", "ClientState"]

_APPLICATION_DATA: Final = int(ContentType.APPLICATION_DATA)
_ALERT: Final = int(ContentType.ALERT)
_HANDSHAKE: Final = int(ContentType.HANDSHAKE)
_ROUTABILITY: Final = int(ContentType.RETURN_ROUTABILITY_CHECK)
_NO_RENEGOTIATION: Final = encode_alert(Alert(AlertLevel.WARNING, AlertDescription.NO_RENEGOTIATION))
_CLOSE_NOTIFY: Final = encode_alert(CLOSE_NOTIFY)


class ClientState(Enum):
    """What a client is good for."""

    IDLE = "idle"
    HANDSHAKE = "handshake"
    ESTABLISHED = "established"
    FAILED = "failed"
    CLOSED = "closed"


class Client:
    """Call `start`, then feed `receive_datagram` and `handle_timer`; after each, `datagrams_to_send`.

    A client serves once: after a failure or an end, make another.
    """

    __slots__ = (
        "_config",
        "_entropy",
        "_handshake",
        "_has_rrc",
        "_keys",
        "_last_flight",
        "_next_sequence",
        "_outbox",
        "resumable",
        "state",
    )

    def __init__(self, config: ClientConfig, entropy: Callable[[int], bytes]) -> None:
        self._config = config
        self._entropy = entropy
        self._handshake: ClientHandshake | None = None
        self._has_rrc = False
        self._keys: Keys | None = None
        self._next_sequence = 0
        self._outbox: list[bytes] = []
        self._last_flight: tuple[int, bytes] | None = None
        self.resumable: ClientResumable | None = None
        "What a later client may begin with, once this one is established; None: nothing."

        self.state = ClientState.IDLE

    @property
    def is_established(self) -> bool:
        """Whether data can be sent."""
        return self.state is ClientState.ESTABLISHED

    def start(self, now: float) -> None:
        """Send the first ClientHello.

        Raises:
            LocalProtocolError: the client has been started before.
        """
        if self.state is not ClientState.IDLE:
            raise LocalProtocolError("a client starts once")
        self.state = ClientState.HANDSHAKE
        self._handshake = ClientHandshake(self._config, self._entropy, now)
        self._settle(self._handshake)

    def receive_datagram(self, datagram: bytes, now: float) -> Sequence[ClientEvent]:
        """What a datagram from the server brings about. Nothing in it raises."""
        try:
            records = decode_records(datagram, len(self._config.cid or b""))
        except DecodeError:
            return ()
        events: list[ClientEvent] = []
        for record in records:
            handshake = self._handshake
            if handshake is not None:
                handshake.receive(record, now)
                events += self._settle(handshake)
            elif self._keys is not None and record.epoch == 1:
                events += self._receive_protected(self._keys, record)
        return events

    def send(self, data: bytes, now: float) -> None:
        """Queue one record of application data.

        Raises:
            LocalProtocolError: the connection is not established, or *data* does not fit one record.
        """
        if self._keys is None:
            raise LocalProtocolError(f"nothing can be sent: {self.state.value}")
        self._transmit(self._keys, _APPLICATION_DATA, data)

    def close(self, now: float) -> None:
        """Leave, with a close_notify if the connection is established. No event."""
        if self._keys is not None:
            self._transmit(self._keys, _ALERT, _CLOSE_NOTIFY)
        self._let_go(ClientState.CLOSED)

    def get_timer(self) -> float | None:
        """When `handle_timer` is wanted; None once the handshake is over."""
        return None if self._handshake is None else self._handshake.next_deadline

    def handle_timer(self, now: float) -> Sequence[ClientEvent]:
        """Repeat the flight that is due, or give up; harmless when nothing is due."""
        handshake = self._handshake
        if handshake is None:
            return ()
        handshake.handle_timer(now)
        return self._settle(handshake)

    def datagrams_to_send(self) -> Sequence[bytes]:
        """What is to be sent since the last call, in order. Taken once."""
        datagrams, self._outbox = self._outbox, []
        return datagrams

    def _settle(self, handshake: ClientHandshake) -> Sequence[ClientEvent]:
        self._outbox += handshake.to_send
        handshake.to_send.clear()
        if handshake.state is HandshakeState.ESTABLISHED:
            self._let_go(ClientState.ESTABLISHED)
            self._has_rrc = handshake.has_rrc
            self._keys = handshake.make_keys()
            self._last_flight = handshake.last_flight
            self.resumable = handshake.make_resumable()
            self._next_sequence = self._keys.next_sequence
            return (ClientEstablished(),)
        if handshake.state is HandshakeState.FAILED:
            self._let_go(ClientState.FAILED)
            return (ClientFailed(handshake.failure or HandshakeFailure.PROTOCOL_ERROR),)
        return ()

    def _let_go(self, state: ClientState) -> None:
        self.state = state
        self._handshake = None
        self._keys = None

    def _transmit(self, keys: Keys, content_type: int, content: bytes) -> None:
        sequence = self._next_sequence
        self._next_sequence = sequence + 1
        self._outbox.append(keys.sealer.seal(content_type, 1, sequence, content))

    def _receive_protected(self, keys: Keys, record: Record) -> Sequence[ClientEvent]:
        opened = keys.opener.open(record) if keys.window.is_fresh(record.sequence) else None
        if opened is None:
            return ()
        keys.window.mark(record.sequence)
        content_type, content = opened
        if content_type == _APPLICATION_DATA:
            self._last_flight = None
            return (ClientData(content),) if content else ()
        if content_type == _ALERT:
            return self._receive_alert(keys, content)
        if content_type == _HANDSHAKE:
            self._receive_handshake(keys, content)
        elif content_type == _ROUTABILITY and self._has_rrc:
            self._receive_routability(keys, content)
        return ()

    def _receive_alert(self, keys: Keys, content: bytes) -> Sequence[ClientEvent]:
        try:
            alert = decode_alert(content)
        except DecodeError:
            return ()
        if alert.is_close:
            self._transmit(keys, _ALERT, _CLOSE_NOTIFY)
            self._let_go(ClientState.CLOSED)
            return (ClientClosed(SessionEnd.CLOSE_NOTIFY),)
        if alert.is_fatal:
            self._let_go(ClientState.CLOSED)
            return (ClientClosed(SessionEnd.PEER_ALERT),)
        return ()

    def _receive_handshake(self, keys: Keys, content: bytes) -> None:
        try:
            message_type = decode_fragments(content)[0].message_type
        except DecodeError:
            return
        if message_type == HandshakeType.HELLO_REQUEST:
            self._transmit(keys, _ALERT, _NO_RENEGOTIATION)
        elif message_type == HandshakeType.FINISHED and self._last_flight is not None:
            self._repeat_last_flight(keys, *self._last_flight)

    def _repeat_last_flight(self, keys: Keys, next_in_clear: int, finished: bytes) -> None:
        self._last_flight = next_in_clear + 1, finished
        change = encode_record(ContentType.CHANGE_CIPHER_SPEC, next_in_clear, CHANGE_CIPHER_SPEC_BODY)
        self._transmit(keys, _HANDSHAKE, finished)
        self._outbox.append(change + self._outbox.pop())

    def _receive_routability(self, keys: Keys, content: bytes) -> None:
        try:
            message = decode_routability_message(content)
        except DecodeError:
            return
        if message is not None and message.type is RoutabilityType.PATH_CHALLENGE:
            self._transmit(
                keys,
                _ROUTABILITY,
                encode_routability_message(message._replace(type=RoutabilityType.PATH_RESPONSE)),
            )
