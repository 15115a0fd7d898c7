import pytest

from gateway.lwm2m.attributes import parse_attributes
from gateway.lwm2m.objectlinks import decode_object_links
from gateway.lwm2m.path import Path, parse_path
from tools.simulator.client.attached import AttachedAttributes
from tools.simulator.client.contents import build_contents, factory_contents
from tools.simulator.client.discovery import describe_objects, describe_path
from tools.simulator.client.tree import Tree


def test_object_list_names_instances_versions_and_formats():
    listed = decode_object_links(describe_objects(Tree(factory_contents("1.1"))).encode())
    assert [link.path for link in listed.links] == [
        "/1/0",
        "/3/0",
        "/4/0",
        "/5/0",
        "/6/0",
        "/7/0",
        "/16/0",
        "/3303/0",
    ]
    assert {link.object_id: link.version for link in listed.links if link.version} == {3303: "1.1"}
    assert listed.content_formats == (60, 110, 112, 11542)


def test_device_of_1_0_names_no_formats():
    text = describe_objects(Tree(factory_contents("1.0")))
    assert text.startswith('</>;rt="oma.lwm2m",</1/0>')


def test_alternate_path_and_objects_without_instances_are_listed():
    factory = factory_contents("1.1")
    contents = build_contents(factory.version, {Path((3, 0)): {}}, objects=(16,), root="/dev")
    listed = decode_object_links(describe_objects(Tree(contents)).encode())
    assert listed.alternate_path == "/dev"
    assert [link.path for link in listed.links] == ["/3/0", "/16"]


@pytest.fixture
def attached():
    attributes = AttachedAttributes()
    attributes.write(parse_path("/3"), parse_attributes(["pmin=10"]))
    attributes.write(parse_path("/3/0"), parse_attributes(["pmax=60"]))
    attributes.write(parse_path("/3/0/7"), parse_attributes(["gt=50", "lt=42.2"]))
    return attributes


@pytest.mark.parametrize(
    ("target", "depth", "first"),
    [
        ("/3", 0, ["</3>;pmin=10"]),
        ("/3", 1, ["</3>;pmin=10", "</3/0>;pmax=60"]),
        ("/3", None, ["</3>;pmin=10", "</3/0>;pmax=60", "</3/0/0>"]),
        ("/3/0", 0, ["</3/0>;pmin=10;pmax=60"]),
        ("/3/0/7", 0, ["</3/0/7>;dim=2;pmin=10;pmax=60;gt=50;lt=42.2"]),
        ("/3/0/7", None, ["</3/0/7>;dim=2;pmin=10;pmax=60;gt=50;lt=42.2", "</3/0/7/0>", "</3/0/7/1>"]),
        ("/3303", 0, ["</3303>;ver=1.1"]),
    ],
)
def test_discover_goes_as_deep_as_asked_and_inherits_at_the_target(attached, target, depth, first):
    links = describe_path(Tree(factory_contents("1.2")), attached, parse_path(target), depth).split(",")
    assert links[: len(first)] == first
    assert depth is None or len(links) == len(first)


def test_depth_of_three_lists_resource_instances(attached):
    text = describe_path(Tree(factory_contents("1.2")), attached, parse_path("/3"), 3)
    assert "</3/0/6/1>" in text.split(",")
