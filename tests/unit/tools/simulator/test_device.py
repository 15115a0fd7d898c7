from itertools import pairwise
from random import Random

import pytest
from aiocoap.numbers.codes import Code
from aiocoap.numbers.types import Type

from gateway.lwm2m.path import parse_path
from tests.support.coap import read
from tests.support.replies import empty, reply, request
from tools.simulator import device as module
from tools.simulator.channel import ChannelData, ChannelDown, ChannelUp
from tools.simulator.client.contents import factory_contents
from tools.simulator.device import Device
from tools.simulator.events import (
    AttemptFailed,
    Deregistered,
    Ended,
    GaveUp,
    HandshakeDone,
    Rebooted,
    Registered,
    Sent,
    SessionLost,
    Updated,
)
from tools.simulator.lifecycle import State
from tools.simulator.messages import encode_message, new_message
from tools.simulator.settings import DeviceSettings

PLACE = ("rd", "place")
KEY = b"k" * 16


class Bench:
    """A device of the plain kind with its clock in hand."""

    def __init__(self, **settings):
        settings = {"node_id": "node", "lifetime_s": 300, **settings}
        random = Random(1)
        self.now = 0.0
        self.device = Device(DeviceSettings(**settings), random.randbytes, random)

    def start(self):
        self.device.start(self.now)
        return self.sent()

    def sent(self):
        (datagram,) = self.device.datagrams_to_send()
        return datagram

    def silent(self):
        return list(self.device.datagrams_to_send()) == []

    def answer(self, datagram, code, **options):
        self.device.receive_datagram(reply(datagram, code, **options), self.now)

    def tick(self):
        """Let the device's next timer come."""
        self.now = self.device.get_timer()
        self.device.handle_timer(self.now)

    def events(self):
        return list(iter(self.device.next_event, None))

    def register(self):
        self.answer(self.start(), Code.CREATED, location=PLACE)
        self.events()


def test_plain_device_registers_without_a_handshake():
    bench = Bench()
    register = bench.start()
    assert bench.device.state is State.REGISTERING
    assert read(register).opt.uri_query[0] == "ep=node"
    bench.now = 0.5
    bench.answer(register, Code.CREATED, location=PLACE)
    assert bench.device.state is State.REGISTERED
    assert bench.device.location == PLACE
    assert bench.events() == [Registered(PLACE, 0.5, 0.5)]


def test_device_does_nothing_before_its_start():
    bench = Bench()
    assert bench.silent()
    assert bench.device.get_timer() is None
    assert bench.device.next_event() is None


def test_update_goes_out_before_the_lifetime_ends_with_room_for_retransmissions():
    bench = Bench(lifetime_s=300, update_jitter=0.1)
    bench.register()
    assert 207 * 0.9 <= bench.device.get_timer() <= 207
    bench.tick()
    assert bench.device.state is State.UPDATING
    update = bench.sent()
    assert read(update).opt.uri_path == PLACE
    assert read(update).opt.uri_query == ()
    bench.answer(update, Code.CHANGED)
    assert bench.device.state is State.REGISTERED
    assert bench.events() == [Updated(0.0)]


def test_short_lifetime_is_renewed_at_half_of_it():
    bench = Bench(lifetime_s=20, update_jitter=0.0)
    bench.register()
    assert bench.device.get_timer() == 10


def test_unlimited_lifetime_needs_no_update():
    bench = Bench(lifetime_s=0)
    bench.register()
    assert bench.device.get_timer() is None


def test_lost_register_is_sent_again():
    bench = Bench()
    register = bench.start()
    bench.tick()
    assert bench.sent() == register
    assert bench.device.state is State.REGISTERING


def refuse_until_the_end(bench, code=Code.FORBIDDEN):
    """Refuse every Register; gives the pauses between them."""
    register, pauses = bench.start(), []
    while True:
        bench.answer(register, code)
        if bench.device.state.is_final:
            return pauses
        assert bench.device.state is State.WAITING
        before = bench.now
        bench.tick()
        pauses.append(bench.now - before)
        register = bench.sent()


def test_refused_register_is_tried_five_times_more_with_growing_pauses_then_given_up():
    bench = Bench()
    pauses = refuse_until_the_end(bench)
    assert len(pauses) == 5
    assert all(later > earlier for earlier, later in pairwise(pauses))
    assert bench.device.state is State.FAILED
    assert bench.events() == [AttemptFailed("registering", "4.03")] * 6 + [
        GaveUp("registering", "4.03"),
        Ended(),
    ]
    assert bench.device.get_timer() is None


def test_pauses_have_an_upper_bound():
    bench = Bench(retries=12, backoff_max_s=4.0)
    assert max(refuse_until_the_end(bench)) <= 5.0


def test_unanswered_register_is_given_up_after_six_attempts():
    bench = Bench()
    bench.device.start(0.0)
    while not bench.device.state.is_final:
        bench.tick()
    assert len(bench.device.datagrams_to_send()) == 6 * 5
    assert bench.events()[-2:] == [GaveUp("registering", "no answer"), Ended()]


def test_success_makes_the_device_patient_again():
    bench = Bench()
    register = bench.start()
    for _ in range(5):
        bench.answer(register, Code.FORBIDDEN)
        bench.tick()
        register = bench.sent()
    bench.answer(register, Code.CREATED, location=PLACE)
    bench.tick()
    bench.answer(bench.sent(), Code.BAD_REQUEST)
    assert bench.device.state is State.WAITING


def test_overloaded_server_gets_the_pause_it_asks_for():
    bench = Bench()
    bench.answer(bench.start(), Code.SERVICE_UNAVAILABLE, max_age=40)
    assert bench.device.get_timer() == 40


def test_max_age_of_other_answers_means_nothing():
    bench = Bench()
    bench.answer(bench.start(), Code.FORBIDDEN, max_age=40)
    assert bench.device.get_timer() < 2


def test_unknown_registration_is_made_anew_at_once():
    bench = Bench()
    bench.register()
    bench.tick()
    bench.answer(bench.sent(), Code.NOT_FOUND)
    assert bench.device.state is State.REGISTERING
    assert read(bench.sent()).opt.uri_path == ("rd",)
    assert bench.events() == [AttemptFailed("updating", "4.04")]


def test_register_that_is_not_found_is_a_failure_like_others():
    bench = Bench()
    bench.answer(bench.start(), Code.NOT_FOUND)
    assert bench.device.state is State.WAITING


def test_time_to_a_place_counts_from_its_loss():
    bench = Bench()
    bench.register()
    bench.tick()
    lost_at = bench.now
    bench.answer(bench.sent(), Code.NOT_FOUND)
    register = bench.sent()
    bench.now = lost_at + 3
    bench.events()
    bench.answer(register, Code.CREATED, location=("rd", "other"))
    assert bench.events() == [Registered(("rd", "other"), 3.0, 3.0)]
    assert bench.device.location == ("rd", "other")


def test_unanswered_update_leads_to_a_new_register():
    bench = Bench()
    bench.register()
    bench.tick()
    while bench.device.state is State.UPDATING:
        bench.tick()
    assert bench.device.state is State.WAITING
    bench.device.datagrams_to_send()
    bench.tick()
    assert bench.device.state is State.REGISTERING
    assert read(bench.sent()).opt.uri_path == ("rd",)


def test_stopped_device_deregisters_and_is_gone():
    bench = Bench()
    bench.register()
    bench.device.stop(5.0)
    deregister = bench.sent()
    assert (read(deregister).code, read(deregister).opt.uri_path) == (Code.DELETE, PLACE)
    bench.answer(deregister, Code.DELETED)
    assert bench.device.state is State.GONE
    assert bench.events() == [Deregistered(), Ended()]


@pytest.mark.parametrize("code", [Code.NOT_FOUND, Code.FORBIDDEN])
def test_refused_deregister_ends_all_the_same(code):
    bench = Bench()
    bench.register()
    bench.device.stop(5.0)
    bench.answer(bench.sent(), code)
    assert bench.device.state is State.GONE
    assert bench.events() == [AttemptFailed("deregistering", f"4.0{code & 7}"), Ended()]


def test_second_stop_changes_nothing():
    bench = Bench()
    bench.register()
    bench.device.stop(5.0)
    deregister = bench.sent()
    bench.device.stop(6.0)
    assert bench.silent()
    bench.answer(deregister, Code.DELETED)
    bench.device.stop(7.0)
    assert bench.events() == [Deregistered(), Ended()]


def test_stop_during_an_update_deregisters():
    bench = Bench()
    bench.register()
    bench.tick()
    bench.sent()
    bench.device.stop(bench.now)
    assert read(bench.sent()).code is Code.DELETE


@pytest.mark.parametrize("has_started", [False, True])
def test_device_without_a_place_is_gone_at_once(has_started):
    bench = Bench()
    if has_started:
        bench.start()
    bench.device.stop(1.0)
    assert bench.device.state is State.GONE
    assert bench.events() == [Ended()]


def test_stop_during_a_pause_ends_it():
    bench = Bench()
    bench.answer(bench.start(), Code.FORBIDDEN)
    bench.device.stop(bench.now)
    assert (bench.device.state, bench.device.get_timer()) == (State.GONE, None)


def test_device_that_is_over_hears_and_does_nothing():
    bench = Bench()
    bench.start()
    bench.device.stop(1.0)
    bench.device.receive_datagram(empty(Type.CON, 1), 2.0)
    bench.device.handle_timer(1000.0)
    assert bench.silent()


def test_new_lifetime_goes_with_the_next_update_only():
    bench = Bench(update_jitter=0.0)
    bench.register()
    bench.device.update(1.0, lifetime_s=60)
    update = bench.sent()
    assert read(update).opt.uri_query == ("lt=60",)
    bench.now = 1.0
    bench.answer(update, Code.CHANGED)
    assert bench.device.get_timer() == 31
    bench.device.update(2.0)
    assert read(bench.sent()).opt.uri_query == ()


def test_unconfirmed_lifetime_is_told_again_with_a_register():
    bench = Bench()
    bench.register()
    bench.device.update(1.0, lifetime_s=60)
    bench.answer(bench.sent(), Code.NOT_FOUND)
    assert "lt=60" in read(bench.sent()).opt.uri_query


def test_update_is_only_for_registered_devices():
    bench = Bench()
    bench.device.update(0.0)
    assert (bench.device.state, bench.silent()) == (State.STARTING, True)


def test_unreachable_server_fails_the_first_contact_at_once():
    bench = Bench()
    bench.start()
    bench.device.receive_unreachable(0.1)
    assert bench.device.state is State.WAITING
    assert bench.events() == [AttemptFailed("registering", "nothing listens there")]


def test_registered_device_does_not_mind_an_unreachable_server():
    bench = Bench()
    bench.register()
    bench.device.receive_unreachable(0.1)
    assert bench.device.state is State.REGISTERED


def test_registered_device_answers_its_server():
    bench = Bench()
    bench.register()
    bench.device.receive_datagram(request(Code.GET, "3", "0"), 1.0)
    assert read(bench.sent()).code is Code.NOT_FOUND


def test_queue_mode_device_sleeps_after_its_awake_time():
    bench = Bench(is_queue_mode=True, awake_s=10.0)
    bench.register()
    bench.device.receive_datagram(empty(Type.CON, 1), 9.0)
    assert bench.sent() == empty(Type.RST, 1)
    bench.device.receive_datagram(empty(Type.CON, 2), 30.0)
    assert bench.silent()
    bench.tick()
    bench.answer(bench.sent(), Code.CHANGED)
    assert bench.device.state is State.REGISTERED
    bench.device.receive_datagram(empty(Type.CON, 3), bench.now + 1)
    assert bench.sent() == empty(Type.RST, 3)


def test_early_timer_does_nothing():
    bench = Bench()
    bench.register()
    bench.device.handle_timer(bench.now + 1)
    assert (bench.device.state, bench.silent()) == (State.REGISTERED, True)


class ScriptedChannel:
    """Does nothing of its own; the datagrams it is given name the events it answers with."""

    def __init__(self):
        self.is_up = False
        self.opened = 0
        self.log = []
        self.outgoing = []
        self.script = {}
        self.due = None

    def open(self, now):
        self.opened += 1
        return ()

    def receive_datagram(self, datagram, now):
        events = self.script[datagram]
        self.is_up = self.is_up or any(isinstance(event, ChannelUp) for event in events)
        return events

    def handle_timer(self, now):
        return self.script.pop("timer", ())

    def send(self, message, now):
        self.outgoing.append(message)

    def drop(self):
        self.is_up = False
        self.log.append("drop")

    def close(self, now):
        self.is_up = False
        self.log.append("close")

    def get_timer(self):
        return self.due

    def datagrams_to_send(self):
        outgoing, self.outgoing = self.outgoing, []
        return outgoing


class SecureBench:
    def __init__(self, monkeypatch):
        self.channel = ScriptedChannel()
        monkeypatch.setattr(module, "build_channel", lambda *_: self.channel)
        random = Random(1)
        self.device = Device(DeviceSettings("node", psk=KEY), random.randbytes, random)

    def give(self, now, *events):
        self.channel.script[b"datagram"] = events
        self.device.receive_datagram(b"datagram", now)

    def sent(self):
        return self.device.datagrams_to_send()

    def tick(self):
        now = self.device.get_timer()
        self.device.handle_timer(now)
        return now

    def events(self):
        return list(iter(self.device.next_event, None))

    def register(self):
        self.device.start(0.0)
        self.give(1.0, ChannelUp())
        (request,) = self.sent()
        self.give(2.0, ChannelData(reply(request, Code.CREATED, location=PLACE)))
        self.events()


@pytest.fixture
def secure(monkeypatch):
    return SecureBench(monkeypatch)


def test_register_follows_the_handshake(secure):
    secure.device.start(0.0)
    assert (secure.device.state, secure.sent()) == (State.HANDSHAKING, [])
    secure.give(1.5, ChannelUp())
    assert secure.device.state is State.REGISTERING
    (request,) = secure.sent()
    secure.give(2.0, ChannelData(reply(request, Code.CREATED, location=PLACE)))
    assert secure.events() == [HandshakeDone(1.5), Registered(PLACE, 0.5, 2.0)]


def test_handshake_that_takes_too_long_is_dropped_and_tried_again(secure):
    secure.device.start(0.0)
    assert secure.device.get_timer() == 15.0
    secure.tick()
    assert (secure.device.state, secure.channel.log) == (State.WAITING, ["drop"])
    secure.tick()
    assert (secure.device.state, secure.channel.opened) == (State.HANDSHAKING, 2)
    assert secure.events() == [AttemptFailed("handshaking", "no answer")]


def test_timer_of_the_channel_is_kept(secure):
    secure.device.start(0.0)
    secure.channel.due = 1.0
    assert secure.device.get_timer() == 1.0


def test_handshake_is_given_up_after_six_attempts(secure):
    secure.device.start(0.0)
    while not secure.device.state.is_final:
        secure.tick()
    assert secure.channel.opened == 6
    assert secure.events()[-2:] == [GaveUp("handshaking", "no answer"), Ended()]


def test_failed_handshake_is_tried_again(secure):
    secure.device.start(0.0)
    secure.channel.script["timer"] = (ChannelDown("timeout"),)
    secure.device.handle_timer(1.0)
    assert secure.device.state is State.WAITING
    assert secure.events() == [AttemptFailed("handshaking", "timeout")]


def test_session_that_ends_during_the_register_is_a_failed_attempt(secure):
    secure.device.start(0.0)
    secure.give(1.0, ChannelUp())
    secure.give(2.0, ChannelDown("closed by the peer"))
    assert secure.device.state is State.WAITING
    assert secure.events()[-1] == AttemptFailed("registering", "closed by the peer")


def test_lost_session_leads_to_a_new_handshake_and_register(secure):
    secure.register()
    secure.give(10.0, ChannelDown("closed by the peer"))
    assert secure.device.state is State.WAITING
    assert secure.events() == [SessionLost("closed by the peer")]
    now = secure.tick()
    assert secure.device.state is State.HANDSHAKING
    secure.give(now, ChannelUp())
    (request,) = secure.sent()
    secure.give(now, ChannelData(reply(request, Code.CREATED, location=PLACE)))
    assert secure.events()[-1] == Registered(PLACE, 0.0, now - 10.0)


def test_refused_register_is_tried_again_on_the_same_session(secure):
    secure.device.start(0.0)
    secure.give(1.0, ChannelUp())
    (request,) = secure.sent()
    secure.give(1.0, ChannelData(reply(request, Code.FORBIDDEN)))
    secure.tick()
    assert (secure.device.state, secure.channel.opened) == (State.REGISTERING, 1)
    assert read(secure.sent()[0]).opt.uri_path == ("rd",)


def test_session_that_ends_during_a_pause_is_opened_again_after_it(secure):
    secure.device.start(0.0)
    secure.give(1.0, ChannelUp())
    (request,) = secure.sent()
    secure.give(1.0, ChannelData(reply(request, Code.FORBIDDEN)))
    secure.give(1.1, ChannelDown("closed by the peer"))
    secure.tick()
    assert (secure.device.state, secure.channel.opened) == (State.HANDSHAKING, 2)


def test_unanswered_update_drops_the_session(secure):
    secure.register()
    secure.tick()
    while secure.device.state is State.UPDATING:
        secure.tick()
    assert secure.channel.log == ["drop"]
    secure.tick()
    assert secure.device.state is State.HANDSHAKING


def test_stopped_device_takes_leave_of_its_session(secure):
    secure.register()
    secure.device.stop(10.0)
    (request,) = secure.sent()
    secure.give(11.0, ChannelData(reply(request, Code.DELETED)), ChannelDown("closed by the peer"))
    assert (secure.device.state, secure.channel.log) == (State.GONE, ["close"])


def test_stop_during_the_handshake_ends_it(secure):
    secure.device.start(0.0)
    secure.device.stop(1.0)
    assert (secure.device.state, secure.channel.log, secure.events()) == (State.GONE, ["close"], [Ended()])


def test_session_lost_while_deregistering_is_the_end(secure):
    secure.register()
    secure.device.stop(10.0)
    secure.give(11.0, ChannelDown("closed by the peer"))
    assert secure.device.state is State.GONE
    assert secure.events() == [SessionLost("closed by the peer"), Ended()]


def test_key_does_not_show_in_the_settings(secure):
    assert "kkk" not in repr(secure.device.settings)


def serving(**settings):
    """A registered device with objects."""
    bench = Bench(lwm2m="1.1", contents=factory_contents("1.1"), **settings)
    bench.register()
    return bench


def ask(bench, code, *path, payload=b"", mid=1, **options):
    message = new_message(code, payload, b"t")
    message.opt.uri_path = path
    for name, value in options.items():
        setattr(message.opt, name, value)
    bench.device.receive_datagram(encode_message(message, Type.CON, mid), bench.now)
    bench.wires = list(bench.device.datagrams_to_send())
    return list(map(read, bench.wires))


def test_device_with_objects_lists_them_and_answers():
    bench = Bench(contents=factory_contents("1.1"))
    assert b"</3303/0>" in read(bench.start()).payload
    bench = serving()
    (answer,) = ask(bench, Code.GET, "3", "0", "0")
    assert (answer.code, answer.payload) == (Code.CONTENT, b"Nodegate")


def test_nobody_is_answered_before_the_register_is():
    bench = Bench(contents=factory_contents("1.1"))
    bench.start()
    assert ask(bench, Code.GET, "3", "0", "0") == []


def test_written_lifetime_is_told_after_the_answer():
    bench = serving()
    answer, update = ask(bench, Code.PUT, "1", "0", "1", payload=b"120")
    assert (answer.code, update.code) == (Code.CHANGED, Code.POST)
    assert update.opt.uri_query == ("lt=120",)


def test_new_object_list_is_told_once_the_update_under_way_is_answered():
    bench = serving()
    ask(bench, Code.POST, "1", "0", "8")
    _, update = bench.wires
    (created,) = ask(bench, Code.POST, "3303", mid=2)
    assert created.code is Code.CREATED
    bench.answer(update, Code.CHANGED)
    second = read(bench.sent())
    assert b"</3303/1>" in second.payload
    assert int(second.opt.content_format) == 40


def test_reboot_drops_everything_and_registers_anew():
    bench = serving(reboot_s=5.0)
    ask(bench, Code.GET, "3", "0", "9", observe=0)
    (answer,) = ask(bench, Code.POST, "3", "0", "4", mid=2)
    assert answer.code is Code.CHANGED
    bench.tick()
    assert bench.events() == [Rebooted()]
    assert bench.device.state is State.WAITING
    before = bench.now
    bench.tick()
    assert bench.now == before + 5.0
    assert read(bench.sent()).opt.uri_path == ("rd",)
    assert len(bench.device.client.observations) == 0


def test_reboot_means_nothing_to_a_device_that_is_starting():
    bench = Bench()
    bench.start()
    bench.device.reboot(1.0)
    assert bench.device.state is State.REGISTERING
    assert bench.events() == []


@pytest.mark.parametrize("is_answered", [True, False])
def test_disabled_device_deregisters_and_stays_away(is_answered):
    bench = serving()
    ask(bench, Code.PUT, "1", "0", "5", payload=b"600")
    _, farewell = ask(bench, Code.POST, "1", "0", "4", mid=2)
    assert (bench.device.state, farewell.code) == (State.DISABLING, Code.DELETE)
    if is_answered:
        bench.answer(bench.wires[-1], Code.DELETED)
    while bench.device.state is State.DISABLING:
        bench.tick()
    before = bench.now
    while bench.device.state is State.WAITING:
        list(bench.device.datagrams_to_send())
        bench.tick()
    assert bench.now - before == 600
    assert read(bench.sent()).opt.uri_path == ("rd",)


def test_send_waits_for_the_request_before_it_and_tells_its_end():
    bench = serving()
    sensor = parse_path("/3303/0/5700")
    bench.device.update(bench.now)
    update = bench.sent()
    assert bench.device.send((sensor,), bench.now)
    assert bench.silent()
    bench.answer(update, Code.CHANGED)
    send = bench.sent()
    assert (read(send).opt.uri_path, int(read(send).opt.content_format)) == (("dp",), 112)
    bench.now = 2.0
    bench.answer(send, Code.CHANGED)
    assert bench.events() == [Updated(0.0), Sent(2.0)]
    assert bench.device.state is State.REGISTERED


def test_refused_and_unanswered_sends_are_failures_of_their_own():
    bench = serving(lifetime_s=0)
    sensor = parse_path("/3303/0/5700")
    bench.device.send((sensor,), bench.now)
    bench.answer(bench.sent(), Code.NOT_FOUND)
    bench.device.send((sensor,), bench.now)
    while not (events := bench.events()) or len(events) < 2:
        list(bench.device.datagrams_to_send())
        if bench.device.get_timer() is None:
            break
        bench.tick()
    assert bench.device.state is State.REGISTERED
    assert AttemptFailed("sending", "no answer") in events


def test_sends_are_bounded_and_need_leave():
    bench = serving()
    sensor = parse_path("/3303/0/5700")
    taken = [bench.device.send((sensor,), bench.now) for _ in range(module.MAX_SENDS + 2)]
    assert taken == [True] * (module.MAX_SENDS + 1) + [False]
    muted = serving()
    ask(muted, Code.PUT, "1", "0", "23", payload=b"1")
    assert not muted.device.send((sensor,), muted.now)


def test_device_that_is_offline_neither_hears_nor_speaks_and_catches_up():
    bench = serving()
    sensor = parse_path("/3303/0/5700")
    ask(bench, Code.GET, *["3303", "0", "5700"], observe=0)
    bench.device.go_offline()
    bench.device.set_value(sensor, 30.0, 1.0)
    bench.now = 1.0
    assert ask(bench, Code.GET, "3", "0", "0", mid=2) == []
    bench.device.go_online(2.0)
    assert read(bench.sent()).payload == b"30.0"


def test_device_without_contents_has_no_objects():
    with pytest.raises(AssertionError, match="only registers"):
        _ = Bench().device.client
