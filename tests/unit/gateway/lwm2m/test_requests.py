from __future__ import annotations

import cbor2
import pytest

from gateway.lwm2m.attributes import Attributes, parse_attributes
from gateway.lwm2m.formats import Format
from gateway.lwm2m.inputs import read_argument
from gateway.lwm2m.model import DeviceModel
from gateway.lwm2m.negotiation import DeviceProfile
from gateway.lwm2m.operations import (
    Cancel,
    Create,
    Delete,
    Discover,
    Execute,
    Observe,
    Read,
    Write,
    WriteAttributes,
    WriteComposite,
)
from gateway.lwm2m.path import ROOT, Path, parse_path
from gateway.lwm2m.records import Record
from gateway.lwm2m.requests import Method, Refusal, Request, prepare, prepare_again
from gateway.lwm2m.values import Type
from gateway.lwm2m.versions import Version
from gateway.objectmodel import own_model

F = Format


def device(minor=1, *content_formats, root="/", versions=None):
    return DeviceProfile(Version(1, minor), content_formats, root, DeviceModel(own_model(), versions))


OLD, NEW, NEWEST = device(0), device(1), device(2)


def write(path, text, is_partial=False, format_=None):
    target = parse_path(path)
    return Write(target, read_argument(target, text, NEW.model), is_partial, format_)


def create(path, text, format_=None):
    target = parse_path(path)
    return Create(target, read_argument(target, text, NEW.model), format_)


def composite(*pairs, format_=None):
    records = [record for path, text in pairs for record in read_argument(parse_path(path), text, NEW.model)]
    return WriteComposite(tuple(records), format_)


def read(*paths, format_=None):
    return Read(tuple(map(parse_path, paths)), format_)


def sent(operation, profile=NEW, refused=()):
    request = prepare(operation, profile, refused)
    assert isinstance(request, Request), request
    return request


def refusal(operation, profile=NEW, refused=()):
    found = prepare(operation, profile, refused)
    assert isinstance(found, Refusal), found
    assert found.text
    return found.text


def test_read_is_a_get():
    assert sent(read("/3/0"), device(1, root="/lwm2m")) == Request(
        Method.GET, ("lwm2m", "3", "0"), accept=112, format=F.SENML_CBOR
    )
    assert sent(read("/3/0/9"), OLD).accept == 0
    assert sent(read("/3/0"), OLD).accept == 11542


def test_read_of_several_paths_is_a_fetch():
    request = sent(read("/3/0/9", "/1/0"), device(1, root="/lwm2m"))
    assert (request.method, request.path) == (Method.FETCH, ("lwm2m",))
    assert (request.content_format, request.accept) == (112, 112)
    assert cbor2.loads(request.payload) == [{0: "/lwm2m/3/0/9"}, {0: "/lwm2m/1/0"}]
    assert sent(read("/")).payload == cbor2.dumps([{0: "/"}])


@pytest.mark.parametrize(
    ("format_", "content_format", "accept"),
    [
        (F.SENML_JSON, 110, 110),
        (F.SENML_CBOR, 112, 112),
        (F.SENML_ETCH_JSON, 320, 110),
        (F.SENML_ETCH_CBOR, 322, 112),
        (F.LWM2M_CBOR, 112, 11544),
    ],
)
def test_named_format_of_a_composite_is_that_of_body_and_answer(format_, content_format, accept):
    request = sent(read("/3/0/9", "/1/0/1", format_=format_))
    assert (request.content_format, request.accept, request.format) == (content_format, accept, format_)


@pytest.mark.parametrize("format_", [F.TEXT, F.LINK, F.TLV, F.OMA_JSON, F.CBOR])
def test_composite_takes_no_other_format(format_):
    assert format_.value in refusal(read("/3", "/1", format_=format_))


@pytest.mark.parametrize("operation", [read("/3", "/1"), read("/"), composite(("/1/0/1", "5"))])
def test_device_of_1_0_has_no_composites(operation):
    assert "1.0" in refusal(operation, OLD)


@pytest.mark.parametrize("paths", [(), ("/3", "/3")])
def test_composite_names_each_path_once(paths):
    refusal(read(*paths))


def test_named_format_is_asked_for():
    assert sent(read("/3/0/9", format_=F.CBOR)).accept == 60
    assert sent(read("/3/0/9", format_=F.TLV), device(2, 112)).accept == 11542
    assert sent(read("/42/0/1", format_=F.TEXT)).accept == 0


@pytest.mark.parametrize(
    ("path", "format_"),
    [
        ("/3/0", F.TEXT),
        ("/3/0/6", F.OPAQUE),
        ("/3", F.CBOR),
        ("/3/0/9", F.LINK),
        ("/3/0/9", F.SENML_ETCH_JSON),
    ],
)
def test_format_that_cannot_hold_the_answer_is_refused(path, format_):
    refusal(read(path, format_=format_))


@pytest.mark.parametrize(
    ("path", "what"), [("/5/0/0", "not readable"), ("/3/0/4", "executable"), ("/3/0/4/0", "executable")]
)
def test_what_the_definition_does_not_let_read_is_refused(path, what):
    for operation in (read(path), Observe((parse_path(path),))):
        assert what in refusal(operation)


def test_what_no_server_may_touch_is_left_to_the_device():
    assert sent(read("/0/0/5")).path == ("0", "0", "5")
    assert sent(write("/0/0/0", "coap://x")).method is Method.PUT


def test_older_definition_forbids_nothing():
    profile = device(1, versions={5: "1.9"})
    assert sent(read("/5/0/0"), profile).accept == 42
    assert sent(Execute(parse_path("/5/0/1")), profile).method is Method.POST


def test_observe_and_cancel_differ_in_one_option():
    assert sent(Observe((parse_path("/3/0/9"),))).observe == 0
    assert sent(Cancel((parse_path("/3/0/9"),))).observe == 1
    paths = (parse_path("/3/0/9"), parse_path("/1/0/1"))
    observed, cancelled = sent(Observe(paths)), sent(Cancel(paths))
    assert (observed.observe, cancelled.observe) == (0, 1)
    assert observed.payload == cancelled.payload
    assert sent(read("/3/0/9")).observe is None


def test_observe_takes_attributes_from_1_2_on():
    operation = Observe((parse_path("/3/0/9"),), attributes=parse_attributes(["pmin=5", "pmax=15"]))
    assert sent(operation, NEWEST).queries == ("pmin=5", "pmax=15")
    assert "1.2" in refusal(operation, NEW)


def test_discover_asks_for_links():
    assert sent(Discover(parse_path("/3/0/6"))) == Request(Method.GET, ("3", "0", "6"), accept=40)


def test_discover_takes_a_depth_from_1_2_on():
    operation = Discover(parse_path("/3"), 2)
    assert sent(operation, NEWEST) == Request(Method.GET, ("3",), ("depth=2",), accept=40)
    assert "1.2" in refusal(operation, NEW)


@pytest.mark.parametrize(("path", "depth"), [("/", None), ("/3/0/6/0", None), ("/3", 4), ("/3", -1)])
def test_discover_has_targets_and_depths(path, depth):
    refusal(Discover(parse_path(path), depth), NEWEST)


@pytest.mark.parametrize(
    ("operation", "profile", "path", "content_format", "payload"),
    [
        (write("/1/0/1", "3600"), NEW, "1/0/1", 0, b"3600"),
        (write("/5/0/0", "hex:00"), NEW, "5/0/0", 42, b"\0"),
        (write("/16/0/0/3", "x"), NEW, "16/0/0/3", 0, b"x"),
        (write("/1/0", '{"1":60}'), OLD, "1/0", 11542, bytes.fromhex("c1013c")),
        (write("/16/0/0", "{}"), OLD, "16/0/0", 11542, bytes.fromhex("8000")),
        (write("/42/0/1", '{"0":"x"}'), OLD, "42/0/1", 11542, bytes.fromhex("8301410078")),
        (write("/1/0/1", "60", format_=F.TLV), NEW, "1/0/1", 11542, bytes.fromhex("c1013c")),
        (write("/1/0/1", "60", format_=F.CBOR), NEW, "1/0/1", 60, bytes.fromhex("183c")),
    ],
)
def test_write_replaces_by_put(operation, profile, path, content_format, payload):
    request = sent(operation, profile)
    assert (request.method, "/".join(request.path)) == (Method.PUT, path)
    assert (request.content_format, request.payload) == (content_format, payload)


@pytest.mark.parametrize(
    ("path", "text", "target"),
    [
        ("/1/0", '{"1":60}', "1/0"),
        ("/1/0/1", "60", "1/0"),
        ("/16/0/0", '{"3":"x"}', "16/0/0"),
        ("/16/0/0", "{}", "16/0/0"),
        ("/16/0/0/3", "x", "16/0"),
        ("/42/0/1", '{"0":1}', "42/0/1"),
        ("/42/0/1", "1", "42/0"),
    ],
)
def test_partial_write_updates_by_post_and_never_looks_like_an_execute(path, text, target):
    request = sent(write(path, text, is_partial=True), OLD)
    assert (request.method, "/".join(request.path), request.content_format) == (Method.POST, target, 11542)


@pytest.mark.parametrize(
    "operation",
    [
        write("/3/0/0", "Acme"),
        Write(parse_path("/3/0/4"), (Record(parse_path("/3/0/4"), None, Type.NONE),)),
        write("/1/0", '{"0":5}'),
        Write(parse_path("/1/0/1"), ()),
        Write(parse_path("/1"), (Record(parse_path("/1/0/1"), 1, Type.INTEGER),)),
        Write(parse_path("/1/0"), (Record(parse_path("/1/1/1"), 1, Type.INTEGER),)),
        Write(parse_path("/1/0"), (Record(parse_path("/1/0"), 1, Type.INTEGER),)),
        Write(parse_path("/1/0/26"), (Record(parse_path("/1/0/26"), 2, Type.INTEGER),)),
        write("/1/0", '{"1":60}', format_=F.TEXT),
        write("/1/0/1", "60", format_=F.LINK),
        write("/1/0/1", "60", format_=F.OPAQUE),
        write("/1/0/1", "60", is_partial=True, format_=F.TEXT),
    ],
)
def test_write_that_cannot_be_is_refused(operation):
    refusal(operation)


def test_composite_write_is_an_ipatch():
    request = sent(composite(("/1/0/1", "60"), ("/3/0/14", "+01:00")), device(1, root="/lwm2m"))
    assert (request.method, request.path, request.content_format) == (Method.IPATCH, ("lwm2m",), 112)
    assert cbor2.loads(request.payload) == [{0: "/lwm2m/1/0/1", 2: 60}, {0: "/lwm2m/3/0/14", 3: "+01:00"}]
    assert sent(composite(("/1/0/1", "60"), format_=F.LWM2M_CBOR)).content_format == 112
    assert sent(composite(("/1/0/1", "60"), format_=F.SENML_ETCH_JSON)).content_format == 320


@pytest.mark.parametrize(
    "operation",
    [
        WriteComposite(()),
        composite(("/1/0/1", "60"), ("/1/0/1", "61")),
        composite(("/3/0/0", "x")),
        composite(("/1/0/1", "60"), format_=F.TEXT),
    ],
)
def test_composite_write_that_cannot_be_is_refused(operation):
    refusal(operation)


def test_attributes_are_put_without_a_body():
    operation = WriteAttributes(parse_path("/3/0/9"), parse_attributes(["gt=50", "pmin"]))
    assert sent(operation) == Request(Method.PUT, ("3", "0", "9"), ("gt=50", "pmin"))


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("/", (("pmin", 1),)),
        ("/3", ()),
        ("/3/0", (("gt", 5.0),)),
        ("/3/0/9", (("lt", 5.0), ("gt", 4.0))),
    ],
)
def test_attributes_that_cannot_be_are_refused(path, changes):
    refusal(WriteAttributes(parse_path(path), Attributes(changes)))


def test_execute_is_a_post_with_or_without_arguments():
    assert sent(Execute(parse_path("/3/0/4"))) == Request(Method.POST, ("3", "0", "4"))
    request = sent(Execute(parse_path("/1/0/8"), "0='U'"))
    assert (request.content_format, request.payload) == (0, b"0='U'")
    assert sent(Execute(parse_path("/42/0/1"))).method is Method.POST


@pytest.mark.parametrize(
    ("path", "arguments"), [("/3/0", ""), ("/3/0/4/0", ""), ("/3/0/9", ""), ("/3/0/4", "reboot")]
)
def test_execute_that_cannot_be_is_refused(path, arguments):
    refusal(Execute(parse_path(path), arguments))


@pytest.mark.parametrize(
    ("operation", "profile", "content_format", "payload"),
    [
        (create("/16", '{"0":{"1":"x"}}'), OLD, 11542, bytes.fromhex("8300410178")),
        (create("/16", '{"0":{"1":"x"}}'), NEW, 11542, bytes.fromhex("8300410178")),
        (create("/16/2", '{"0":{"1":"x"}}'), OLD, 11542, bytes.fromhex("05028300410178")),
        (create("/16/2", '{"0":{"1":"x"}}', F.LWM2M_CBOR), NEW, 11544, cbor2.dumps({(16, 2, 0, 1): "x"})),
        (create("/16", "{}"), NEW, 11542, b""),
        (create("/16/2", "{}"), NEW, 11542, b"\x00\x02"),
        (create("/16/2", "{}", F.TLV), NEW, 11542, b"\x00\x02"),
        (
            create("/2/5", '{"0":3}'),
            OLD,
            11542,
            bytes.fromhex("0305c10003"),
        ),
    ],
)
def test_create_is_a_post_to_the_object(operation, profile, content_format, payload):
    request = sent(operation, profile)
    assert (request.method, request.path) == (Method.POST, (str(operation.path[0]),))
    assert (request.content_format, request.payload) == (content_format, payload)


def test_empty_create_names_no_format_to_a_device_without_tlv():
    operation = create("/16", "{}")
    first = sent(operation, NEW)
    again = prepare_again(operation, NEW, [first], "4.15")
    assert again == Request(Method.POST, ("16",))
    assert prepare_again(operation, NEW, [first, again], "4.15") is None


def test_create_without_a_number_says_so_in_senml():
    request = sent(create("/16", '{"0":{"1":"x"}}', F.SENML_CBOR), NEWEST)
    assert request.content_format == 112
    assert cbor2.loads(request.payload) == [{-2: "/16/", 0: "65535/0/1", 3: "x"}]


@pytest.mark.parametrize(
    "operation",
    [
        Create(ROOT),
        Create(parse_path("/16/0/0")),
        create("/16/2", "{}", F.SENML_CBOR),
        create("/16/2", '{"0":{"1":"x"}}', F.TEXT),
        Create(parse_path("/2"), (Record(Path((2, 65535, 0)), 0, Type.INTEGER),)),
    ],
)
def test_create_that_cannot_be_is_refused(operation):
    refusal(operation)


def test_delete_is_for_instances():
    assert sent(Delete(parse_path("/16/2"))) == Request(Method.DELETE, ("16", "2"))
    assert sent(Delete(parse_path("/16/0/0/1"))).path == ("16", "0", "0", "1")
    for path in ("/", "/16", "/16/0/0"):
        refusal(Delete(parse_path(path)))


@pytest.mark.parametrize(
    "operation",
    [read("/3/0"), read("/3/0/9"), read("/3", "/1"), write("/1/0", '{"1":60}'), write("/5/0/0", "hex:00"),
     create("/16", '{"0":{"1":"x"}}'), composite(("/1/0/1", "60")), Observe((parse_path("/3/0"),))],
)  # fmt: skip
def test_device_that_refuses_every_format_is_asked_in_each_once(operation):
    tried = [sent(operation)]
    while (request := prepare_again(operation, NEW, tried, "4.15")) is not None:
        tried.append(request)
    formats = [request.format for request in tried]
    assert len(formats) > 1
    assert len(set(formats)) == len(formats)
    if isinstance(operation, Read | Observe) and len(operation.paths) == 1:
        assert tried[-1].accept is None


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        (read("/3/0"), "4.04"),
        (read("/3/0", format_=F.TLV), "4.06"),
        (Execute(parse_path("/3/0/4")), "4.15"),
        (Delete(parse_path("/16/0")), "4.06"),
    ],
)
def test_other_answers_stand(operation, code):
    assert prepare_again(operation, NEW, [sent(operation)], code) is None
