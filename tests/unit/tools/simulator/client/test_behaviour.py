import pytest
from aiocoap.numbers.codes import Code

from gateway.lwm2m.path import parse_path
from tools.simulator.client.behaviour import DEFAULT_PAUSE_S, Behaviour
from tools.simulator.client.contents import factory_contents
from tools.simulator.client.effects import DisableWanted, DownloadWanted, RebootWanted, UpdateWanted
from tools.simulator.client.firmware import INSTALL_S, MAX_PACKAGE_BYTES, Result, build_package
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
    assert behaviour.execute(parse_path(path), "", 0.0) == ()
    assert behaviour.effects == [effect]


def test_disabled_device_stays_away_a_day_unless_told_otherwise(tree, behaviour):
    tree.put(parse_path("/1/0/5"), None)
    behaviour.execute(parse_path("/1/0/4"), "", 0.0)
    assert behaviour.effects == [DisableWanted(DEFAULT_PAUSE_S)]


def test_factory_reset_forgets_what_was_written(tree, behaviour):
    tree.put(parse_path("/3/0/14"), "+09:00")
    behaviour.execute(parse_path("/3/0/5"), "", 0.0)
    assert tree.get(parse_path("/3/0/14")) == "+00:00"


def test_reset_error_code_leaves_one_instance_without_an_error(tree, behaviour):
    tree.put(parse_path("/3/0/11"), {0: 1, 1: 2})
    assert behaviour.execute(parse_path("/3/0/12"), "", 0.0) == ((parse_path("/3/0/11/0"), 0),)
    assert tree.get(parse_path("/3/0/11")) == {0: 0}


def test_starting_the_statistics_sets_the_counters_to_zero(tree, behaviour):
    tree.put(parse_path("/7/0/2"), 17)
    assert len(behaviour.execute(parse_path("/7/0/6"), "", 0.0)) == 4
    assert tree.get(parse_path("/7/0/2")) == 0
    assert behaviour.execute(parse_path("/7/0/7"), "", 0.0) == ()


def test_extremes_of_a_sensor_are_reset_to_its_value(tree, behaviour):
    for id_, value in ((5700, 20.0), (5601, 5.0), (5602, 20.0)):
        tree.put(parse_path(f"/3303/0/{id_}"), value)
    assert behaviour.execute(parse_path("/3303/0/5605"), "", 0.0) == ((parse_path("/3303/0/5601"), 20.0),)


def test_ill_formed_arguments_run_nothing(behaviour):
    assert behaviour.execute(parse_path("/3/0/4"), "now", 0.0) is Code.BAD_REQUEST
    assert not behaviour.effects


def test_written_lifetime_is_told_by_an_update(tree, behaviour):
    tree.put(parse_path("/1/0/1"), 60)
    assert behaviour.written(parse_path("/1/0/1")) == ()
    assert behaviour.effects == [UpdateWanted(60)]
    assert behaviour.written(parse_path("/3/0/14")) == ()
    assert len(behaviour.effects) == 1


def test_only_sensors_have_extremes(behaviour):
    assert behaviour.measured(parse_path("/3/0/9")) == ()


PACKAGE, URI, UPDATE, CANCEL = (parse_path(f"/5/0/{id_}") for id_ in (0, 1, 2, 10))
SOUND = build_package("app", "2.0.0", b"content")


def push(tree, behaviour, package):
    assert behaviour.may_write(PACKAGE, package)
    tree.put(PACKAGE, package)
    behaviour.written(PACKAGE)


def shown(tree):
    return tuple(tree.get(parse_path(f"/5/0/{id_}")) for id_ in (3, 5))


def test_pushed_package_is_installed_after_execute_and_a_while(tree, behaviour):
    behaviour.begin_body(PACKAGE)
    assert shown(tree) == (1, 0)
    push(tree, behaviour, SOUND)
    assert shown(tree) == (2, 0)
    assert (tree.get(PACKAGE), tree.get(parse_path("/5/0/7"))) == (b"", "2.0.0")
    behaviour.execute(UPDATE, "", 10.0)
    assert (shown(tree), behaviour.firmware.due_at) == ((3, 0), 10.0 + INSTALL_S)
    behaviour.finish_update()
    assert shown(tree) == (0, 1)
    assert tree.get(parse_path("/3/0/3")) == "2.0.0"
    assert behaviour.effects == [RebootWanted()]


def test_package_that_cannot_be_installed_stays_downloaded(tree, behaviour):
    push(tree, behaviour, build_package("app", "2.0.0", b"fail"))
    behaviour.execute(UPDATE, "", 0.0)
    behaviour.finish_update()
    assert (shown(tree), tree.get(parse_path("/3/0/3"))) == ((2, 8), "1.0.0")
    assert not behaviour.effects


@pytest.mark.parametrize(
    ("package", "result"),
    [(b"no package", 6), (SOUND + b"!", 5), (b"x" * (MAX_PACKAGE_BYTES + 1), 2)],
)
def test_package_that_is_not_sound_is_told_by_the_result(tree, behaviour, package, result):
    push(tree, behaviour, package)
    assert shown(tree) == (0, result)


def test_execute_without_a_package_changes_nothing(tree, behaviour):
    assert behaviour.execute(UPDATE, "", 0.0) is Code.METHOD_NOT_ALLOWED
    assert shown(tree) == (0, 0)


def test_cancel_is_possible_before_the_installation(tree, behaviour):
    push(tree, behaviour, SOUND)
    behaviour.execute(CANCEL, "", 0.0)
    assert shown(tree) == (0, 10)
    push(tree, behaviour, SOUND)
    behaviour.execute(UPDATE, "", 0.0)
    assert behaviour.execute(CANCEL, "", 0.0) is Code.METHOD_NOT_ALLOWED
    assert shown(tree) == (3, 0)


@pytest.mark.parametrize("outcome", [SOUND, Result.CONNECTION_LOST])
def test_written_uri_wants_a_download_that_ends_one_way_or_the_other(tree, behaviour, outcome):
    tree.put(URI, "coap://files.example/app")
    behaviour.written(URI)
    assert behaviour.effects == [DownloadWanted("coap://files.example/app")]
    assert shown(tree) == (1, 0)
    assert not behaviour.may_write(PACKAGE, SOUND)
    assert not behaviour.may_write(URI, "coap://files.example/other")
    behaviour.finish_download(outcome)
    assert shown(tree) == ((2, 0) if outcome is SOUND else (0, 4))


@pytest.mark.parametrize(("path", "value"), [(URI, ""), (PACKAGE, b"\0"), (PACKAGE, b"")])
def test_update_is_reset_by_an_empty_uri_or_package(tree, behaviour, path, value):
    push(tree, behaviour, SOUND)
    assert not behaviour.may_write(PACKAGE, SOUND)
    assert behaviour.may_write(path, value)
    tree.put(path, value)
    behaviour.written(path)
    assert shown(tree) == (0, 0)
    late = behaviour.finish_download(SOUND)
    assert (late, shown(tree)) == ((), (0, 0))
