from __future__ import annotations

import pytest
from aiocoap import Message
from aiocoap.numbers.codes import Code

from gateway.site.wellknown import REGISTRATION, Link, WellKnownCore, filter_links

SENSOR = Link("/sensors/temp", {"rt": "temperature-c oma.x", "if": "sensor", "ct": "40 110"})
EST = Link("/est/crts", {"rt": "ace.est.crts", "ct": "281"})
LINKS = (REGISTRATION, SENSOR, EST)
PATH = (".well-known", "core")


def test_attributes_that_are_numbers_stand_without_quotes() -> None:
    assert str(REGISTRATION) == '</rd>;ct=40;title="LwM2M registration"'
    assert str(SENSOR) == '</sensors/temp>;rt="temperature-c oma.x";if="sensor";ct="40 110"'
    assert str(Link("/x")) == "</x>"


async def test_list_comes_in_link_format() -> None:
    answer = await WellKnownCore().render_get(Message(code=Code.GET, uri_path=PATH))
    assert answer.code == Code.CONTENT
    assert answer.opt.content_format == 40
    assert answer.payload == b'</rd>;ct=40;title="LwM2M registration"'


async def test_other_formats_are_not_acceptable() -> None:
    asked = Message(code=Code.GET, uri_path=PATH)
    asked.opt.accept = 110
    assert (await WellKnownCore().render_get(asked)).code == Code.NOT_ACCEPTABLE
    asked.opt.accept = 40
    assert (await WellKnownCore().render_get(asked)).code == Code.CONTENT


async def test_nothing_that_fits_is_an_empty_list() -> None:
    asked = Message(code=Code.GET, uri_path=PATH, uri_query=["rt=none"])
    answer = await WellKnownCore(LINKS).render_get(asked)
    assert (answer.code, answer.payload) == (Code.CONTENT, b"")


@pytest.mark.parametrize(
    ("queries", "expected"),
    [
        ([], LINKS),
        (["href=/rd"], [REGISTRATION]),
        (["href=/r"], []),
        (["href=/*"], LINKS),
        (["rt=oma.x"], [SENSOR]),
        (["rt=oma"], []),
        (["rt=ace.est*"], [EST]),
        (["rt=temperature-c oma.x"], []),
        (["ct=40"], [REGISTRATION, SENSOR]),
        (["ct=40", "if=sensor"], [SENSOR]),
        (["if=sensor", "rt=ace.est*"], []),
        (["title=LwM2M registration"], [REGISTRATION]),
        (["title=LwM2M*"], [REGISTRATION]),
        (["title=LwM2M"], []),
        (["unknown=*"], []),
        (["rt"], LINKS),
    ],
)
def test_filters_are_those_of_rfc_6690(queries: list[str], expected: list[Link]) -> None:
    assert filter_links(LINKS, queries) == list(expected)
