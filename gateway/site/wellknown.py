"""``GET /.well-known/core``: what the gateway offers, in link format, with the filters of RFC 6690 §4.1.

``/rd`` is listed by its content format and without a resource type: none is registered for LwM2M's
registration interface, ``oma.lwm2m`` marks the objects of a device, and ``core.rd`` promises a resource
directory (RFC 9176) whose endpoints this gateway would refuse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from aiocoap import resource
from aiocoap.message import Message
from aiocoap.numbers.codes import Code

LINK_FORMAT = 40

_TOKEN_LISTS = frozenset({"rt", "if", "rel", "ct"})
"Attributes whose value is a list: a filter fits if it fits one of its words."


@dataclass(frozen=True, slots=True)
class Link:
    """One resource on offer."""

    href: str
    attributes: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Link format; values that are numbers stand without quotes, as usual for ``ct``."""
        attributes = (
            f";{name}={value}" if value.isdecimal() else f';{name}="{value}"'
            for name, value in self.attributes.items()
        )
        return f"<{self.href}>{''.join(attributes)}"


REGISTRATION = Link("/rd", {"ct": "40", "title": "LwM2M registration"})


class WellKnownCore(resource.Resource):
    """The list of *links*, as many as a query asks for."""

    def __init__(self, links: Sequence[Link] = (REGISTRATION,)) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # aiocoap has no annotations
        self._links = tuple(links)

    async def render_get(self, request: Message) -> Message:
        """2.05, empty where no link fits; 4.06 for another format than 40."""
        if request.opt.accept not in (None, LINK_FORMAT):
            return Message(code=Code.NOT_ACCEPTABLE)
        links = filter_links(self._links, request.opt.uri_query)
        payload = ",".join(map(str, links)).encode()
        return Message(code=Code.CONTENT, content_format=LINK_FORMAT, payload=payload)


def filter_links(links: Iterable[Link], queries: Iterable[str]) -> list[Link]:
    """The *links* that fit every query ``NAME=VALUE`` or ``NAME=PREFIX*``.

    A query without ``=`` is no filter. A link without the attribute does not fit.
    """
    filters = [(name, value) for name, equals, value in (query.partition("=") for query in queries) if equals]
    return [link for link in links if all(_fits(link, name, value) for name, value in filters)]


def _fits(link: Link, name: str, pattern: str) -> bool:
    value = link.href if name == "href" else link.attributes.get(name)
    if value is None:
        return False
    words = value.split() if name in _TOKEN_LISTS else [value]
    if pattern.endswith("*"):
        return any(word.startswith(pattern[:-1]) for word in words)
    return pattern in words
