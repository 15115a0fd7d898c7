import pytest
from aiocoap.numbers.codes import Code

from gateway.lwm2m.formats import Format, decode, encode_paths
from gateway.lwm2m.path import ROOT, parse_path
from gateway.lwm2m.records import Context
from tools.simulator.client.client import Client
from tools.simulator.client.contents import build_contents, factory_contents
from tools.simulator.client.effects import RebootWanted, UpdateWanted
from tools.simulator.client.exchanges import Request
from tools.simulator.client.observing import MAX_RELATIONS


@pytest.fixture
def client():
    return Client(factory_contents("1.2"))


def ask(client, code, path="/", *, now=0.0, **options):
    return client.answer(Request(code, tuple(filter(None, path.split("/"))), **options), now)


def values(client, response, path="/"):
    format_ = next(one for one in Format if one.number == response.content_format)
    context = Context(parse_path(path), client.tree.contents.model.find_type)
    return {str(record.path): record.value for record in decode(format_, response.payload, context).records}


FORMATS = {
    "1.0": [Format.TLV, Format.OMA_JSON],
    "1.1": [Format.TLV, Format.SENML_CBOR, Format.SENML_JSON],
    "1.2": [Format.TLV, Format.SENML_CBOR, Format.SENML_JSON, Format.LWM2M_CBOR],
}


@pytest.mark.parametrize(
    ("version", "format_"), [(version, one) for version, formats in FORMATS.items() for one in formats]
)
@pytest.mark.parametrize("path", ["/3", "/3/0", "/3/0/7", "/3/0/0"])
def test_read_answers_in_each_format_of_the_version(version, format_, path):
    client = Client(factory_contents(version))
    response = ask(client, Code.GET, path, accept=format_.number)
    assert (response.code, response.content_format) == (Code.CONTENT, format_.number)
    expected = {str(record.path): record.value for record in client.tree.read(parse_path(path))}
    assert values(client, response, path) == expected


@pytest.mark.parametrize(
    ("version", "path", "format_"),
    [
        ("1.0", "/3/0/0", Format.TEXT),
        ("1.0", "/3/0", Format.TLV),
        ("1.1", "/3/0", Format.SENML_CBOR),
        ("1.1", "/3/0/7/0", Format.TEXT),
        ("1.1", "/3/0/7", Format.SENML_CBOR),
    ],
)
def test_without_accept_the_device_chooses(version, path, format_):
    assert ask(Client(factory_contents(version)), Code.GET, path).content_format == format_.number


@pytest.mark.parametrize(
    ("version", "code", "path", "options", "answer"),
    [
        ("1.1", Code.GET, "/", {}, Code.METHOD_NOT_ALLOWED),
        ("1.1", Code.GET, "/3/0/0", {"accept": 11544}, Code.NOT_ACCEPTABLE),
        ("1.1", Code.GET, "/3/0", {"accept": 0}, Code.NOT_ACCEPTABLE),
        ("1.1", Code.GET, "/bs", {}, Code.NOT_FOUND),
        ("1.1", Code.GET, "/0/0", {"accept": 40}, Code.UNAUTHORIZED),
        ("1.1", Code.GET, "/9", {"accept": 40}, Code.NOT_FOUND),
        ("1.1", Code.GET, "/3/0/6/0", {"accept": 40}, Code.METHOD_NOT_ALLOWED),
        ("1.0", Code.GET, "/3/0/6/0", {}, Code.METHOD_NOT_ALLOWED),
        ("1.0", Code.FETCH, "/", {"content_format": 112}, Code.METHOD_NOT_ALLOWED),
        ("1.0", Code.iPATCH, "/", {"content_format": 112}, Code.METHOD_NOT_ALLOWED),
        ("1.1", Code.FETCH, "/", {"content_format": 60}, Code.BAD_REQUEST),
        ("1.1", Code.FETCH, "/", {"content_format": 320}, Code.UNSUPPORTED_CONTENT_FORMAT),
        ("1.1", Code.FETCH, "/", {"content_format": 112, "accept": 0}, Code.NOT_ACCEPTABLE),
        ("1.1", Code.FETCH, "/", {"content_format": 112, "payload": b"?"}, Code.BAD_REQUEST),
        ("1.1", Code.iPATCH, "/", {"content_format": 320}, Code.UNSUPPORTED_CONTENT_FORMAT),
        ("1.1", Code.PUT, "/3", {"payload": b"x"}, Code.METHOD_NOT_ALLOWED),
        ("1.1", Code.PUT, "/3/0/14", {"payload": b"\xff"}, Code.BAD_REQUEST),
        ("1.1", Code.PUT, "/1/0/1", {"payload": b"soon"}, Code.BAD_REQUEST),
        (
            "1.1",
            Code.PUT,
            "/1/0/1",
            {"payload": b"1", "content_format": 320},
            Code.UNSUPPORTED_CONTENT_FORMAT,
        ),
        ("1.1", Code.PUT, "/", {"queries": ("pmin=1",)}, Code.METHOD_NOT_ALLOWED),
        ("1.1", Code.PUT, "/9", {"queries": ("pmin=1",)}, Code.NOT_FOUND),
        ("1.1", Code.PUT, "/3", {"queries": ("pmin=x",)}, Code.BAD_REQUEST),
        ("1.1", Code.PUT, "/3", {"queries": ("gt=1",)}, Code.BAD_REQUEST),
        ("1.1", Code.POST, "/", {}, Code.METHOD_NOT_ALLOWED),
        ("1.1", Code.POST, "/3/0/0", {}, Code.METHOD_NOT_ALLOWED),
        ("1.1", Code.POST, "/3/0/99", {}, Code.NOT_FOUND),
        ("1.1", Code.POST, "/3/0/4", {"payload": b"a"}, Code.BAD_REQUEST),
        ("1.1", Code.POST, "/3/0/4", {"payload": b"\xff"}, Code.BAD_REQUEST),
        ("1.1", Code.POST, "/3/0/4", {"content_format": 112}, Code.UNSUPPORTED_CONTENT_FORMAT),
        ("1.1", Code.POST, "/16", {"payload": b"\xff", "content_format": 11542}, Code.BAD_REQUEST),
        ("1.1", Code.POST, "/9", {}, Code.NOT_FOUND),
        ("1.1", Code.DELETE, "/3/0", {}, Code.METHOD_NOT_ALLOWED),
        ("1.1", Code.PATCH, "/3/0", {}, Code.METHOD_NOT_ALLOWED),
        ("1.1", Code.GET, "/3/0/0", {"observe": 0, "queries": ("pmin=1",)}, Code.BAD_REQUEST),
        ("1.2", Code.GET, "/3/0/0", {"observe": 0, "queries": ("pmin=x",)}, Code.BAD_REQUEST),
    ],
)
def test_what_cannot_be_done_is_answered_with_its_code_and_changes_nothing(
    version, code, path, options, answer
):
    client = Client(factory_contents(version))
    before = client.tree.read(ROOT)
    response = ask(client, code, path, **options)
    assert (response.code, response.payload) == (answer, b"")
    assert client.tree.read(ROOT) == before
    assert not client.take_effects()
    assert not len(client.observations)


def test_written_array_is_an_update_of_the_resource(client):
    payload = bytes.fromhex("880003") + b"A\x05y"
    assert ask(client, Code.POST, "/16/0/0", content_format=11542, payload=payload).code is Code.CHANGED
    assert client.get(parse_path("/16/0/0"))[5] == "y"


def test_execute_of_the_reboot_resource_wants_a_reboot(client):
    assert ask(client, Code.POST, "/3/0/4", payload=b"0='now'").code is Code.CHANGED
    assert client.take_effects() == [RebootWanted()]
    assert client.take_effects() == []


def test_create_tells_the_number_that_the_device_chose(client):
    response = ask(client, Code.POST, "/3303")
    assert (response.code, response.location) == (Code.CREATED, ("3303", "1"))
    for payload in (b"\x00\x07", b"\x20\x01\x07"):
        named = ask(client, Code.POST, "/3303", content_format=11542, payload=payload)
        assert (named.code, named.location) == (Code.CREATED, ())
    assert client.tree.exists(parse_path("/3303/7"))
    assert client.tree.exists(parse_path("/3303/263"))
    assert client.take_effects()[0] == UpdateWanted(has_new_objects=True)


def test_create_of_several_instances_at_once_is_refused(client):
    payload = bytes.fromhex("05018300410078" + "05028300410078")
    response = ask(client, Code.POST, "/16", content_format=11542, payload=payload)
    assert response.code is Code.BAD_REQUEST


def test_observation_of_a_deleted_instance_ends_with_an_error(client):
    ask(client, Code.POST, "/3303")
    ask(client, Code.GET, "/3303/1/5700", observe=0, token=b"t")
    assert ask(client, Code.DELETE, "/3303/1", now=1.0).code is Code.DELETED
    (last,) = client.poll(1.0)
    assert (last.token, last.response.code, last.is_last) == (b"t", Code.NOT_FOUND, True)
    assert not len(client.observations)


def test_observing_an_object_tells_of_new_instances(client):
    ask(client, Code.GET, "/3303", observe=0, token=b"t", accept=112)
    ask(client, Code.POST, "/3303", now=1.0)
    (told,) = client.poll(1.0)
    assert "/3303/1/5700" in values(client, told.response, "/3303")


def test_attributes_in_the_query_hold_for_that_relation_only_and_switch_the_others_off(client):
    ask(client, Code.PUT, "/3303/0/5700", queries=("pmax=60",))
    ask(client, Code.GET, "/3303/0/5700", observe=0, token=b"own", queries=("pmax=10",))
    ask(client, Code.GET, "/3303/0/5700", observe=0, token=b"attached")
    assert [one.token for one in client.poll(10.0)] == [b"own"]
    assert sorted(one.token for one in client.poll(60.0)) == [b"attached", b"own"]
    links = ask(client, Code.GET, "/3303/0/5700", accept=40).payload
    assert links == b"</3303/0/5700>;pmax=60"


def test_default_periods_of_the_server_hold_for_running_observations(client):
    ask(client, Code.GET, "/3303/0/5700", observe=0, token=b"t")
    ask(client, Code.PUT, "/1/0/3", payload=b"30")
    assert client.tree.get(parse_path("/1/0/3")) == 30
    client.poll(0.0)
    assert client.get_timer() == 30.0
    assert len(client.poll(30.0)) == 1


def test_cancel_needs_the_same_token(client):
    ask(client, Code.GET, "/3/0/9", observe=0, token=b"t")
    assert ask(client, Code.GET, "/3/0/9", observe=1, token=b"u").code is Code.CONTENT
    assert len(client.observations) == 1
    ask(client, Code.GET, "/3/0/9", observe=1, token=b"t")
    assert len(client.observations) == 0


def test_observations_are_bounded_and_the_next_is_a_read(client):
    for number in range(MAX_RELATIONS):
        ask(client, Code.GET, "/3/0/9", observe=0, token=bytes((number,)))
    response = ask(client, Code.GET, "/3/0/9", observe=0, token=b"more")
    assert (response.code, response.observe) == (Code.CONTENT, None)
    again = ask(client, Code.GET, "/3/0/9", observe=0, token=b"\0")
    assert again.observe is not None, "one of those there are"
    assert len(client.observations) == MAX_RELATIONS


def test_composite_in_the_formats_of_1_2_takes_a_resource_instance_away(client):
    payload = b'[{"n":"/16/0/0/1","v":null}]'
    assert ask(client, Code.iPATCH, content_format=320, payload=payload).code is Code.CHANGED
    assert 1 not in client.get(parse_path("/16/0/0"))
    paths = encode_paths(Format.SENML_ETCH_CBOR, (parse_path("/3/0/0"), parse_path("/9")))
    response = ask(client, Code.FETCH, content_format=322, accept=11544, payload=paths)
    assert values(client, response) == {"/3/0/0": "Nodegate"}
    nothing = encode_paths(Format.SENML_CBOR, (parse_path("/9"),))
    empty = ask(client, Code.FETCH, content_format=112, accept=11544, payload=nothing)
    assert (empty.code, empty.payload) == (Code.CONTENT, b"")


def test_alternate_path_is_needed_and_told():
    factory = factory_contents("1.1")
    client = Client(build_contents(factory.version, factory.instances, root="/dev"))
    assert ask(client, Code.GET, "/3/0/0").code is Code.NOT_FOUND
    assert ask(client, Code.GET, "/dev/3/0/0").payload == b"Nodegate"
    assert ask(client, Code.GET, "/dev/3/0", accept=40).payload.startswith(b"</dev/3/0>,")
