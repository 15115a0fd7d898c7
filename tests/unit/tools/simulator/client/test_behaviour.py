import pytest
from aiocoap.numbers.codes import Code

from gateway.lwm2m.path import parse_path
from tools.simulator.client.behaviour import DEFAULT_PAUSE_S, Behaviour
from tools.simulator.client.contents import factory_contents
from tools.simulator.client.effects import DisableWanted, RebootWanted, UpdateWanted
from tools.simulator.client.tree import Tree


@pytest.fixture
def tree():
    return Tree(factory_contents("1.1"))


@pytest.fixture
def behaviour(tree):
    return Behaviour(tree)


@pytest.mark.parametrize(
    ("path", "effect"),
    [
        ("/1/0/8", UpdateWanted()),
        ("/1/0/4", DisableWanted(86_400)),
        ("/3/0/4", RebootWanted()),
        ("/3/0/5", RebootWanted()),
    ],
)
def test_executable_resources_that_concern_the_whole_device(behaviour, path, effect):
    assert behaviour.execute(parse_path(path), "") == ()
    assert behaviour.effects == [effect]


def test_disabled_device_stays_away_a_day_unless_told_otherwise(tree, behaviour):
    tree.put(parse_path("/1/0/5"), None)
    behaviour.execute(parse_path("/1/0/4"), "")
    assert behaviour.effects == [DisableWanted(DEFAULT_PAUSE_S)]


def test_factory_reset_forgets_what_was_written(tree, behaviour):
    tree.put(parse_path("/3/0/14"), "+09:00")
    behaviour.execute(parse_path("/3/0/5"), "")
    assert tree.get(parse_path("/3/0/14")) == "+00:00"


def test_reset_error_code_leaves_one_instance_without_an_error(tree, behaviour):
    tree.put(parse_path("/3/0/11"), {0: 1, 1: 2})
    assert behaviour.execute(parse_path("/3/0/12"), "") == ((parse_path("/3/0/11/0"), 0),)
    assert tree.get(parse_path("/3/0/11")) == {0: 0}


def test_starting_the_statistics_sets_the_counters_to_zero(tree, behaviour):
    tree.put(parse_path("/7/0/2"), 17)
    assert len(behaviour.execute(parse_path("/7/0/6"), "")) == 4
    assert tree.get(parse_path("/7/0/2")) == 0
    assert behaviour.execute(parse_path("/7/0/7"), "") == ()


def test_extremes_of_a_sensor_are_reset_to_its_value(tree, behaviour):
    for id_, value in ((5700, 20.0), (5601, 5.0), (5602, 20.0)):
        tree.put(parse_path(f"/3303/0/{id_}"), value)
    assert behaviour.execute(parse_path("/3303/0/5605"), "") == ((parse_path("/3303/0/5601"), 20.0),)


def test_ill_formed_arguments_run_nothing(behaviour):
    assert behaviour.execute(parse_path("/3/0/4"), "now") is Code.BAD_REQUEST
    assert not behaviour.effects


def test_written_lifetime_is_told_by_an_update(tree, behaviour):
    tree.put(parse_path("/1/0/1"), 60)
    assert behaviour.written(parse_path("/1/0/1")) == ()
    assert behaviour.effects == [UpdateWanted(60)]
    assert behaviour.written(parse_path("/3/0/14")) == ()
    assert len(behaviour.effects) == 1


def test_only_sensors_have_extremes(behaviour):
    assert behaviour.measured(parse_path("/3/0/9")) == ()
