"""The message layer: types and ids of messages (RFC 7252 §4), in the place of aiocoap's message manager.

Sorts what comes in: requests to `Requests`, acknowledgements and Resets to `Outgoing`, responses to `Link`,
which knows by remote and token who asked. aiocoap is left with its resources, whose answers it hands down.
Nothing that a peer sends raises here, makes a timer of its own, or is kept beyond the limits of the settings.
Knows no sockets.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from aiocoap.error import NetworkError
from aiocoap.message import Message

from gateway.messaging import format as wire
from gateway.messaging.clientcodec import decode_reply
from gateway.messaging.counters import MessageCounters
from gateway.messaging.deduplication import Memory, key_of
from gateway.messaging.link import Link
from gateway.messaging.outgoing import Outgoing
from gateway.messaging.remote import Remote, SessionRemote
from gateway.messaging.requests import Dispatch, Requests
from gateway.messaging.seam import MessageLayerInterface, Tokens
from gateway.messaging.settings import MessagingSettings

_log = structlog.get_logger("gateway.messaging")


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
        self._now = loop.time
        self._is_closed = False
        self._memory = Memory(self._settings.max_remembered, self._settings.exchange_lifetime_s)
        self._outgoing = Outgoing(self._settings, self.counters, loop, entropy)
        self.link = Link(
            self._outgoing,
            self._settings.downlink,
            self._settings.ack_random_factor,
            self.counters,
            loop,
            entropy,
        )
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
        """The session is over: requests to it fail, nothing more is sent."""
        remote.is_closed = True
        self.link.end_session(remote, reason)
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

    def send_message(
        self, message: Message, messageerror_monitor: Callable[[], object]
    ) -> Callable[[], None] | None:
        """Send the answer of a resource."""
        if not wire.code_of(message).is_response():
            raise NotImplementedError("requests of ours go by `Link`")
        self._requests.respond(message)
        return None

    async def shutdown(self) -> None:
        """Stop all timers. Nothing is sent any more."""
        self._is_closed = True
        self._requests.close()
        self.link.close()
        self._outgoing.close()

    # --- what is no request

    def _receive_other(self, datagram: bytes, remote: Remote) -> None:
        message_type = datagram[0] >> 4 & 3
        mid = datagram[2] << 8 | datagram[3]
        if datagram[1] != 0:
            self._receive_response(datagram, remote, message_type, mid)
            return
        wire.check_code(0, message_type, len(datagram))
        if message_type == wire.CON:
            self.counters.pings += 1
            remote.transmit(wire.encode_empty(wire.RST, mid))
        else:
            self._settle(remote, mid, is_reset=message_type == wire.RST)

    def _settle(self, remote: Remote, mid: int, *, is_reset: bool) -> None:
        transmission = self._outgoing.settle(remote, mid)
        if transmission is None:
            self.counters.dropped_unmatched += 1
            return
        self.counters.resets_received += is_reset
        owner = transmission.owner
        if owner is not None:
            (owner.reset if is_reset else owner.acknowledged)()

    def _receive_response(self, datagram: bytes, remote: Remote, message_type: int, mid: int) -> None:
        if message_type == wire.CON:
            self._receive_confirmable_response(datagram, remote, mid)
            return
        reply = decode_reply(datagram)
        self.counters.responses += 1
        if message_type == wire.ACK:
            is_wanted = self.link.receive_piggybacked(remote, mid, reply)
        else:
            is_wanted = self.link.receive(remote, reply)
            if not is_wanted and reply.sequence is not None:
                # A notification nobody waits for: the Reset ends it at its source (RFC 7641 §3.6).
                remote.transmit(wire.encode_empty(wire.RST, mid))
        self.counters.dropped_unmatched += not is_wanted

    def _receive_confirmable_response(self, datagram: bytes, remote: Remote, mid: int) -> None:
        now = self._now()
        key = key_of(remote, datagram)
        reply = self._memory.recall(remote, key, now)
        if isinstance(reply, bytes):
            self.counters.duplicates += 1
        else:
            response = decode_reply(datagram)
            self.counters.responses += 1
            is_wanted = self.link.receive(remote, response)
            self.counters.dropped_unmatched += not is_wanted
            reply = wire.encode_empty(wire.ACK if is_wanted else wire.RST, mid)
            self._memory.remember(remote, key, now, reply)
        remote.transmit(reply)
