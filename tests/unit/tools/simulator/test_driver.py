import asyncio
from random import Random

from aiocoap.numbers.codes import Code

from gateway.address import Address
from tests.support.clock import virtual_time
from tests.support.coap import read
from tests.support.replies import reply
from tools.simulator.device import Device
from tools.simulator.driver import Driver, attach
from tools.simulator.events import Deregistered, Ended, Registered
from tools.simulator.lifecycle import State
from tools.simulator.network import Network
from tools.simulator.settings import DeviceSettings

SERVER = Address("198.51.100.1", 5683)


def make_device(**settings):
    random = Random(1)
    return Device(DeviceSettings("node", **settings), random.randbytes, random)


class Scene:
    """A device in a network with a server that accepts everything."""

    def __init__(self, **settings):
        loop = asyncio.get_running_loop()
        self.network = Network(loop)
        self.answer = self.network.listen(SERVER, self.accept)
        self.codes = []
        self.events = []
        self.device = make_device(**settings)
        self.driver, self.connection = attach(
            self.device, self.network, SERVER, loop, lambda _, event: self.events.append(event)
        )

    def accept(self, datagram, address):
        code = read(datagram).code
        location = read(datagram).opt.uri_path
        self.codes.append(code)
        if code is Code.DELETE:
            self.answer(reply(datagram, Code.DELETED), address)
        elif location == ("rd",):
            self.answer(reply(datagram, Code.CREATED, location=("rd", "x")), address)
        else:
            self.answer(reply(datagram, Code.CHANGED), address)


@virtual_time
async def test_driver_takes_a_device_through_its_life(clock):
    scene = Scene(lifetime_s=20, update_jitter=0.0)
    scene.driver.start()
    await asyncio.sleep(25)
    assert scene.codes == [Code.POST] * 3
    scene.driver.stop()
    await asyncio.sleep(1)
    assert scene.device.state is State.GONE
    assert isinstance(scene.events[0], Registered)
    assert scene.events[-2:] == [Deregistered(), Ended()]


@virtual_time
async def test_silent_server_gets_retransmissions(clock):
    sent = []
    driver = Driver(make_device(), asyncio.get_running_loop(), sent.append, lambda *_: None)
    driver.start()
    await asyncio.sleep(46)
    assert len(sent) == 5
    assert len(set(sent)) == 1


@virtual_time
async def test_unreachable_server_is_told_to_the_device(clock):
    device = make_device()
    driver = Driver(device, asyncio.get_running_loop(), lambda _: None, lambda *_: None)
    driver.start()
    driver.receive_unreachable()
    assert device.state is State.WAITING


@virtual_time
async def test_later_timer_is_found_when_the_earlier_one_has_come(clock):
    scene = Scene(lifetime_s=1000, update_jitter=0.0)
    scene.driver.start()
    await asyncio.sleep(1000 - 92)
    assert scene.codes == [Code.POST] * 2
