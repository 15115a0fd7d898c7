"""One LwM2M device, sans-IO: it connects, registers, keeps its registration and says good-bye.

Bytes, time and randomness come in, bytes and events go out. Knows no sockets, no addresses, no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from random import Random

from aiocoap.message import Message
from aiocoap.numbers.codes import Code

from gateway.dtls.client import ClientConfig
from tools.simulator.channel import (
    Channel,
    ChannelData,
    ChannelDown,
    ChannelEvent,
    ChannelUp,
    PlainChannel,
    SecureChannel,
)
from tools.simulator.coap import Answer, CoapClient, NoAnswer, Outcome
from tools.simulator.events import (
    AttemptFailed,
    Deregistered,
    DeviceEvent,
    Ended,
    GaveUp,
    HandshakeDone,
    Registered,
    SessionLost,
    Updated,
)
from tools.simulator.lifecycle import TRANSITIONS, State, Trigger
from tools.simulator.messages import is_success
from tools.simulator.requests import build_deregister, build_register, build_update
from tools.simulator.settings import DeviceSettings

_LONGEST_RETRANSMISSION_S = 93.0


class Device:
    """A simulated device.

    `start` once; then `receive_datagram` and `handle_timer` as things come; after each call take
    `datagrams_to_send`, `next_event` and `get_timer`. `stop` deregisters and ends.
    """

    def __init__(self, settings: DeviceSettings, entropy: Callable[[int], bytes], random: Random) -> None:
        self.settings = settings
        self.state = State.STARTING
        self.location: tuple[str, ...] = ()
        "Location-Path of the newest accepted Register."

        self.lifetime_s = settings.lifetime_s
        self._random = random
        self._coap = CoapClient(settings.coap, random)
        self._channel: Channel = _build_channel(settings, entropy)
        self._events: deque[DeviceEvent] = deque()
        self._failures = 0
        self._stage_at = 0.0
        self._lost_place_at = 0.0
        self._spoke_at = 0.0
        self._due_at: float | None = None
        self._is_lifetime_news = False

    # -- the five verbs ---------------------------------------------------------------------------

    def receive_datagram(self, data: bytes, now: float) -> None:
        """Take one datagram from the server."""
        if self.state.is_final or self._is_asleep(now):
            return
        self._handle_channel_events(self._channel.receive_datagram(data, now), now)
        self._flush(now)

    def handle_timer(self, now: float) -> None:
        """Do what is due. Called early, it does nothing."""
        if self.state.is_final:
            return
        self._handle_channel_events(self._channel.handle_timer(now), now)
        outcome = self._coap.handle_timer(now)
        if outcome is not None:
            self._handle_outcome(outcome, now)
        if self._due_at is not None and now >= self._due_at:
            self._handle_due(now)
        self._flush(now)

    def get_timer(self) -> float | None:
        """When `handle_timer` wants to be called next; None: not before something else happens."""
        if self.state.is_final:
            return None
        timers = (self._due_at, self._coap.get_timer(), self._channel.get_timer())
        return min((timer for timer in timers if timer is not None), default=None)

    def next_event(self) -> DeviceEvent | None:
        """The oldest event not yet taken."""
        return self._events.popleft() if self._events else None

    def datagrams_to_send(self) -> Sequence[bytes]:
        """Drain the outbox; to the server, in this order."""
        return self._channel.datagrams_to_send()

    # -- what the owner may ask for ---------------------------------------------------------------

    def start(self, now: float) -> None:
        """Begin the handshake, or with plain CoAP the Register."""
        self._lost_place_at = now
        self._move(Trigger.START, now)
        self._flush(now)

    def stop(self, now: float) -> None:
        """De-register if registered, and end. A final state is kept."""
        self._move(Trigger.STOP, now)
        self._flush(now)

    def update(self, now: float, lifetime_s: int | None = None) -> None:
        """Send an Update now, if registered; with a lifetime it becomes the device's own."""
        if self.state is not State.REGISTERED:
            return
        if lifetime_s is not None:
            self.lifetime_s = lifetime_s
            self._is_lifetime_news = True
        self._move(Trigger.DUE, now)
        self._flush(now)

    def receive_unreachable(self, now: float) -> None:
        """The network says that nothing listens there: a first contact need not wait for its timeout."""
        if self.state in (State.HANDSHAKING, State.REGISTERING):
            self._fail("nothing listens there", now)
            self._flush(now)

    # -- inputs -----------------------------------------------------------------------------------

    def _handle_channel_events(self, events: Sequence[ChannelEvent], now: float) -> None:
        for event in events:
            if self.state.is_final:
                return
            match event:
                case ChannelUp():
                    if self.settings.is_secure:
                        self._events.append(HandshakeDone(now - self._stage_at))
                    self._move(Trigger.UP, now)
                case ChannelData(data=data):
                    outcome = self._coap.receive(data, now)
                    if outcome is not None:
                        self._handle_outcome(outcome, now)
                case ChannelDown(reason=reason):
                    self._handle_down(reason, now)

    def _handle_down(self, reason: str, now: float) -> None:
        self._channel.close(now)
        if self.state in (State.HANDSHAKING, State.REGISTERING):
            self._fail(reason, now)
        else:
            self._events.append(SessionLost(reason))
            self._lost_place_at = now
            self._move(Trigger.LOST, now)

    def _handle_outcome(self, outcome: Outcome, now: float) -> None:
        """The request under way has ended."""
        if isinstance(outcome, NoAnswer):
            self._channel.drop()
            self._fail(outcome.value, now)
        elif is_success(outcome.code):
            self._accept(outcome, now)
        elif outcome.code is Code.NOT_FOUND and self.state is not State.REGISTERING:
            self._events.append(AttemptFailed(self.state.value, str(outcome)))
            self._lost_place_at = now
            self._move(Trigger.UNKNOWN, now)
        else:
            is_overloaded = outcome.code is Code.SERVICE_UNAVAILABLE
            self._fail(str(outcome), now, outcome.max_age_s if is_overloaded else None)

    def _accept(self, answer: Answer, now: float) -> None:
        duration_s = now - self._stage_at
        if self.state is State.REGISTERING:
            self.location = answer.location
            self._events.append(Registered(answer.location, duration_s, now - self._lost_place_at))
        elif self.state is State.UPDATING:
            self._is_lifetime_news = False
            self._events.append(Updated(duration_s))
        elif self.state is State.DEREGISTERING:
            self._events.append(Deregistered())
        self._failures = 0
        self._move(Trigger.ACCEPTED, now)

    def _handle_due(self, now: float) -> None:
        if self.state is State.HANDSHAKING:
            self._fail("no answer", now)
        elif self.state is State.WAITING:
            self._move(Trigger.RETRY if self._channel.is_up else Trigger.RESTART, now)
        else:
            self._move(Trigger.DUE, now)

    def _fail(self, reason: str, now: float, pause_s: float | None = None) -> None:
        """The handshake or request under way came to nothing: wait and try again, or give up."""
        stage = self.state
        if stage is State.HANDSHAKING:
            self._channel.drop()
        elif stage is State.UPDATING:
            self._lost_place_at = now
        self._events.append(AttemptFailed(stage.value, reason))
        self._move(Trigger.FAILED, now)
        if self.state is not State.WAITING:
            return
        self._failures += 1
        if self._failures > self.settings.retries:
            self._events.append(GaveUp(stage.value, reason))
            self._move(Trigger.EXHAUSTED, now)
        elif pause_s is not None:
            self._due_at = now + max(pause_s, self._pause_s())

    # -- transitions ------------------------------------------------------------------------------

    def _move(self, trigger: Trigger, now: float) -> None:
        """Take the transition and begin what the new state is for."""
        before = self.state
        self.state = TRANSITIONS[before, trigger]
        self._due_at = None
        match self.state:
            case State.HANDSHAKING:
                self._begin_handshake(now)
            case State.REGISTERING:
                self._begin(build_register(self.settings, self.lifetime_s), now)
            case State.REGISTERED:
                self._due_at = self._next_update_at(now)
            case State.UPDATING:
                news = self.lifetime_s if self._is_lifetime_news else None
                self._begin(build_update(self.location, news), now)
            case State.DEREGISTERING if before is not State.DEREGISTERING:
                self._begin(build_deregister(self.location), now)
            case State.WAITING:
                self._coap.abandon()
                self._due_at = now + self._pause_s()
            case State.GONE | State.FAILED:
                self._coap.abandon()
                self._channel.close(now)
                if not before.is_final:
                    self._events.append(Ended())

    def _begin_handshake(self, now: float) -> None:
        self._stage_at = now
        self._due_at = now + self.settings.handshake_timeout_s if self.settings.is_secure else None
        self._handle_channel_events(self._channel.open(now), now)

    def _begin(self, request: Message, now: float) -> None:
        self._stage_at = now
        self._coap.send_request(request, now)

    def _next_update_at(self, now: float) -> float | None:
        """Early enough that a whole span of retransmissions fits before the lifetime ends."""
        if self.lifetime_s == 0:
            return None
        interval_s = max(self.lifetime_s - _LONGEST_RETRANSMISSION_S, self.lifetime_s / 2)
        return now + interval_s * (1 - self.settings.update_jitter * self._random.random())

    def _pause_s(self) -> float:
        settings = self.settings
        pause_s = min(settings.backoff_s * 2.0**self._failures, settings.backoff_max_s)
        return pause_s * self._random.uniform(0.75, 1.25)

    # -- sending ----------------------------------------------------------------------------------

    def _flush(self, now: float) -> None:
        for message in self._coap.messages_to_send():
            self._channel.send(message, now)
            self._spoke_at = now

    def _is_asleep(self, now: float) -> bool:
        return (
            self.settings.is_queue_mode
            and self.state is State.REGISTERED
            and now > self._spoke_at + self.settings.awake_s
        )


def _build_channel(settings: DeviceSettings, entropy: Callable[[int], bytes]) -> Channel:
    if settings.psk is None:
        return PlainChannel()
    config = ClientConfig(identity=settings.node_id.encode(), psk=settings.psk, cid=settings.cid)
    return SecureChannel(config, entropy)
