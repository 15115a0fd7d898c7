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
from gateway.messaging.link import Link
from gateway.messaging.ownends import OwnEnds
from gateway.messaging.remote import PlainRemote, Remote, SessionRemote, remote_of
from gateway.messaging.requests import Dispatch
from gateway.messaging.seam import Tokens, build_context
from gateway.messaging.settings import MessagingSettings


@dataclass(slots=True)
class Routes:
    """Where datagrams leave; set when the transports are there, which need the entrances first."""

    plain: Callable[[bytes, Address], None]
    secure: Callable[[Session, bytes], object]

    find_session: Callable[[bytes], Session | None]
    "The session by which an identity is reached."


class CoapStack:
    """Entrances for datagrams and plaintext, and `link` for what is asked of devices."""

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
        self.routes = Routes(_nowhere, _nowhere, _nobody)
        self.layer: MessageLayer
        self._own_ends = OwnEnds()

        def make_layer(tokens: Tokens) -> MessageLayer:
            self.layer = MessageLayer(tokens, dispatch, loop=loop, entropy=entropy, settings=settings)
            return self.layer

        self._context = build_context(site, make_layer, loop)
        self.link: Link = self.layer.link

    def receive_plain(self, datagram: bytes, address: Address) -> None:
        """Take a datagram of the plain listener."""
        if address.local not in self._own_ends.usual:
            self._own_ends.note(address)
        self.layer.receive(datagram, PlainRemote(address, self.routes.plain))

    def receive_secure(self, session: Session, data: bytes) -> None:
        """Take the plaintext of one record."""
        self.layer.receive(data, remote_of(session, self.routes.secure))

    def find_remote(self, identity: str | None, address: str) -> Remote | None:
        """Where a device is reached that registered with *identity*, or without one from *address*.

        None while a device that proved who it is has no session.
        """
        if identity is None:
            return PlainRemote(self._own_ends.complete(Address.parse(address)), self.routes.plain)
        session = self.routes.find_session(identity.encode())
        return None if session is None else remote_of(session, self.routes.secure)

    def end_session(self, session: Session, reason: object) -> None:
        """Let go of what hangs on *session*."""
        remote = session.application
        if isinstance(remote, SessionRemote):
            self.layer.end_session(remote, str(reason))

    async def close(self) -> None:
        """Ask devices no more, and stop."""
        await self._context.shutdown()


def _nowhere(*_: object) -> None:
    """Before the transports are there, and in tests of one side only."""


def _nobody(_: bytes) -> None:
    """Likewise."""
