from random import Random

from aiocoap.numbers.codes import Code
from aiocoap.numbers.types import Type

from gateway.lwm2m.path import parse_path
from tests.support.coap import read
from tests.support.replies import empty
from tools.simulator.attending import Attendant
from tools.simulator.client.contents import factory_contents
from tools.simulator.client.effects import RebootWanted
from tools.simulator.coap import CoapClient, CoapSettings
from tools.simulator.messages import MessageIds, encode_message, new_message

SENSOR = parse_path("/3303/0/5700")


class Bench:
    def __init__(self, *, is_confirmable=False):
        random = Random(1)
        mids = MessageIds(random)
        settings = CoapSettings()
        self.coap = CoapClient(settings, random, mids)
        self.attendant = Attendant(
            factory_contents("1.1"), settings, random, mids, is_confirmable=is_confirmable
        )
        self.attendant.join(self.coap)

    def ask(self, code, *path, mid=1, **options):
        message = new_message(code, token=b"t")
        message.opt.uri_path = path
        for name, value in options.items():
            setattr(message.opt, name, value)
        self.coap.receive(encode_message(message, Type.CON, mid), 0.0)

    def sent(self, now=0.0, *, is_reachable=True):
        return [read(wire) for wire in self.attendant.attend(now, is_reachable=is_reachable)]


def test_requests_reach_the_objects_and_effects_wait():
    bench = Bench()
    bench.ask(Code.POST, "3", "0", "4")
    assert [answer.code for answer in bench.sent()] == [Code.CHANGED]
    assert list(bench.attendant.take_effects()) == [RebootWanted()]
    assert bench.attendant.requests == 1


def test_reset_of_a_notification_ends_its_observation():
    bench = Bench()
    bench.ask(Code.GET, "3303", "0", "5700", observe=0)
    bench.sent()
    bench.attendant.client.set(SENSOR, 30.0, 1.0)
    assert bench.attendant.get_timer() == 1.0
    (told,) = bench.sent(1.0)
    bench.coap.receive(empty(Type.RST, told.mid), 1.1)
    assert len(bench.attendant.client.observations) == 0
    assert bench.attendant.notifications == 1


def test_new_registration_ends_what_was_observed_and_under_way():
    bench = Bench(is_confirmable=True)
    bench.ask(Code.GET, "3303", "0", "5700", observe=0)
    bench.attendant.client.set(SENSOR, 30.0, 1.0)
    bench.sent(1.0)
    bench.attendant.forget_server()
    assert bench.attendant.get_timer() is None
