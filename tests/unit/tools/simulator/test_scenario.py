from random import Random

import pytest

from gateway.lwm2m.path import parse_path
from tools.simulator.client.contents import factory_contents
from tools.simulator.errors import SimulatorError
from tools.simulator.scenario import Step, Timeline, Walk, parse_scenario

SENSOR = parse_path("/3303/0/5700")


def read(text):
    return parse_scenario(text, factory_contents("1.1"))


def test_values_are_added_to_what_a_device_has():
    contents = read(
        'root = "/dev"\n[values]\n"/3303/0/5700" = 5\n'
        '"/3304/2/5700" = 40.0\n"/3/0/7/1" = 1\n"/16/1/0/0" = "x"'
    ).contents
    assert contents.instances[SENSOR.up_to(2)][5700] == 5.0
    assert contents.instances[parse_path("/3304/2")] == {5700: 40.0}
    assert contents.instances[parse_path("/3/0")][7] == {0: 3800, 1: 1}
    assert contents.instances[parse_path("/16/1")] == {0: {0: "x"}}
    assert (contents.root, 3304 in contents.objects) == ("/dev", True)
    assert contents.listed_versions[3304] == "1.1"


def test_step_says_what_happens_when():
    (step,) = read(
        "[[step]]\nevery_s = 60\ntimes = 3\nset = { '/3/0/9' = 80 }\nsend = ['/3303/0']\nupdate = true\n"
        "reboot = true\noffline_s = 5\nloss = 0.5\n"
        "walk = { path = '/3303/0/5700', by = 1, low = 0, high = 2 }"
    ).steps
    assert step == Step(
        at_s=60.0,
        every_s=60.0,
        times=3,
        values=((parse_path("/3/0/9"), 80),),
        walk=Walk(SENSOR, 1.0, 0.0, 2.0),
        send=(parse_path("/3303/0"),),
        is_update=True,
        is_reboot=True,
        offline_s=5.0,
        loss=0.5,
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[step", "no TOML"),
        ("steps = 1", "the file: steps is not known; there are root, step, values"),
        ("values = 1", "values: paths and values are expected"),
        ("root = 'x'", "root: a path"),
        ("root = '/1'", "root: a path"),
        ("[values]\n'3/0' = 1", "values: 3/0 is no path"),
        ("[values]\n'/3/0' = 1", "values: /3/0 is no resource"),
        ("[values]\n'/3/0/9' = 'full'", "values: /3/0/9: "),
        ("[values]\n'/3/0/7' = 1", "values: /3/0/7 .* has several values"),
        ("[values]\n'/3/0/9/0' = 1", "values: /3/0/9/0 .* has one value"),
        ("step = 1", "step: up to"),
        ("step = [1]", "step 1: a table is expected"),
        ("[[step]]\nwhen = 1", "step 1: when is not known"),
        ("[[step]]\nat_s = 1", "step 1: nothing happens in it"),
        ("[[step]]\nat_s = -1\nupdate = true", "step 1: at_s is a number from 0"),
        ("[[step]]\nat_s = true\nupdate = true", "step 1: at_s is a number from 0"),
        ("[[step]]\nevery_s = 0\nupdate = true", "step 1: every_s has to be more"),
        ("[[step]]\ntimes = 2\nupdate = true", "step 1: times is"),
        ("[[step]]\nevery_s = 1\ntimes = 0\nupdate = true", "step 1: times is"),
        ("[[step]]\nloss = 2", "step 1: loss is a part of 1"),
        ("[[step]]\nupdate = 1", "step 1: update is true or false"),
        ("[[step]]\nsend = '/3'", "step 1: send takes a list"),
        ("[[step]]\nwalk = { path = '/3/0/9' }", "step 1, walk: path, by, low and high"),
        ("[[step]]\nwalk = { path = '/3/0/0', by = 1, low = 0, high = 1 }", "step 1, walk: /3/0/0: "),
        ("[[step]]\nwalk = { path = '/31024/0/1', by = 'x', low = 0, high = 1 }", "walk: by is a number"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, reason):
    with pytest.raises(SimulatorError, match=reason):
        read(text)


def test_walk_keeps_its_bounds_and_the_type_of_its_resource():
    random = Random(1)
    whole, broken = Walk(SENSOR, 5.0, 0, 10.0), Walk(SENSOR, 5.0, 0.0, 10.0)
    value = 5
    for _ in range(200):
        value = whole.next(value, random)
        assert type(value) is int
        assert 0 <= value <= 10
    assert isinstance(broken.next(5.0, random), float)


def test_steps_come_in_the_order_of_their_times_and_again_and_again():
    once, often, twice = Step(at_s=10.0), Step(at_s=5.0, every_s=5.0), Step(at_s=1.0, every_s=8.0, times=2)
    timeline = Timeline((once, often, twice), 100.0)
    assert timeline.get_timer() == 101.0
    assert timeline.take_due(105.0) == [twice, often]
    assert timeline.take_due(110.0) == [twice, once, often]
    assert timeline.get_timer() == 115.0
    assert timeline.take_due(114.0) == []


def test_what_was_missed_is_not_made_up_for():
    step = Step(at_s=1.0, every_s=1.0)
    timeline = Timeline((step,), 0.0)
    assert timeline.take_due(100.0) == [step]
    assert len(timeline.take_due(100.0)) == 1
    assert timeline.get_timer() == 101.0


def test_timeline_without_steps_is_over():
    assert Timeline((), 0.0).get_timer() is None
