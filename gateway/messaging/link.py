"""The downlink: what is asked of devices, from the request to its outcome.

    request ─▶ waiting for its turn ─▶ sent ─▶ answered │ acknowledged ─▶ answered    ╮
                                        ╰─ timed out │ reset │ the session ends       ┴─▶ one outcome

A table of tokens on top of `Outgoing`, and a callback for each outcome: no task and no aiocoap object for a
request, and no timer but the retransmission's. Answers are taken from where the question went, only: the
same address, or the same session (RFC 7252 §9.1.2). What carries a token that nobody waits for is offered to
`Link.on_notification`. Knows nothing of what is asked.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from gateway.lwm2m.answers import Response
from gateway.lwm2m.requests import Request
from gateway.messaging import format as wire
from gateway.messaging.asking import Asking, OnOutcome
from gateway.messaging.clientcodec import Reply, encode_request
from gateway.messaging.counters import MessageCounters
from gateway.messaging.outcomes import (
    Answered,
    Outcome,
    SessionGone,
    TimedOut,
    Unsent,
    Unusable,
)
from gateway.messaging.outgoing import Outgoing, TooManyTransmissions, Transmission
from gateway.messaging.remote import Remote
from gateway.messaging.settings import DownlinkSettings
from gateway.messaging.transfer import MAX_BLOCK_BYTES, Garbled, Transfer

TOKEN_BYTES = 8

MAX_LATE = 1024
"Requests without an answer whose answer, if it comes after all, is acknowledged and dropped."

CANCEL = 1
"The Observe option that ends an observation (RFC 7641 §3.6)."

_TOO_LARGE = 0x8D
_CODES = tuple(f"{number >> 5}.{number & 0x1F:02}" for number in range(256))


class Notification(NamedTuple):
    """A response whose token belongs to no request: of an observation, or to nothing at all."""

    response: Response
    sequence: int | None
    "Its Observe option; None ends the relation, as any code but 2.xx does."

    first_block: Reply | None
    "None: all is here. Else `Link.fetch_rest` gets what is missing."


OnNotification = Callable[[Remote, bytes, Notification], bool]
"Takes a notification with its token; False when no such observation is known, which tells the device so."


class Link:
    """All requests to all devices."""

    def __init__(
        self,
        outgoing: Outgoing,
        settings: DownlinkSettings,
        random_factor: float,
        counters: MessageCounters,
        loop: asyncio.AbstractEventLoop,
        entropy: Callable[[int], bytes],
    ) -> None:
        """*random_factor* is ACK_RANDOM_FACTOR."""
        self.on_notification: OnNotification = _know_nothing
        "Whose observations these are; may be set at any time."

        self._outgoing = outgoing
        self._settings = settings
        self._random_factor = random_factor
        self._counters = counters
        self._loop = loop
        self._entropy = entropy
        self._asked: dict[bytes, Asking] = {}
        self._of_peers: dict[Remote, list[Asking]] = {}
        self._fetched: set[bytes] = set()
        self._late: OrderedDict[bytes, Remote] = OrderedDict()
        self._bodies_bytes = 0
        self._is_closed = False

    def __len__(self) -> int:
        """Requests without an outcome."""
        return len(self._asked)

    # --- called by whoever asks

    def request(
        self, remote: Remote, request: Request, on_outcome: OnOutcome, *, token: bytes | None = None
    ) -> Asking:
        """Ask *remote*, when the requests before this one have left it acknowledged (NSTART 1).

        A *token* is given for what concerns an observation, which has one for its whole life; elsewhere it is
        drawn anew for each message.
        """
        asking = Asking(self, remote, request, on_outcome, token)
        refusal = self._find_refusal(remote, token)
        if refusal is None:
            body = None
            if len(request.payload) > MAX_BLOCK_BYTES:
                asking.transfer = Transfer(request, self._settings.max_answer_bytes)
                body = asking.transfer.encode()
            self._begin(asking, body or encode_request(request, request.payload, observe=request.observe))
        else:
            self._loop.call_soon(asking.conclude, refusal)
        return asking

    def fetch_rest(
        self,
        remote: Remote,
        request: Request,
        token: bytes,
        notification: Notification,
        on_outcome: OnOutcome,
    ) -> Asking:
        """Get what is missing of *notification*; *request* is the one that its observation was made by.

        Until the outcome further notifications that begin a long answer are acknowledged and passed over: if
        the value changed meanwhile, the blocks tell.
        """
        assert notification.first_block is not None
        asking = Asking(self, remote, request, on_outcome, None)
        transfer = asking.transfer = Transfer(request, self._settings.max_answer_bytes)
        step = transfer.take_notification(notification.first_block)
        refusal = Unusable(step.reason) if isinstance(step, Garbled) else self._find_refusal(remote, None)
        if refusal is None:
            asking.observation = token
            self._bodies_bytes += transfer.size_bytes
            self._begin(asking, transfer.encode())
        else:
            self._loop.call_soon(asking.conclude, refusal)
        return asking

    # --- called by the message layer

    def receive(self, remote: Remote, reply: Reply) -> bool:
        """Take a response in a message of its own; False when it belongs to nothing."""
        asking = self._asked.get(reply.token)
        if asking is None or asking.remote != remote or self._is_of_observation(asking, reply):
            return self._receive_unasked(remote, reply)
        if asking.transmission is not None:
            self._outgoing.cancel(asking.transmission)
        self._take(asking, reply)
        return True

    def receive_piggybacked(self, remote: Remote, mid: int, reply: Reply) -> bool:
        """Take a response in the acknowledgement of *mid*; False when it belongs to nothing."""
        asking = self._asked.get(reply.token)
        if asking is None or asking.remote != remote:
            return False
        transmission = asking.transmission
        if transmission is None or transmission.mid != mid or not transmission.is_sent:
            return False
        self._outgoing.settle(remote, mid)
        self._take(asking, reply)
        return True

    def end_session(self, remote: Remote, reason: str) -> None:
        """Nothing can be asked of *remote* any more."""
        for asking in list(self._of_peers.get(remote, ())):
            self.finish(asking, SessionGone(reason, asking.is_sent))

    def close(self) -> None:
        """Stop, without telling anyone."""
        self._is_closed = True
        for asking in list(self._asked.values()):
            self.cancel(asking)

    # --- called by an `Asking`

    def cancel(self, asking: Asking) -> None:
        """See `Asking.cancel`."""
        if asking.transmission is not None:
            self._outgoing.cancel(asking.transmission)
        if asking.is_sent:
            self._expect_late(asking)
        self._forget(asking)
        asking.on_outcome = None

    def await_answer(self, asking: Asking) -> None:
        """The device has it, and answers when it can (RFC 7252 §5.2.2)."""
        asking.transmission = None
        asking.is_acknowledged = True
        asking.timer = self._loop.call_later(self._settings.response_timeout_s, self._expire, asking)

    def finish(self, asking: Asking, outcome: Outcome) -> None:
        """Let go of *asking*, and tell."""
        if type(outcome) is TimedOut:
            self._expect_late(asking)
        self._forget(asking)
        asking.conclude(outcome)

    # --- on the way out

    def _find_refusal(self, remote: Remote, token: bytes | None) -> Outcome | None:
        settings = self._settings
        if self._is_closed or not remote.is_usable:
            return SessionGone("the session is over", is_sent=False)
        if len(self._asked) >= settings.max_requests:
            return Unsent("too many requests are waiting for answers")
        if len(self._of_peers.get(remote, ())) >= settings.max_requests_per_peer:
            return Unsent("too many requests to this device are waiting for answers")
        if token is not None and token in self._asked:
            return Unsent("another request concerning this observation waits for its answer")
        return None

    def _begin(self, asking: Asking, body: bytes) -> None:
        peers = self._of_peers.get(asking.remote)
        if peers is None:
            self._of_peers[asking.remote] = [asking]
        else:
            peers.append(asking)
        self._send(asking, body)

    def _send(self, asking: Asking, body: bytes) -> None:
        """Send one message, under the token of the observation or a new one."""
        transfer, token = asking.transfer, asking.observation
        if token is not None and transfer is not None and not transfer.is_sending:
            self._fetched.add(token)
            token = None
        if token is None:
            token = self._entropy(TOKEN_BYTES)
        self._asked.pop(asking.token, None)
        asking.token = token
        self._asked[token] = asking
        asking.is_acknowledged = False
        outgoing, settings, remote = self._outgoing, self._settings, asking.remote
        mid = outgoing.next_mid(remote)
        header = wire.encode_header(wire.CON, asking.request.method.value, mid, token)
        asking.transmission = Transmission(
            remote,
            mid,
            header + body,
            timeout_s=outgoing.spread(settings.ack_timeout_s, self._random_factor),
            attempts=settings.max_retransmit,
            owner=asking,
        )
        try:
            outgoing.send(asking.transmission)
        except TooManyTransmissions as error:
            self._forget(asking)
            reason = str(error)
            outcome = Unusable(reason) if asking.is_part_sent else Unsent(reason)
            self._loop.call_soon(asking.conclude, outcome)

    def _expire(self, asking: Asking) -> None:
        self._counters.timeouts += 1
        asking.timer = None
        self.finish(asking, TimedOut(is_acknowledged=True))

    # --- on the way in

    def _is_of_observation(self, asking: Asking, reply: Reply) -> bool:
        """Whether *reply*, under the same token, is a notification that has nothing to do with *asking*."""
        if asking.observation is None or asking.token != asking.observation:
            return False
        if asking.transmission is not None and not asking.transmission.is_sent:
            return True
        return reply.sequence is not None and (asking.request.observe == CANCEL or not asking.is_acknowledged)

    def _receive_unasked(self, remote: Remote, reply: Reply) -> bool:
        if reply.bad_option or self._is_closed:
            return False
        block2 = reply.block2
        is_part = block2 is not None and block2[1]
        if is_part and reply.token in self._fetched:
            return True
        notification = Notification(_response_of(reply), reply.sequence, reply if is_part else None)
        if self.on_notification(remote, reply.token, notification):
            self._counters.notifications += 1
            return True
        return reply.sequence is None and self._late.get(reply.token) == remote

    def _take(self, asking: Asking, reply: Reply) -> None:
        asking.transmission = None
        asking.is_part_sent = True
        if asking.timer is not None:
            asking.timer.cancel()
            asking.timer = None
        if reply.bad_option:
            self.finish(asking, Unusable(f"option {reply.bad_option} of the answer is not understood"))
            return
        transfer = asking.transfer
        if transfer is None:
            block2 = reply.block2
            if (block2 is None or not block2[1]) and (reply.code != _TOO_LARGE or not asking.request.payload):
                self.finish(asking, Answered(_response_of(reply), reply.sequence))
                return
            transfer = asking.transfer = Transfer(asking.request, self._settings.max_answer_bytes)
        before = transfer.size_bytes
        step = transfer.take(reply)
        self._bodies_bytes += transfer.size_bytes - before
        if isinstance(step, Reply):
            self.finish(asking, Answered(_response_of(step), step.sequence))
        elif isinstance(step, Garbled):
            self.finish(asking, Unusable(step.reason))
        elif self._bodies_bytes > self._settings.max_answers_bytes:
            self.finish(asking, Unusable("too many long answers are being fetched"))
        else:
            self._send(asking, transfer.encode())

    # --- the tables

    def _forget(self, asking: Asking) -> None:
        if self._asked.get(asking.token) is not asking:
            return
        del self._asked[asking.token]
        peers = self._of_peers[asking.remote]
        peers.remove(asking)
        if not peers:
            del self._of_peers[asking.remote]
        if asking.timer is not None:
            asking.timer.cancel()
            asking.timer = None
        if asking.transfer is not None:
            self._bodies_bytes -= asking.transfer.size_bytes
            if asking.observation is not None:
                self._fetched.discard(asking.observation)

    def _expect_late(self, asking: Asking) -> None:
        self._late[asking.token] = asking.remote
        if len(self._late) > MAX_LATE:
            self._late.popitem(last=False)


def _response_of(reply: Reply) -> Response:
    return Response(
        _CODES[reply.code], reply.content_format, reply.payload, reply.sequence is not None, reply.location
    )


def _know_nothing(_remote: Remote, _token: bytes, _notification: Notification) -> bool:
    return False
