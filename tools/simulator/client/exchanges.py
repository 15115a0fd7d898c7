"""A server's request and a device's answer, without message ids, blocks and retransmission."""

from __future__ import annotations

from dataclasses import dataclass

from aiocoap.numbers.codes import Code


@dataclass(frozen=True, slots=True)
class Request:
    """What the server asks, whole."""

    code: Code
    path: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    content_format: int | None = None
    accept: int | None = None
    observe: int | None = None
    token: bytes = b""
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What the device answers, whole; a notification too."""

    code: Code
    payload: bytes = b""
    content_format: int | None = None
    location: tuple[str, ...] = ()

    observe: int | None = None
    "The sequence number of a notification, or of the answer that begins an observation."
