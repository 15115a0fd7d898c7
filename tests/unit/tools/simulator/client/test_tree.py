import pytest
from aiocoap.numbers.codes import Code

from gateway.lwm2m.inputs import read_value
from gateway.lwm2m.path import ROOT, Path, parse_path
from gateway.lwm2m.records import Record
from gateway.lwm2m.values import ObjectLink, Type
from tools.simulator.client.contents import build_contents, factory_contents
from tools.simulator.client.tree import MAX_INSTANCES, Tree


@pytest.fixture
def tree():
    return Tree(factory_contents("1.2"))


def records(tree, path, value):
    return read_value(parse_path(path), value, tree.contents.model)


def write(tree, path, value, is_replace=True):
    return tree.write(parse_path(path), records(tree, path, value), is_replace=is_replace)


def value(tree, path):
    return tree.get(parse_path(path))


def test_devices_share_what_they_have_not_changed():
    one, other = Tree(factory_contents("1.1")), Tree(factory_contents("1.1"))
    one.put(parse_path("/3303/0/5700"), 30.0)
    assert value(other, "/3303/0/5700") == 21.5
    assert one.resources(parse_path("/3/0")) is other.resources(parse_path("/3/0"))


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/3/0/0", [("/3/0/0", "Nodegate")]),
        ("/3/0/6", [("/3/0/6/0", 1), ("/3/0/6/1", 5)]),
        ("/3/0/6/1", [("/3/0/6/1", 5)]),
        ("/16", [("/16/0/0/0", "host-1"), ("/16/0/0/1", "Nodegate"), ("/16/0/0/2", "simulated")]),
    ],
)
def test_read_gives_the_values_at_and_below_a_path(tree, path, found):
    assert [(str(record.path), record.value) for record in tree.read(parse_path(path))] == found


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/0", Code.UNAUTHORIZED),
        ("/0/0/0", Code.UNAUTHORIZED),
        ("/9", Code.NOT_FOUND),
        ("/3/1", Code.NOT_FOUND),
        ("/3/0/99", Code.NOT_FOUND),
        ("/3/0/6/9", Code.NOT_FOUND),
        ("/3/0/0/0", Code.NOT_FOUND),
        ("/3/0/4", Code.METHOD_NOT_ALLOWED),
        ("/5/0/0", Code.METHOD_NOT_ALLOWED),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_code(tree, path, code):
    assert tree.read(parse_path(path)) is code


def test_everything_is_without_security_and_what_is_not_readable(tree):
    paths = {str(record.path) for record in tree.read(ROOT)}
    assert {"/1/0/0", "/3303/0/5700"} <= paths
    assert not {path for path in paths if path.startswith("/0/")}
    assert not paths & {"/3/0/4", "/5/0/0"}


def test_multiple_resource_without_instances_is_told_as_such(tree):
    tree.put(parse_path("/3/0/6"), {})
    assert tree.read(parse_path("/3/0/6")) == (Record(parse_path("/3/0/6"), (), Type.MULTIPLE),)
    assert tree.read(parse_path("/3/0/6/0")) is Code.NOT_FOUND


def test_replacing_an_instance_takes_optional_resources_away_and_keeps_mandatory_ones(tree):
    tree.put(parse_path("/1/0/3"), 60)
    assert write(tree, "/1/0", {"1": 20, "6": False, "7": "U"}) is None
    assert (value(tree, "/1/0/1"), value(tree, "/1/0/6")) == (20, False)
    assert value(tree, "/1/0/3") is None
    assert value(tree, "/1/0/0") == 1
    assert write(tree, "/1/0", {"1": 30}) is None
    assert value(tree, "/1/0/7") == "U"


def test_partial_write_keeps_the_rest(tree):
    assert write(tree, "/1/0", {"3": 60}, is_replace=False) is None
    assert (value(tree, "/1/0/3"), value(tree, "/1/0/2")) == (60, 0)


def test_array_is_replaced_or_updated(tree):
    assert write(tree, "/16/0/0", {"1": "Yellow", "3": "Blue"}, is_replace=False) is None
    assert sorted(value(tree, "/16/0/0")) == [0, 1, 2, 3]
    assert write(tree, "/16/0/0", {"1": "Yellow"}) is None
    assert value(tree, "/16/0/0") == {1: "Yellow"}
    assert write(tree, "/16/0/0/1", "Red") is None
    assert value(tree, "/16/0/0") == {1: "Red"}
    assert write(tree, "/16/0/0", {}) is None
    assert value(tree, "/16/0/0") == {}


@pytest.mark.parametrize(
    ("path", "given", "code"),
    [
        ("/0/0/0", "coap://x", Code.UNAUTHORIZED),
        ("/3/0/0", "maker", Code.METHOD_NOT_ALLOWED),
        ("/3/1/14", "+01:00", Code.NOT_FOUND),
        ("/16/0/0/9", "new", Code.NOT_FOUND),
        ("/3/0", {"14": "+01:00", "0": "maker"}, Code.METHOD_NOT_ALLOWED),
    ],
)
def test_refused_write_changes_nothing(tree, path, given, code):
    before = tree.read(ROOT)
    assert write(tree, path, given) is code
    assert tree.read(ROOT) == before


def test_values_that_do_not_fit_are_bad_requests(tree):
    offset = parse_path("/3/0/14")
    several = (Record(offset.child(0), "+01:00", Type.STRING),)
    assert tree.write(offset, several, is_replace=True) is Code.BAD_REQUEST
    elsewhere = (Record(parse_path("/3/0/15"), "x", Type.STRING),)
    assert tree.write(offset, elsewhere, is_replace=True) is Code.BAD_REQUEST
    severity = parse_path("/5/0/11")
    tree.put(severity, 1)
    assert tree.write(severity, (Record(severity, 9, Type.INTEGER),), is_replace=True) is Code.BAD_REQUEST


@pytest.mark.parametrize(
    ("link", "code"),
    [
        (ObjectLink(3, 0), None),
        (ObjectLink(65535, 65535), None),
        (ObjectLink(16, 65535), None),
        (ObjectLink(16, 7), Code.BAD_REQUEST),
    ],
)
def test_object_link_points_to_what_is_there_or_to_nothing(tree, link, code):
    path = parse_path("/1/0/10")
    tree.put(path, ObjectLink(65535, 65535))
    assert tree.write(path, (Record(path, link, Type.OBJLNK),), is_replace=True) is code


def test_unknown_resources_of_an_instance_write_are_passed_over(tree):
    given = (*records(tree, "/3/0", {"14": "+01:00"}), Record(parse_path("/3/0/999"), 1, Type.INTEGER))
    assert tree.write(parse_path("/3/0"), given, is_replace=False) is None
    assert value(tree, "/3/0/14") == "+01:00"
    assert not tree.exists(parse_path("/3/0/999"))


def test_composite_write_is_all_or_nothing(tree):
    before = tree.read(ROOT)
    some = records(tree, "/3/0/14", "+05:00")
    assert tree.write_all((*some, *records(tree, "/16/7/0/0", "x"))) is Code.NOT_FOUND
    assert tree.write_all((*some, Record(parse_path("/3/0/0"), "x", Type.STRING))) is Code.METHOD_NOT_ALLOWED
    assert tree.write_all((*some, Record(parse_path("/0/0/0"), "x", Type.STRING))) is Code.UNAUTHORIZED
    assert tree.read(ROOT) == before
    gone = Record(parse_path("/16/0/0/1"), None, Type.NONE)
    assert tree.write_all((*some, gone)) is None
    assert value(tree, "/3/0/14") == "+05:00"
    assert sorted(value(tree, "/16/0/0")) == [0, 2]


def test_created_instance_has_its_mandatory_resources_and_the_next_number(tree):
    made = tree.create(16, records(tree, "/16", {"0": {"0": "x"}}), None)
    assert made == parse_path("/16/1")
    assert value(tree, "/16/1/0") == {0: "x"}
    assert tree.create(3303, (), 7) == parse_path("/3303/7")
    assert value(tree, "/3303/7/5700") == 0.0


@pytest.mark.parametrize(
    ("object_id", "given", "instance_id", "code"),
    [
        (0, (), None, Code.UNAUTHORIZED),
        (9, (), None, Code.NOT_FOUND),
        (3, (), None, Code.METHOD_NOT_ALLOWED),
        (16, (), None, Code.BAD_REQUEST),
        (3303, (), 0, Code.BAD_REQUEST),
    ],
)
def test_refused_create_leaves_no_trace(tree, object_id, given, instance_id, code):
    before = tree.read(ROOT)
    assert tree.create(object_id, given, instance_id) is code
    assert tree.read(ROOT) == before


def test_create_that_does_not_fit_leaves_no_trace(tree):
    path = Path((16, 65535, 0))
    assert tree.create(16, (Record(path, "no array", Type.STRING),), None) is Code.BAD_REQUEST
    assert tree.instances(16) == [parse_path("/16/0")]


def test_instances_of_an_object_are_bounded(tree):
    made = [tree.create(3303, (), None) for _ in range(MAX_INSTANCES)]
    assert made[-1] is Code.METHOD_NOT_ALLOWED
    assert len(tree.instances(3303)) == MAX_INSTANCES


def test_values_of_read_only_resources_are_passed_over_by_create(tree):
    given = records(tree, "/3303", {"5700": 50.0, "5750": "kitchen"})
    path = tree.create(3303, given, None)
    assert (value(tree, f"{path}/5700"), value(tree, f"{path}/5750")) == (0.0, "kitchen")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/16/0", None),
        ("/16/0/0/1", None),
        ("/16/0/0", Code.METHOD_NOT_ALLOWED),
        ("/16", Code.METHOD_NOT_ALLOWED),
        ("/1/0", Code.METHOD_NOT_ALLOWED),
        ("/3/0", Code.METHOD_NOT_ALLOWED),
        ("/3/0/6/0", Code.METHOD_NOT_ALLOWED),
        ("/0/0", Code.UNAUTHORIZED),
        ("/16/5", Code.NOT_FOUND),
    ],
)
def test_delete_takes_instances_and_what_a_server_may_write(tree, path, code):
    assert tree.delete(parse_path(path)) is code
    assert tree.exists(parse_path(path)) is (code is not None and code is not Code.NOT_FOUND)


def test_resource_instances_are_deleted_from_1_2_on():
    assert Tree(factory_contents("1.1")).delete(parse_path("/16/0/0/1")) is Code.METHOD_NOT_ALLOWED


def test_object_without_a_definition_is_written_as_it_is_typed():
    path = parse_path("/31024/0")
    contents = build_contents(factory_contents("1.1").version, {path: {1: "text"}})
    tree = Tree(contents)
    assert tree.write(path.child(1), (Record(path.child(1), "new", Type.STRING),), is_replace=True) is None
    assert tree.read(path.child(1)) == (Record(path.child(1), "new", Type.STRING),)


def test_reset_gives_back_what_the_factory_made(tree):
    tree.put(parse_path("/3/0/14"), "+09:00")
    tree.reset()
    assert value(tree, "/3/0/14") == "+00:00"
