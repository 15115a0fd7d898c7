import asyncio

from tests.support.clock import virtual_time
from tools.simulator.timers import Alarm, TimerHeap


class Below:
    """The loop, and how often it was asked for a call."""

    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.time = self.loop.time
        self.asked = 0

    def call_at(self, when, callback, /, *args):
        self.asked += 1
        self.loop.call_at(when, callback, *args)


@virtual_time
async def test_heap_asks_below_once_for_many_calls(clock):
    below = Below()
    heap = TimerHeap(below)
    begun_at = below.time()
    made = []
    for number in range(100):
        heap.call_at(begun_at + 1.0 + number / 1000, made.append, number)
    assert below.asked == 1
    await asyncio.sleep(2)
    assert made == list(range(100))


@virtual_time
async def test_heap_asks_again_for_an_earlier_call(clock):
    below = Below()
    heap = TimerHeap(below)
    begun_at = below.time()
    made = []
    heap.call_at(begun_at + 5.0, made.append, "late")
    heap.call_at(begun_at + 1.0, made.append, "early")
    await asyncio.sleep(1)
    assert made == ["early"]
    await asyncio.sleep(4)
    assert made == ["early", "late"]


@virtual_time
async def test_call_asked_for_during_a_call_is_made_at_its_time(clock):
    below = Below()
    heap = TimerHeap(below)
    begun_at = below.time()
    made = []
    heap.call_at(begun_at + 1.0, lambda: heap.call_at(heap.time() + 1, made.append, "second"))
    await asyncio.sleep(1.5)
    assert made == []
    await asyncio.sleep(0.5)
    assert made == ["second"]


@virtual_time
async def test_cleared_heap_calls_nothing(clock):
    below = Below()
    heap = TimerHeap(below)
    begun_at = below.time()
    made = []
    heap.call_at(begun_at + 1.0, made.append, "x")
    heap.clear()
    await asyncio.sleep(2)
    assert made == []


@virtual_time
async def test_alarm_rings_once_at_the_earliest_of_the_wanted_times(clock):
    loop = asyncio.get_running_loop()
    begun_at = loop.time()
    rung = []
    alarm = Alarm(loop, lambda: rung.append(loop.time()))
    alarm.set(None)
    for after_s in (5.0, 3.0, 4.0):
        alarm.set(begun_at + after_s)
    await asyncio.sleep(10)
    assert rung == [begun_at + 3.0]
    alarm.set(begun_at + 11.0)
    await asyncio.sleep(10)
    assert rung == [begun_at + 3.0, begun_at + 11.0]


@virtual_time
async def test_alarm_may_be_set_while_it_rings(clock):
    loop = asyncio.get_running_loop()
    begun_at = loop.time()
    rung = []

    def ring():
        rung.append(loop.time())
        alarm.set(loop.time() + 1 if len(rung) < 3 else None)

    alarm = Alarm(loop, ring)
    alarm.set(begun_at + 1.0)
    await asyncio.sleep(10)
    assert rung == [begun_at + seconds for seconds in (1.0, 2.0, 3.0)]
