"""Where this gateway is joined to aiocoap 0.4.17: all that leans on more than its stable interface.

    our message layer  ──process_request, dispatch_error──▶  TokenManager ──▶ Context ──▶ site
                       ◀──────────── send_message ─────────

The stable part (`Message`, options, codes, resources) is used anywhere in
``messaging`` and ``site``. The version is pinned, and ``tests/contracts/test_aiocoap_seam.py`` runs
against the pin. Knows no message format and keeps no state of its own.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Generator
from typing import Any, Protocol

from aiocoap.interfaces import Resource, TokenInterface
from aiocoap.message import Direction, Message
from aiocoap.numbers.codes import Code
from aiocoap.numbers.constants import TransportTuning
from aiocoap.numbers.types import Type
from aiocoap.options import Options
from aiocoap.pipe import Pipe, error_to_message, run_driving_pipe
from aiocoap.protocol import Context
from aiocoap.tokenmanager import TokenManager

_DEFAULT_TUNING = TransportTuning()
_INCOMING = Direction.INCOMING


class Tokens(Protocol):
    """What the message layer asks of the layer above it."""

    def process_request(self, request: Message) -> None:
        """Have *request* answered, later, by `send_message`."""

    def dispatch_error(self, exception: Exception, remote: Any) -> None:
        """End all that goes on with *remote*."""


class _Rendering:
    """A resource at work on one request, without aiocoap's block-wise caches and server observations.

    Blocks of requests and answers are put together and cut in the message layer, under limits; the stock
    caches have none. No resource of this gateway can be observed by a device. An awaitable rather than a
    coroutine, since a request that another one replaces in the same turn of the loop is never begun.
    """

    __slots__ = ("_pipe", "_site")

    def __init__(self, site: Resource, pipe: Pipe) -> None:
        self._site = site
        self._pipe = pipe

    def __await__(self) -> Generator[Any, None, None]:
        return self._render().__await__()

    async def _render(self) -> None:
        self._pipe.add_response(await self._site.render(self._pipe.request), is_last=True)


class _Context(Context):
    """Serves its site by `_Rendering`."""

    def render_to_pipe(self, pipe: Pipe) -> None:
        receiver = error_to_message(pipe, self.log)
        run_driving_pipe(receiver, _Rendering(self.serversite, receiver), name="coap request")


class MessageLayerInterface(TokenInterface):
    """What aiocoap calls to have a resource's answer sent."""

    async def fill_or_recognize_remote(self, message: Message) -> bool:
        """No: what is asked of devices does not go by aiocoap."""
        return False


def build_context(
    site: Resource,
    make_layer: Callable[[Tokens], MessageLayerInterface],
    loop: asyncio.AbstractEventLoop,
) -> Context:
    """A context that serves *site* through the layer that *make_layer* makes."""
    context = _Context(loop=loop, serversite=site, loggername="gateway.coap")
    tokens: Any = TokenManager(context)
    tokens.token_interface = make_layer(tokens)
    context.request_interfaces.append(tokens)
    return context


def incoming_message(
    message_type: Type,
    code: Code,
    mid: int,
    token: bytes,
    payload: bytes,
    options: Options,
    remote: object,
) -> Message:
    """A received message, as `Message.decode` would leave it, without the detour of its constructor."""
    message = Message.__new__(Message)
    message.version = 1
    message.mtype = message_type
    message.mid = mid
    message.code = code
    message.token = token
    message.payload = payload
    message.opt = options
    message.remote = remote
    message.direction = _INCOMING
    message.transport_tuning = _DEFAULT_TUNING
    return message


def with_payload(request: Message, payload: bytes) -> Message:
    """The same request with another payload; the options are shared."""
    whole = copy.copy(request)
    whole.payload = payload
    return whole
