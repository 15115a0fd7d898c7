"""Every row of the table of bad inputs, driven through the registration directory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aiocoap import Message
from aiocoap.numbers.codes import Code

from gateway.address import Address
from gateway.lwm2m.errors import RefusalReason
from gateway.lwm2m.registration import Policy
from gateway.lwm2m.send import SendRefusal
from gateway.objectmodel import own_model
from gateway.site.dp import SendReceiver
from gateway.site.rd import RegistrationDirectory
from gateway.site.respond import ANSWERS, Fault, Wrong, error_response
from registry.model import Security
from registry.outcomes import CommitFailure
from tests.support.conformance import Row, rows
from tests.support.fake_registry import FakeRegistry
from tests.support.requests import HOME, OBJECT_LIST, answer_of, read_response, request

PLAIN, SECURE, FROZEN = "plain-1", "secure-1", "frozen-1"
ELSEWHERE = Address("198.51.100.1", 5683)
VERSION = "lwm2m=1.1"
VALUES = b'[{"n":"/3/0/9","v":80}]'
LONG_LIST = b"</3/0>" + b" " * 16_384
MANY_LINKS = b",".join([b"</3/0>"] * 1025)


class Clock:
    def monotonic(self) -> float:
        return 0.0

    def wall_ms(self) -> int:
        return 0


@dataclass
class World:
    """A gateway with a plain, a secure and a frozen device, the first two registered."""

    registry: FakeRegistry = field(default_factory=FakeRegistry)

    def __post_init__(self) -> None:
        names = iter(("plain", "secure", *(f"new-{number}" for number in range(9))))
        self.directory = RegistrationDirectory(
            self.registry, Policy(), Clock(), lambda _: None, lambda: next(names)
        )
        self.receiver = SendReceiver(self.registry, Policy(), Clock(), own_model, lambda _: None)
        self.registry.add(PLAIN)
        self.registry.add(SECURE, Security.PSK)
        self.registry.add(FROZEN, is_frozen=True)
        self.send(Code.POST, "rd", [f"ep={PLAIN}", VERSION, "pid=oma:known"])
        self.send(Code.POST, "rd", [VERSION], identity=SECURE)

    def send(self, code: Code, path: str, queries: list[str], **more: Any) -> Message:
        if code == Code.POST and path == "rd":
            more.setdefault("payload", OBJECT_LIST)
        asked = request(code, path, queries, **more)
        answer = self.directory.handle(asked)
        return answer_of(self.receiver.handle(asked) if answer is None else answer)


Case = Callable[[World], Message]


def register(*queries: str, ep: str | None = PLAIN, version: str | None = VERSION, **more: Any) -> Case:
    sent = [*([f"ep={ep}"] if ep is not None else []), *([version] if version else []), *queries]
    return lambda world: world.send(Code.POST, "rd", sent, **more)


def update(*queries: str, location: str = "plain", **more: Any) -> Case:
    return lambda world: world.send(Code.POST, f"rd/{location}", list(queries), **more)


def deregister(location: str = "plain", **more: Any) -> Case:
    return lambda world: world.send(Code.DELETE, f"rd/{location}", [], **more)


def report(payload: bytes = VALUES, content_format: int | None = 110, path: str = "dp", **more: Any) -> Case:
    return lambda world: world.send(
        Code.POST, path, [], payload=payload, content_format=content_format, **more
    )


def after(prepare: Callable[[World], object], case: Case) -> Case:
    def run(world: World) -> Message:
        prepare(world)
        return case(world)

    return run


def drop(node_id: str) -> Callable[[World], object]:
    return lambda world: world.registry.devices.pop(node_id)


def freeze(world: World) -> None:
    world.registry.devices[PLAIN] = replace(world.registry.devices[PLAIN], is_frozen=True)


def overload(world: World) -> None:
    world.registry.is_overloaded = True


def fail(failure: CommitFailure) -> Callable[[World], object]:
    return lambda world: setattr(world.registry, "failure", failure)


def listed(payload: bytes) -> Case:
    return register(payload=payload, content_format=40)


SECURE_KEY = {"location": "secure", "identity": SECURE}

CASES: dict[str, Case] = {
    "Register without `lwm2m`": register(version=None),
    "Register with an ill-formed `lwm2m`": register(version="lwm2m=one"),
    "Register with LwM2M 1.2.1": register(version="lwm2m=1.2.1"),
    "Register with LwM2M 2.0": register(version="lwm2m=2.0"),
    "Register with LwM2M 0.9": register(version="lwm2m=0.9"),
    "Register without `ep` over plain CoAP": register(ep=None),
    "Register with an empty `ep`": register(ep=""),
    "Register with a control character in `ep`": register(ep=PLAIN + "\n"),
    "Register with an ill-formed URN in `ep`": register(ep="urn:imei:4711"),
    "Register of an unknown node ID over plain CoAP": register(ep="stranger"),
    "Register of a frozen device": register(ep=FROZEN),
    "Register of a security device over plain CoAP": register(ep=SECURE),
    "Register of a non-security device over DTLS": register(identity=PLAIN),
    "Register of another node ID than the session's": register(identity=SECURE),
    "Register of a device deleted during its session": after(
        drop(SECURE), register(ep=SECURE, identity=SECURE)
    ),
    "Register with a lifetime that is no number": register("lt=soon"),
    "Register with a negative lifetime": register("lt=-1"),
    "Register with an empty lifetime": register("lt="),
    "Register with lifetime 0": register("lt=0"),
    "Register with a lifetime above the bounds": register("lt=315360001"),
    "Register with a lifetime of eleven digits": register("lt=00000000060"),
    "Register with an unknown letter in `b`": register("b=X"),
    "Register with a binding of a later version": register("b=UM"),
    "Register with an empty `b`": register("b="),
    "Register with a repeated letter in `b`": register("b=UU"),
    "Register with `Q=false`": register("Q=false"),
    "Register with a parameter given twice": register("lt=60", "lt=60"),
    "Register with a vendor parameter given twice": register("x=1", "x=2"),
    "Register with a nameless parameter": register("=1"),
    "Register with too many vendor parameters": register(*(f"x{number}" for number in range(17))),
    "Register with too long vendor parameters": register(*(f"x{n}={'y' * 250}" for n in range(5))),
    "Register with a query parameter above 255 bytes": register("x=" + "y" * 254),
    "Register with an ill-formed `pid`": register("pid=what"),
    "Register with an unknown `pid` and no object list": register("pid=6:1234abcd", payload=b""),
    "Register with another device's `pid` and no object list": register(
        "pid=oma:known", ep=None, identity=SECURE, payload=b""
    ),
    "Register without an object list": register(payload=b""),
    "Register with a payload in another format": register(content_format=110),
    "Register with an object list that is not UTF-8": listed(b"</3/0>;x=\xff"),
    "Register with a list that is no link format": listed(b"/1/0,/3/0"),
    "Register with a comma missing in the list": listed(b"</1/0></3/0>"),
    "Register with a comma at the end of the list": listed(b"</1/0>,"),
    "Register with an unclosed quote in the list": listed(b'</1/0>;x="y'),
    "Register with an object ID of 65535": listed(b"</65535/0>"),
    "Register with an instance ID of 65535": listed(b"</3/65535>"),
    "Register with an ID with a leading zero": listed(b"</03/0>"),
    "Register with an ill-formed `ver`": listed(b"</3>;ver=new"),
    "Register with a number in the alternate path": listed(b"</dm/7>;rt=oma.lwm2m"),
    "Register with an object list above 16 KiB": listed(LONG_LIST),
    "Register with more than 1,024 links": listed(MANY_LINKS),
    "Register of a device frozen or deleted before the commit": after(
        fail(CommitFailure.OVERTAKEN), register()
    ),
    "Register with a value that no row can hold": after(fail(CommitFailure.INVALID), register()),
    "Update of an unknown location": update(location="nowhere"),
    "Update of an unknown location, ill-formed": update("lt=soon", location="nowhere"),
    "Update after a De-register": after(deregister(), update()),
    "Update of a location that a newer Register replaced": after(register(), update()),
    "Update of a frozen device": after(freeze, update()),
    "Update of a deleted device": after(drop(PLAIN), update()),
    "Update from another IP address over plain CoAP": update(address=ELSEWHERE),
    "Update from another IP address, ill-formed": update("lt=soon", address=ELSEWHERE),
    "Update of a secure registration over plain CoAP": update(location="secure"),
    "Update of a secure registration by another identity": update(location="secure", identity="secure-2"),
    "Update of a plain registration over DTLS": update(identity=PLAIN),
    "Update with lifetime 0": update("lt=0"),
    "Update with an ill-formed lifetime": update("lt=1h", **SECURE_KEY),
    "Update with another `ep`": update(f"ep={SECURE}"),
    "Update with another `lwm2m`": update("lwm2m=1.2"),
    "Update with an unknown letter in `b`": update("b=X", **SECURE_KEY),
    "Update with an unknown `pid` and no object list": update("pid=6:1234abcd"),
    "Update with a payload in another format": update(payload=OBJECT_LIST, content_format=0),
    "Update with a broken object list": update("lt=60", payload=b"</3/0", content_format=40),
    "Update with an object list above 16 KiB": update(payload=LONG_LIST),
    "Update that fills up the vendor parameters": after(
        update(*(f"x{number}" for number in range(9))), update(*(f"y{number}" for number in range(9)))
    ),
    "Update with a query parameter above 255 bytes": update("x=" + "y" * 254),
    "Update that changes something, of a device frozen or deleted before the commit": after(
        fail(CommitFailure.OVERTAKEN), update("lt=60")
    ),
    "De-register of a registration that ended before the commit": after(
        fail(CommitFailure.OVERTAKEN), deregister()
    ),
    "De-register of an unknown location": deregister("nowhere"),
    "De-register from another IP address over plain CoAP": deregister(address=ELSEWHERE),
    "De-register of a secure registration by another identity": deregister("secure", identity="secure-2"),
    "`GET /rd`": lambda world: world.send(Code.GET, "rd", []),
    "`PUT /rd`": lambda world: world.send(Code.PUT, "rd", []),
    "`DELETE /rd`": lambda world: world.send(Code.DELETE, "rd", []),
    "`GET /rd/LOCATION`": lambda world: world.send(Code.GET, "rd/plain", []),
    "`PUT /rd/LOCATION`": lambda world: world.send(Code.PUT, "rd/plain", []),
    "`POST /rd/LOCATION/3`": update(location="plain/3"),
    "Register while too much waits for the disk": after(overload, register()),
    "Update that changes something, meanwhile": after(overload, update("lt=60")),
    "De-register, meanwhile": after(overload, deregister()),
    "Register while the disk is full or fails": after(fail(CommitFailure.STORAGE), register()),
    "Update that changes something, with such a disk": after(fail(CommitFailure.STORAGE), update("lt=60")),
    "Register overtaken by the queue for the disk": after(fail(CommitFailure.OVERLOADED), register()),
    "De-register, with such a disk": after(fail(CommitFailure.STORAGE), deregister()),
    "Send without a registration": report(address=ELSEWHERE),
    "Send from an address without a registration": report(address=HOME._replace(port=1)),
    "Send of an identity without a registration": report(identity="stranger"),
    "Send of a secure device over plain CoAP": after(deregister(), report()),
    "Send of a device that was frozen": after(freeze, report()),
    "Send after a De-register": after(deregister("secure", identity=SECURE), report(identity=SECURE)),
    "Send of a device deleted before the commit": after(fail(CommitFailure.OVERTAKEN), report()),
    "Send about an object that was not registered": report(b'[{"n":"/9/0/6","v":80}]'),
    "Send about several objects, one of which was not registered": report(
        b'[{"n":"/3/0/9","v":80},{"n":"/9/0/6","v":1}]'
    ),
    "Send without a payload": report(b""),
    "Send without values": report(b"[]"),
    "Send that cannot be read": report(b"no JSON"),
    "Send with a value above a resource": report(b'[{"n":"/3/0","v":80}]'),
    "Send of a single value that does not fit its type": report(b'[{"n":"/3/0/9","vs":"high"}]'),
    "Send with values that no row can hold": after(fail(CommitFailure.INVALID), report()),
    "Send in link format": report(content_format=40),
    "Send in TLV": report(bytes.fromhex("c10950"), 11542),
    "Send without a Content-Format": report(content_format=None),
    "`GET /dp`": lambda world: world.send(Code.GET, "dp", []),
    "`PUT /dp`": lambda world: world.send(Code.PUT, "dp", [], payload=VALUES, content_format=110),
    "`FETCH /dp`": lambda world: world.send(Code.FETCH, "dp", [], payload=VALUES, content_format=110),
    "`POST /dp/3`": report(path="dp/3"),
    "Send while too much waits for the disk": after(overload, report()),
    "Send while the disk is full or fails": after(fail(CommitFailure.STORAGE), report()),
}


CHANGING = ("after a", "newer", "fills up", "secure device over plain")
"Cases that begin with something that changes a registration."


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.case)
def test_bad_input_gets_its_documented_answer_and_changes_nothing(row: Row) -> None:
    world = World()
    before = dict(world.registry.registrations)
    answer = CASES[row.case](world)
    told = answer.code.dotted
    if answer.opt.max_age is not None:
        told += f", Max-Age {answer.opt.max_age}"
    assert told == row.answer
    assert answer.payload == b""
    assert world.registry.reported == []
    if not any(words in row.case for words in CHANGING):
        assert world.registry.registrations == before


@pytest.mark.parametrize(
    "row", [row for row in rows() if row.case.startswith("Register") and "5.03" not in row.answer], ids=str
)
def test_refused_register_is_reported_to_the_operator(row: Row) -> None:
    world = World()
    CASES[row.case](world)
    ((_, address, text),) = world.registry.refusals
    assert address == "192.0.2.7:5683"
    assert text.startswith(RefusalReason[row.reason].value)


def test_every_case_is_documented() -> None:
    assert {row.case for row in rows()} == set(CASES)


@pytest.mark.parametrize("reason", [*RefusalReason, *SendRefusal, *Fault])
def test_answers_carry_no_payload(reason: Wrong) -> None:
    answer = read_response(error_response(reason))
    assert answer.code == ANSWERS[reason].code
    assert answer.payload == b""
