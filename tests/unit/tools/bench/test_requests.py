"""The benchmark's datagrams are what a small client sends."""

from __future__ import annotations

from aiocoap import Message
from aiocoap.numbers.codes import Code
from aiocoap.numbers.types import Type

from tools.bench import requests


def test_register_has_the_parameters_of_a_lwm2m_1_1_client() -> None:
    message = Message.decode(requests.register("meter-1", 70_000))
    assert message.opt.uri_path == ("rd",)
    assert message.opt.uri_query == ("lwm2m=1.1", "ep=meter-1", "lt=86400", "b=U")
    assert message.opt.content_format == 40
    assert (message.mtype, message.mid) == (Type.CON, 70_000 & 0xFFFF)
    assert message.payload == requests.OBJECTS


def test_update_renews_and_says_nothing_else() -> None:
    message = Message.decode(requests.update(("rd", "x"), 1))
    assert message.opt.uri_path == ("rd", "x")
    assert not message.opt.uri_query
    assert not message.payload


def test_ping_is_empty_and_confirmable() -> None:
    message = Message.decode(requests.ping(9))
    assert (message.code, message.mtype, message.mid) == (Code.EMPTY, Type.CON, 9)


def test_location_is_that_of_the_answer() -> None:
    created = Message(code=Code.CREATED, location_path=("rd", "abc"))
    created.mtype, created.mid, created.token = Type.ACK, 1, b""
    assert requests.location_of(created.encode()) == ("rd", "abc")
    assert requests.is_answer(requests.CREATED)(created.encode())
    assert not requests.is_answer(requests.CHANGED)(created.encode())
    assert not requests.is_answer(requests.CREATED)(b"")
