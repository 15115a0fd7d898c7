"""Peers as aiocoap sees them: one kind for plain CoAP, one for DTLS sessions.

Knows who a message is from and how to send back. Equal remotes share one security context (RFC 7252
§9.1.2), so requests, responses, blocks and observations of equal remotes belong together.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import ClassVar, Self, cast

from aiocoap.interfaces import EndpointAddress
from aiocoap.message import Message

from gateway.address import Address
from gateway.dtls.session import Session
from gateway.messaging.deduplication import History

MAXIMUM_BLOCK_SIZE_EXP = 6
"Blocks of 1024 bytes, both ways."

MAXIMUM_PAYLOAD_BYTES = 1024


class Remote:
    """What both kinds have in common: an `EndpointAddress`, but registered as one, not derived.

    That class has no slots, so that each object derived from it had room for attributes of its own.
    """

    __slots__ = ("history",)

    is_multicast = False
    is_multicast_locally = False
    maximum_payload_size = MAXIMUM_PAYLOAD_BYTES
    scheme: ClassVar[str]
    is_secure: ClassVar[bool]

    history: History
    "The last messages of a session (`gateway.messaging.deduplication`); without a session there is none."

    @property
    def address(self) -> Address:
        """Where the peer was last heard."""
        raise NotImplementedError

    @property
    def identity(self) -> str | None:
        """What the peer proved to be; None without a session."""
        return None

    @property
    def is_usable(self) -> bool:
        """Whether something may still be sent there."""
        return True

    @property
    def blockwise_key(self) -> Hashable:
        """What is equal for all parts of one transfer."""
        raise NotImplementedError

    def transmit(self, data: bytes) -> None:
        """Send one encoded message. Never fails: a lost datagram is nobody's error."""
        raise NotImplementedError

    @property
    def maximum_block_size_exp(self) -> int:
        """Blocks of 1024 bytes."""
        return MAXIMUM_BLOCK_SIZE_EXP

    @maximum_block_size_exp.setter
    def maximum_block_size_exp(self, value: int) -> None:
        """Nothing to set: a peer that wants smaller blocks says so in each of its answers."""

    def as_response_address(self) -> Self:
        """The same both ways."""
        return self

    @property
    def hostinfo(self) -> str:
        return str(self.address)

    @property
    def hostinfo_local(self) -> str:
        # Which of our names the peer used is not known here, and no Uri-Host is needed to reach us.
        return "localhost"

    @property
    def uri_base(self) -> str:
        return f"{self.scheme}://{self.hostinfo}"

    @property
    def uri_base_local(self) -> str:
        return f"{self.scheme}://{self.hostinfo_local}"


EndpointAddress.register(Remote)


class PlainRemote(Remote):
    """A peer over plain CoAP: an address, nothing proven. Made anew for each datagram.

    Equal by the peer's end alone: which of our addresses it used does not make it another one.
    """

    __slots__ = ("_send", "address")

    scheme = "coap"
    is_secure = False
    authenticated_claims: tuple[str, ...] = ()
    address: Address

    def __init__(self, address: Address, send: Callable[[bytes, Address], None]) -> None:
        self.address = address
        self._send = send

    def transmit(self, data: bytes) -> None:
        self._send(data, self.address)

    @property
    def blockwise_key(self) -> Hashable:
        return (self.scheme, self.address)

    def __eq__(self, other: object) -> bool:
        return type(other) is PlainRemote and self.address[:3] == other.address[:3]

    def __hash__(self) -> int:
        return hash(self.address[:3])

    def __repr__(self) -> str:
        return f"<PlainRemote {self.address}>"


class SessionRemote(Remote):
    """A peer behind a DTLS session. One for the session's whole life, kept in `Session.application`.

    Compared as an object: another session of the same peer is another security context.
    """

    __slots__ = ("_send", "has_dialogue", "is_closed", "session")

    scheme = "coaps"
    is_secure = True

    def __init__(self, session: Session, send: Callable[[Session, bytes], object]) -> None:
        self.session = session
        self._send = send
        self.history = ()
        self.is_closed = False
        self.has_dialogue = False
        "Whether aiocoap may hold anything of it: a request being worked on."

    @property
    def address(self) -> Address:
        return self.session.address

    @property
    def identity(self) -> str:
        # Not kept: a text for each session, and asked for once a message.
        return self.session.identity.decode("utf-8", "backslashreplace")

    @property
    def is_usable(self) -> bool:
        return not self.is_closed

    def transmit(self, data: bytes) -> None:
        self._send(self.session, data)

    @property
    def authenticated_claims(self) -> tuple[str | None, ...]:
        """The identity the peer proved."""
        return (self.identity,)

    @property
    def blockwise_key(self) -> Hashable:
        return (self.scheme, self.session.number, self.identity)

    def __repr__(self) -> str:
        return f"<SessionRemote {self.identity} {self.address}>"


def sender_of(message: Message) -> Remote:
    """The remote of a received message, or of one to be sent."""
    return cast("Remote", message.remote)


def remote_of(session: Session, send: Callable[[Session, bytes], object]) -> SessionRemote:
    """The remote of *session*, made at its first message."""
    remote = session.application
    if type(remote) is not SessionRemote:
        remote = session.application = SessionRemote(session, send)
    return remote
