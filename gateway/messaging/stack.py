"""The message layer and aiocoap's context put together, with an entrance for each transport.

What ``app`` builds. Knows how the parts are joined; adds nothing to what they do.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aiocoap.interfaces import Resource

from gateway.address import Address
from gateway.dtls.session import Session
from gateway.messaging.exchange import MessageLayer
from gateway.messaging.remote import PlainRemote, SessionRemote, remote_of
from gateway.messaging.requests import Dispatch
from gateway.messaging.seam import Tokens, build_context
from gateway.messaging.settings import MessagingSettings


@dataclass(slots=True)
class Routes:
    """Where datagrams leave; set when the transports are there, which need the entrances first."""

    plain: Callable[[bytes, Address], None]
    secure: Callable[[Session, bytes], object]


class CoapStack:
    """Entrances for datagrams and plaintext, and `context` for requests of ours."""

    def __init__(
        self,
        site: Resource,
        dispatch: Dispatch,
        *,
        entropy: Callable[[int], bytes],
        settings: MessagingSettings | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """*dispatch* sees each request first; what it leaves (None) goes to *site*, an aiocoap resource."""
        loop = loop or asyncio.get_running_loop()
        self.routes = Routes(_nowhere, _nowhere)
        self.layer: MessageLayer

        def make_layer(tokens: Tokens) -> MessageLayer:
            self.layer = MessageLayer(tokens, dispatch, loop=loop, entropy=entropy, settings=settings)
            return self.layer

        self.context = build_context(site, make_layer, entropy, loop)

    def receive_plain(self, datagram: bytes, address: Address) -> None:
        """Take a datagram of the plain listener."""
        self.layer.receive(datagram, PlainRemote(address, self.routes.plain))

    def receive_secure(self, session: Session, data: bytes) -> None:
        """Take the plaintext of one record."""
        self.layer.receive(data, remote_of(session, self.routes.secure))

    def end_session(self, session: Session, reason: object) -> None:
        """Let go of what hangs on *session*."""
        remote = session.application
        if isinstance(remote, SessionRemote):
            self.layer.end_session(remote, str(reason))

    async def close(self) -> None:
        """Fail what is still asked of devices, and stop."""
        await self.context.shutdown()


def _nowhere(*_: object) -> None:
    """Before the transports are there, and in tests of one side only."""
