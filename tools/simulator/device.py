"""One LwM2M device, sans-IO: it connects, registers, answers its server, reports, and says good-bye.

Bytes, time and randomness come in, bytes and events go out. Knows no sockets, no addresses, no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from random import Random

from aiocoap.message import Message
from aiocoap.numbers.codes import Code

from gateway.lwm2m.formats import Format
from gateway.lwm2m.path import Path
from gateway.lwm2m.values import Value
from tools.simulator.attending import Attendant
from tools.simulator.channel import (
    Channel,
    ChannelData,
    ChannelDown,
    ChannelEvent,
    ChannelUp,
    build_channel,
)
from tools.simulator.client.client import Client
from tools.simulator.client.effects import DisableWanted, DownloadWanted, Effect, RebootWanted, UpdateWanted
from tools.simulator.client.firmware import Result
from tools.simulator.coap import Answer, CoapClient, NoAnswer, Outcome
from tools.simulator.events import (
    AttemptFailed,
    Deregistered,
    DeviceEvent,
    Ended,
    GaveUp,
    HandshakeDone,
    PackageWanted,
    Rebooted,
    Registered,
    Sent,
    SessionLost,
    Updated,
)
from tools.simulator.lifecycle import TRANSITIONS, State, Trigger
from tools.simulator.messages import MessageIds, is_success
from tools.simulator.news import News
from tools.simulator.pacing import Pacing
from tools.simulator.playing import Player
from tools.simulator.radio import Radio
from tools.simulator.requests import build_deregister, build_register, build_send, build_update
from tools.simulator.settings import DeviceSettings

MAX_SENDS = 16
"Sends that wait; further ones are not taken."


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

        mids = MessageIds(random)
        self._coap = CoapClient(settings.coap, random, mids)
        self._attendant = _build_attendant(settings, random, mids)
        if self._attendant is not None:
            self._attendant.join(self._coap)
            self._coap.on_request = self._receive_request
        self._channel: Channel = build_channel(settings, entropy)
        self._events: deque[DeviceEvent] = deque()
        self._stage_at = 0.0
        self._lost_place_at = 0.0
        self._spoke_at = 0.0
        self._due_at: float | None = None
        self._reboot_at: float | None = None
        self._pause_wanted_s: float | None = None
        self._sends: deque[Message] = deque()
        self._is_sending = False
        self._news = News(settings.lifetime_s)
        self._pacing = Pacing(settings, random)
        self._radio = Radio(random)
        self._player = Player(settings.steps, random)

    # -- the five verbs ---------------------------------------------------------------------------

    def receive_datagram(self, data: bytes, now: float) -> None:
        """Take one datagram from the server."""
        if self.state.is_final or self._is_asleep(now) or not self._radio.hears():
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
        self._player.play_due(self, now)
        if self._reboot_at is not None and now >= self._reboot_at:
            self.reboot(now)
        if self._due_at is not None and now >= self._due_at:
            self._handle_due(now)
        self._flush(now)

    def get_timer(self) -> float | None:
        """When `handle_timer` wants to be called next; None: not before something else happens."""
        if self.state.is_final:
            return None
        timers = (
            self._due_at,
            self._reboot_at,
            self._player.get_timer(),
            self._coap.get_timer(),
            self._channel.get_timer(),
            None if self._attendant is None else self._attendant.get_timer(),
        )
        return min((timer for timer in timers if timer is not None), default=None)

    def next_event(self) -> DeviceEvent | None:
        """The oldest event not yet taken."""
        return self._events.popleft() if self._events else None

    def datagrams_to_send(self) -> Sequence[bytes]:
        """Drain the outbox; to the server, in this order."""
        return self._radio.pass_on(self._channel.datagrams_to_send())

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
        if self.state is State.REGISTERED:
            self._news.want_update(lifetime_s)
            self._flush(now)

    @property
    def client(self) -> Client:
        """The device's objects. Only where the settings have contents; after a change call `settle`."""
        assert self._attendant is not None, "a device without contents only registers"
        return self._attendant.client

    def set_value(self, path: Path, value: Value, now: float) -> None:
        """The device has measured or decided *value*; who observes it is told.

        Raises:
            Unfit: it is none of the resource's type.
        """
        self.client.set(path, value, now)
        self._flush(now)

    def send(self, paths: tuple[Path, ...], now: float, format_: Format = Format.SENML_CBOR) -> bool:
        """Send what is at and below *paths*, once nothing else is under way; False when that may not be.

        Raises:
            EncodeError: the format cannot say it.
        """
        if not self.client.may_send or len(self._sends) >= MAX_SENDS:
            return False
        self._sends.append(build_send(self.client.build_send(paths, format_), format_.number))
        self._flush(now)
        return True

    def finish_download(self, outcome: bytes | Result, now: float) -> None:
        """The package that was wanted, or why it could not be had."""
        self.client.finish_download(outcome, now)
        self._flush(now)

    def reboot(self, now: float) -> None:
        """Lose session and registration without a word, and start anew; not while it is starting anyway."""
        self._reboot_at = None
        if self.state not in (State.REGISTERED, State.UPDATING, State.WAITING):
            return
        self._events.append(Rebooted())
        self._lost_place_at = now
        self._channel.drop()
        self._move(Trigger.LOST, now)
        self._due_at = now + self.settings.reboot_s

    def go_offline(self) -> None:
        """Nothing is sent or heard until `go_online`; what is observed may be kept meanwhile."""
        self._radio.is_offline = True

    def go_online(self, now: float) -> None:
        """Send and hear again."""
        self._radio.is_offline = False
        if self._attendant is not None:
            self._attendant.client.observations.catch_up(now)
        self._flush(now)

    def lose(self, part: float) -> None:
        """From now on lose this *part* of the datagrams, each way."""
        self._radio.loss = part

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
        if self._is_sending:
            self._finish_send(outcome, now)
        elif self.state is State.DISABLING:
            self._move(Trigger.ACCEPTED, now)
        elif isinstance(outcome, NoAnswer):
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
            self._player.begin(now)
            self._events.append(Registered(answer.location, duration_s, now - self._lost_place_at))
        elif self.state is State.UPDATING:
            self._events.append(Updated(duration_s))
        elif self.state is State.DEREGISTERING:
            self._events.append(Deregistered())
        self._pacing.note_success()
        self._move(Trigger.ACCEPTED, now)

    def _handle_due(self, now: float) -> None:
        if self.state is State.HANDSHAKING:
            self._fail("no answer", now)
        elif self.state is State.WAITING:
            self._move(Trigger.RETRY if self._channel.is_up else Trigger.RESTART, now)
        else:
            self._news.want_update()
            self._due_at = None

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
        if self._pacing.note_failure():
            self._events.append(GaveUp(stage.value, reason))
            self._move(Trigger.EXHAUSTED, now)
        elif pause_s is not None:
            self._due_at = now + max(pause_s, self._pacing.pause_s())

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
                self._news.take()
                if self._attendant is not None:
                    self._attendant.forget_server()
                lifetime_s, objects = self._news.lifetime_s, self._describe_objects()
                self._begin(build_register(self.settings, lifetime_s, objects), now)
            case State.REGISTERED:
                self._due_at = self._pacing.next_update_at(now, self._news.lifetime_s)
            case State.UPDATING:
                new_lifetime_s, are_objects_new = self._news.take()
                new_objects = self._describe_objects() if are_objects_new else None
                self._begin(build_update(self.location, new_lifetime_s, new_objects), now)
            case State.DISABLING:
                self._begin(build_deregister(self.location), now)
            case State.DEREGISTERING if before is not State.DEREGISTERING:
                self._begin(build_deregister(self.location), now)
            case State.WAITING:
                self._abandon()
                is_told_to = before is State.DISABLING
                self._due_at = now + (self._stay_away() if is_told_to else self._pacing.pause_s())
            case State.GONE | State.FAILED:
                self._abandon()
                self._channel.close(now)
                if not before.is_final:
                    self._events.append(Ended())

    def _begin_handshake(self, now: float) -> None:
        self._stage_at = now
        self._due_at = now + self.settings.handshake_timeout_s if self.settings.is_secure else None
        self._handle_channel_events(self._channel.open(now), now)

    def _begin(self, request: Message, now: float) -> None:
        self._is_sending = False
        self._stage_at = now
        self._coap.send_request(request, now)

    def _abandon(self) -> None:
        self._coap.abandon()
        self._is_sending = False

    def _stay_away(self) -> float:
        """A disabled device drops its session, and comes back after this many seconds."""
        self._channel.drop()
        pause_s, self._pause_wanted_s = self._pause_wanted_s, None
        return pause_s or 0.0

    # -- what is asked of it ----------------------------------------------------------------------

    @property
    def _is_in_service(self) -> bool:
        return self.state in (State.REGISTERED, State.UPDATING)

    def _receive_request(self, message: Message, now: float) -> None:
        # Before its Register is acknowledged a device has no server (OMA Core TS 1.2 §6.2.1).
        if self._is_in_service and self._attendant is not None:
            self._attendant.receive_request(message, now)

    def _heed(self, effect: Effect, now: float) -> None:
        match effect:
            case UpdateWanted(lifetime_s=lifetime_s, has_new_objects=has_new_objects):
                self._news.want_update(lifetime_s, has_new_objects=has_new_objects)
            case DownloadWanted(uri=uri):
                self._events.append(PackageWanted(uri))
            case RebootWanted():
                # The answer leaves first.
                self._reboot_at = now
            case DisableWanted(pause_s=pause_s) if self._is_in_service:
                self._pause_wanted_s = pause_s
                self._move(Trigger.DISABLE, now)

    def _describe_objects(self) -> str | None:
        return None if self._attendant is None else self._attendant.client.describe_objects()

    def _finish_send(self, outcome: Outcome, now: float) -> None:
        self._is_sending = False
        if isinstance(outcome, Answer) and is_success(outcome.code):
            self._events.append(Sent(now - self._stage_at))
        else:
            reason = outcome.value if isinstance(outcome, NoAnswer) else str(outcome)
            self._events.append(AttemptFailed("sending", reason))

    # -- sending ----------------------------------------------------------------------------------

    def _flush(self, now: float) -> None:
        if self._attendant is not None:
            is_reachable = self._is_in_service and not self._radio.is_offline
            self._send(self._attendant.attend(now, is_reachable=is_reachable), now)
            for effect in self._attendant.take_effects():
                self._heed(effect, now)
        if self.state is State.REGISTERED and not self._coap.is_waiting:
            self._go_on(now)
        self._send(self._coap.messages_to_send(), now)

    def _go_on(self, now: float) -> None:
        """Begin what had to wait for the request before."""
        if self._news.is_update_wanted:
            self._move(Trigger.DUE, now)
        elif self._sends:
            self._begin(self._sends.popleft(), now)
            self._is_sending = True

    def _send(self, messages: Sequence[bytes], now: float) -> None:
        for message in messages:
            self._channel.send(message, now)
            self._spoke_at = now

    def _is_asleep(self, now: float) -> bool:
        return (
            self.settings.is_queue_mode
            and self.state is State.REGISTERED
            and now > self._spoke_at + self.settings.awake_s
        )


def _build_attendant(settings: DeviceSettings, random: Random, mids: MessageIds) -> Attendant | None:
    if settings.contents is None:
        return None
    return Attendant(settings.contents, settings.coap, random, mids, is_confirmable=settings.is_confirmable)
