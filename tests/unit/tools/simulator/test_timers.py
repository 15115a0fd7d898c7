from tools.simulator.timers import Alarm, TimerHeap, VirtualScheduler


def test_calls_are_made_in_order_of_time_then_of_asking():
    scheduler = VirtualScheduler()
    made = []
    for name, when in (("c", 2.0), ("a", 1.0), ("b", 1.0)):
        scheduler.call_at(when, made.append, name)
    scheduler.advance(3)
    assert made == ["a", "b", "c"]


def test_each_call_sees_its_own_instant():
    scheduler = VirtualScheduler(10.0)
    seen = []
    scheduler.call_at(12.0, lambda: seen.append(scheduler.time()))
    scheduler.advance(5)
    assert seen == [12.0]
    assert scheduler.time() == 15.0


def test_overdue_call_does_not_turn_time_back():
    scheduler = VirtualScheduler(10.0)
    seen = []
    scheduler.call_at(3.0, lambda: seen.append(scheduler.time()))
    scheduler.advance(1)
    assert seen == [10.0]


def test_advance_until_stops_at_the_call_that_does_it():
    scheduler = VirtualScheduler()
    made = []
    for when in (1.0, 2.0, 3.0):
        scheduler.call_at(when, made.append, when)
    assert scheduler.advance_until(lambda: len(made) == 2, 10)
    assert (made, scheduler.time()) == ([1.0, 2.0], 2.0)


def test_advance_until_gives_up_at_its_limit():
    scheduler = VirtualScheduler()
    scheduler.call_at(100.0, lambda: None)
    assert not scheduler.advance_until(lambda: False, 10)
    assert scheduler.time() == 10.0


class Below(VirtualScheduler):
    def __init__(self):
        super().__init__()
        self.asked = 0

    def call_at(self, when, callback, /, *args):
        self.asked += 1
        super().call_at(when, callback, *args)


def test_heap_asks_below_once_for_many_calls():
    below = Below()
    heap = TimerHeap(below)
    made = []
    for number in range(100):
        heap.call_at(1.0 + number / 1000, made.append, number)
    assert below.asked == 1
    below.advance(2)
    assert made == list(range(100))


def test_heap_asks_again_for_an_earlier_call():
    below = Below()
    heap = TimerHeap(below)
    made = []
    heap.call_at(5.0, made.append, "late")
    heap.call_at(1.0, made.append, "early")
    below.advance(1)
    assert made == ["early"]
    below.advance(4)
    assert made == ["early", "late"]


def test_call_asked_for_during_a_call_is_made_at_its_time():
    below = Below()
    heap = TimerHeap(below)
    made = []
    heap.call_at(1.0, lambda: heap.call_at(heap.time() + 1, made.append, "second"))
    below.advance(1.5)
    assert made == []
    below.advance(0.5)
    assert made == ["second"]


def test_cleared_heap_calls_nothing():
    below = Below()
    heap = TimerHeap(below)
    made = []
    heap.call_at(1.0, made.append, "x")
    heap.clear()
    below.advance(2)
    assert made == []


def test_alarm_rings_once_at_the_earliest_of_the_wanted_times():
    scheduler = VirtualScheduler()
    rung = []
    alarm = Alarm(scheduler, lambda: rung.append(scheduler.time()))
    for when in (None, 5.0, 3.0, 4.0):
        alarm.set(when)
    scheduler.advance(10)
    assert rung == [3.0]
    alarm.set(11.0)
    scheduler.advance(10)
    assert rung == [3.0, 11.0]


def test_alarm_may_be_set_while_it_rings():
    scheduler = VirtualScheduler()
    rung = []

    def ring():
        rung.append(scheduler.time())
        alarm.set(scheduler.time() + 1 if len(rung) < 3 else None)

    alarm = Alarm(scheduler, ring)
    alarm.set(1.0)
    scheduler.advance(10)
    assert rung == [1.0, 2.0, 3.0]
