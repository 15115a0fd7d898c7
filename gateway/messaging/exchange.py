"""The message layer: types and ids of messages (RFC 7252 §4), in the place of aiocoap's message manager.

Sorts what comes in: requests to `Requests`, acknowledgements and Resets to `Outgoing`, responses to aiocoap's
token manager, which finds who asked by remote and token. Sends what aiocoap asks for. Nothing that a peer
sends raises here, makes a timer of its own, or is kept beyond the limits of the settings. Knows no sockets.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import structlog
from aiocoap.error import ConRetransmitsExceeded, NetworkError
from aiocoap.message import Message
from aiocoap.numbers.constants import TransportTuning

from gateway.messaging import format as wire
from gateway.messaging.counters import MessageCounters
from gateway.messaging.deduplication import Memory, key_of
from gateway.messaging.outgoing import Outgoing, TooManyTransmissions, Transmission
from gateway.messaging.remote import Remote, SessionRemote, sender_of
from gateway.messaging.requests import Dispatch, Requests
from gateway.messaging.seam import MessageLayerInterface, Tokens
from gateway.messaging.settings import MessagingSettings

_log = structlog.get_logger("gateway.messaging")


class TooManyRequests(NetworkError):
    """A request of ours was not sent: too many are waiting already."""


class MessageLayer(MessageLayerInterface):
    """One for all peers of the process, plain and secure."""

    def __init__(
        self,
        tokens: Tokens,
        dispatch: Dispatch,
        *,
        loop: asyncio.AbstractEventLoop,
        entropy: Callable[[int], bytes],
        settings: MessagingSettings | None = None,
    ) -> None:
        """*dispatch* sees each request first; *entropy* gives that many random bytes."""
        self.counters = MessageCounters()
        self._settings = settings or MessagingSettings()
        self._tokens = tokens
        self._entropy = entropy
        self._now = loop.time
        self._is_closed = False
        self._memory = Memory(self._settings.max_remembered, self._settings.exchange_lifetime_s)
        self._outgoing = Outgoing(self._settings, self.counters, loop, entropy, self._give_up)
        self._requests = Requests(
            tokens, dispatch, self._outgoing, self._memory, self._settings, self.counters, loop, entropy
        )

    def receive(self, datagram: bytes, remote: Remote) -> None:
        """Take one datagram from *remote*. Never raises."""
        if len(datagram) < wire.HEADER_BYTES or datagram[0] & 0xC0 != wire.VERSION_BITS:
            self.counters.dropped_malformed += 1
            return
        is_request = 0 < datagram[1] < 0x20 and not datagram[0] & 0x20
        try:
            if is_request:
                self._requests.receive(datagram, remote)
            else:
                self._receive_other(datagram, remote)
        except wire.DecodeError:
            self.counters.dropped_malformed += 1
            if datagram[0] & 0x30 == 0:
                remote.transmit(wire.encode_empty(wire.RST, datagram[2] << 8 | datagram[3]))
        except Exception:  # noqa: BLE001
            # The border of a CoAP request: an error of ours must not end the reader.
            self.counters.failures += 1
            _log.exception("a message could not be handled", peer=str(remote.address), code=datagram[1])
            if is_request:
                self._requests.fail(datagram, remote)

    def end_session(self, remote: SessionRemote, reason: str) -> None:
        """The session is over: requests to it fail, observations of it end, nothing more is sent."""
        remote.is_closed = True
        self._outgoing.drop(remote)
        self._requests.forget(remote)
        if remote.has_dialogue and not self._is_closed:
            self._tokens.dispatch_error(NetworkError(reason), remote)

    @property
    def open_exchanges(self) -> int:
        """Requests without an answer yet."""
        return len(self._requests)

    @property
    def transmissions(self) -> int:
        """Confirmable messages of ours under way or waiting."""
        return len(self._outgoing)

    # --- called by aiocoap

    def recognizes(self, remote: object) -> bool:
        return isinstance(remote, Remote) and remote.is_usable

    def send_message(
        self, message: Message, messageerror_monitor: Callable[[], object]
    ) -> Callable[[], None] | None:
        """Send an answer of a resource, or a request of ours; of that, what cancels it is returned."""
        if wire.code_of(message).is_response():
            self._requests.respond(message)
            return None
        return self._send_request(message, messageerror_monitor)

    async def shutdown(self) -> None:
        """Stop all timers. Nothing is sent any more."""
        self._is_closed = True
        self._requests.close()
        self._outgoing.close()

    # --- requests of ours

    def _send_request(
        self, message: Message, messageerror_monitor: Callable[[], object]
    ) -> Callable[[], None] | None:
        remote = sender_of(message)
        if self._is_closed or not remote.is_usable:
            raise NetworkError("the session is over")
        if isinstance(remote, SessionRemote):
            remote.has_dialogue = True
        message.mid = mid = self._outgoing.next_mid(remote)
        is_reliable = message.transport_tuning.reliability is not False
        message_type = wire.CON if is_reliable else wire.NON
        message.mtype = wire.TYPES[message_type]
        header = wire.encode_header(message_type, wire.code_of(message), mid, message.token)
        datagram = header + wire.encode_body(message)
        if not is_reliable:
            remote.transmit(datagram)
            return None
        timeout_s, factor, attempts = self._tuning(message.transport_tuning)
        transmission = Transmission(
            remote,
            mid,
            datagram,
            is_request=True,
            timeout_s=self._outgoing.spread(timeout_s, factor),
            attempts=attempts,
            on_reset=messageerror_monitor,
        )
        try:
            self._outgoing.send(transmission)
        except TooManyTransmissions as error:
            raise TooManyRequests(str(error)) from error
        return partial(self._outgoing.cancel, transmission)

    def _tuning(self, tuning: TransportTuning) -> tuple[float, float, int]:
        """Timeout, random factor and retransmissions: the message's own if it has any, else the settings'."""
        if type(tuning) is TransportTuning:
            settings = self._settings
            return settings.ack_timeout_s, settings.ack_random_factor, settings.max_retransmit
        return tuning.ACK_TIMEOUT, tuning.ACK_RANDOM_FACTOR, tuning.MAX_RETRANSMIT

    def _give_up(self, remote: Remote) -> None:
        self._tokens.dispatch_error(ConRetransmitsExceeded("no acknowledgement"), remote)

    # --- what is no request

    def _receive_other(self, datagram: bytes, remote: Remote) -> None:
        message, traits, _ = wire.decode_message(datagram, remote)
        message_type = datagram[0] >> 4 & 3
        if datagram[1] != 0:
            self._receive_response(message, message_type, traits, datagram)
        elif message_type == wire.CON:
            self.counters.pings += 1
            remote.transmit(wire.encode_empty(wire.RST, message.mid))
        else:
            self._settle(remote, message.mid, is_reset=message_type == wire.RST)

    def _settle(self, remote: Remote, mid: int, *, is_reset: bool) -> bool:
        transmission = self._outgoing.settle(remote, mid)
        if transmission is None:
            self.counters.dropped_unmatched += 1
            return False
        if is_reset:
            self.counters.resets_received += 1
            transmission.on_reset()
        return True

    def _receive_response(self, message: Message, message_type: int, traits: int, datagram: bytes) -> None:
        self.counters.responses += 1
        remote = sender_of(message)
        is_acceptable = not traits & wire.BAD_OPTION
        if message_type == wire.ACK:
            if self._settle(remote, message.mid, is_reset=not is_acceptable) and is_acceptable:
                self._deliver(message)
        elif message_type == wire.CON:
            self._receive_confirmable_response(message, datagram, is_acceptable)
        elif not (is_acceptable and self._deliver(message)) and traits & wire.OBSERVE:
            # A notification nobody waits for: the Reset ends it at its source (RFC 7641 §3.6).
            remote.transmit(wire.encode_empty(wire.RST, message.mid))

    def _receive_confirmable_response(self, message: Message, datagram: bytes, is_acceptable: bool) -> None:
        remote = sender_of(message)
        now = self._now()
        key = key_of(remote, datagram)
        reply = self._memory.recall(remote, key, now)
        if not isinstance(reply, bytes):
            is_wanted = is_acceptable and self._deliver(message)
            reply = wire.encode_empty(wire.ACK if is_wanted else wire.RST, message.mid)
            self._memory.remember(remote, key, now, reply)
        else:
            self.counters.duplicates += 1
        remote.transmit(reply)

    def _deliver(self, message: Message) -> bool:
        is_wanted = not self._is_closed and bool(self._tokens.process_response(message))
        if not is_wanted:
            self.counters.dropped_unmatched += 1
        return is_wanted
