"""CoRE link format (RFC 6690) as devices write it: object lists, and the answers to Discover.

Reads what devices send, not only what the grammar allows: blanks around separators, values with or without
quotes, slashes and NULs at the end.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gateway.lwm2m.errors import DecodeError, TooLarge

MAX_DISCOVERED_BYTES = 65_536
MAX_DISCOVERED_LINKS = 4096

# Every piece can be told by its first character, and blanks are taken whole: a hostile payload costs time
# linear in its length. No group repeats possessively: Python before 3.11.5 mismatches those (gh-106052).
_TARGET = re.compile(r"[ \t\r\n]*+<([^<>]*+)>")
_PARAMETER = re.compile(
    r"""
    [ \t\r\n]*+ ; [ \t\r\n]*+ ([^\s=;,"<>]++)            # 1: name
    (?: [ \t\r\n]*+ (=) [ \t\r\n]*+                       # 2: there is a value
        (?: " ( (?: [^"\\]++ | \\ . )* ) "                  # 3: quoted value
          | ( [^\s",;]*+ )                                  # 4: bare value
        )
    )?
    """,
    re.VERBOSE | re.DOTALL,
)
_SEPARATOR = re.compile(r"[ \t\r\n]*+(,|\Z)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class RawLink(NamedTuple):
    """A link whose parameters are not read yet."""

    target: str
    "Without the slash at its end, if it has more than that."

    parameters: str
    offset: int


class Link(NamedTuple):
    """A link and its attributes in the order in which they came."""

    target: str
    attributes: tuple[tuple[str, str | None], ...]
    "Name and value; None for a flag."


def decode_links(payload: bytes) -> tuple[Link, ...]:
    """Read every link of a Discover's answer; an empty payload has none.

    Raises:
        TooLarge: more than 64 KiB or 4096 links.
        DecodeError: no link format.
    """
    if len(payload) > MAX_DISCOVERED_BYTES:
        raise TooLarge(f"{len(payload)} bytes of links, {MAX_DISCOVERED_BYTES} are allowed")
    text = decode_text(payload)
    links = split_links(text, MAX_DISCOVERED_LINKS) if text.strip() else []
    return tuple(Link(link.target, tuple(read_parameters(link.parameters))) for link in links)


def decode_text(payload: bytes) -> str:
    """*payload* as text without the NULs that some devices put at its end.

    Raises:
        DecodeError: not UTF-8.
    """
    try:
        return payload.rstrip(b"\0").decode()
    except UnicodeDecodeError as error:
        raise DecodeError("link format that is not UTF-8", error.start) from None


def split_links(text: str, limit: int) -> list[RawLink]:
    """The links of *text*, of which there is at least one.

    Raises:
        TooLarge: more than *limit*.
        DecodeError: no link format.
    """
    links: list[RawLink] = []
    position = 0
    while True:
        match = _TARGET.match(text, position)
        if match is None:
            raise DecodeError("no link", position)
        target = match[1]
        end = _end_of_parameters(text, match.end())
        separator = _SEPARATOR.match(text, end)
        if separator is None:
            raise DecodeError("no link", position)
        # The root keeps its only slash; elsewhere one at the end means nothing.
        path = target[:-1] if len(target) > 1 and target[-1] == "/" else target
        links.append(RawLink(path, text[match.end() : end], position))
        if not separator[1]:
            return links
        if len(links) == limit:
            raise TooLarge(f"more than {limit} links")
        position = separator.end()


def _end_of_parameters(text: str, position: int) -> int:
    while match := _PARAMETER.match(text, position):
        position = match.end()
    return position


def read_parameters(parameters: str) -> list[tuple[str, str | None]]:
    """Names and values in `RawLink.parameters`; None for a flag."""
    values: list[tuple[str, str | None]] = []
    for name, sign, quoted, bare in _PARAMETER.findall(parameters):
        if not sign:
            values.append((name, None))
        else:
            values.append((name, _ESCAPE.sub(r"\1", quoted) if quoted else bare))
    return values
