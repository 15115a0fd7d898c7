"""The stateless front: a ClientHello is answered by a cookie until one comes back (RFC 6347 §4.2.1).

Keeps nothing about anybody, except the fragments of hellos, which lie in one small buffer that all
strangers share. What has shown its cookie is handed on.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from gateway.address import Address
from gateway.dtls.cookie import COOKIE_BYTES, SECRET_BYTES, CookieMaker
from gateway.dtls.counters import Counters
from gateway.dtls.errors import DecodeError
from gateway.dtls.fragments import Reassembler, Reassembly
from gateway.dtls.handshake import is_whole
from gateway.dtls.messages import (
    HANDSHAKE_HEADER_BYTES,
    SESSION_ID_AT,
    HandshakeFragment,
    HandshakeType,
    decode_fragments,
    encode_hello_verify_request,
    encode_message,
    find_client_hello_parts,
    unchanging_part,
)
from gateway.dtls.record import DTLS_1_0, DTLS_1_2, ContentType, Record, encode_record
from gateway.dtls.settings import EndpointConfig

MAX_HELLO_BYTES: Final = 8_192
MAX_SEQUENCE: Final = 0xFFFF_FFFF
"Of a record in clear: we go on counting from the number of the hello."

_ENTRY_BYTES: Final = 512
"What a hello in pieces costs beside its bytes."

_HANDSHAKE: Final = int(ContentType.HANDSHAKE)
_REQUEST: Final = encode_message(
    HandshakeType.HELLO_VERIFY_REQUEST, 0, encode_hello_verify_request(DTLS_1_0, bytes(COOKIE_BYTES))
)
"All the same but for message_seq and cookie."

_REQUEST_START: Final = _REQUEST[:4]
_REQUEST_END: Final = _REQUEST[6:-COOKIE_BYTES]


class VerifiedHello(NamedTuple):
    """A hello whose sender can be reached at the address it came from."""

    random: bytes
    session_id: bytes
    compression_methods: bytes
    unchanging: bytes
    "By which its copies are known (`messages.unchanging_part`)."

    message: bytes
    "With its header, as the handshake hash covers it."

    message_seq: int
    record_sequence: int


class _PartialHello:
    __slots__ = ("expires_at", "reassembler", "size_bytes")

    def __init__(self, reassembler: Reassembler, expires_at: float) -> None:
        self.reassembler = reassembler
        self.expires_at = expires_at
        self.size_bytes = _ENTRY_BYTES


class HelloFragments:
    """ClientHellos in pieces: so many bytes in all, so many seconds each; the oldest goes first."""

    __slots__ = ("_counters", "_lifetime_s", "_max_bytes", "_partials", "size_bytes")

    def __init__(self, max_bytes: int, lifetime_s: float, counters: Counters) -> None:
        self._max_bytes = max_bytes
        self._lifetime_s = lifetime_s
        self._counters = counters
        self._partials: OrderedDict[Address, _PartialHello] = OrderedDict()
        self.size_bytes = 0

    def add(self, fragment: HandshakeFragment, address: Address, now: float) -> bytes | None:
        """Take a piece; gives the body of the hello that it completes.

        A piece that does not fit what lies there begins anew: a client may have changed its mind,
        and a stranger's pieces under its address must not stand in its way.
        """
        self._expire(now)
        partial = self._partials.get(address)
        if partial is None or partial.reassembler.add(fragment, 0) is not Reassembly.ACCEPTED:
            self._forget(address)
            reassembler = Reassembler(MAX_HELLO_BYTES, 1, self._max_bytes, fragment.message_seq)
            if reassembler.add(fragment, 0) is not Reassembly.ACCEPTED:
                self._counters.hello_fragments_dropped += 1
                return None
            partial = self._partials[address] = _PartialHello(reassembler, now + self._lifetime_s)
            self.size_bytes += partial.size_bytes
        message = partial.reassembler.pop()
        if message is not None:
            self._forget(address)
            return message.body
        size_bytes = _ENTRY_BYTES + partial.reassembler.size_bytes
        self.size_bytes += size_bytes - partial.size_bytes
        partial.size_bytes = size_bytes
        while self.size_bytes > self._max_bytes:
            self._drop(next(iter(self._partials)))
        return None

    def _expire(self, now: float) -> None:
        while self._partials:
            address, oldest = next(iter(self._partials.items()))
            if oldest.expires_at > now:
                return
            self._drop(address)

    def _drop(self, address: Address) -> None:
        self._forget(address)
        self._counters.hello_fragments_dropped += 1

    def _forget(self, address: Address) -> None:
        partial = self._partials.pop(address, None)
        if partial is not None:
            self.size_bytes -= partial.size_bytes


class HelloFront:
    """Answers hellos with cookies; gives those that bring theirs back."""

    __slots__ = ("_cookies", "_counters", "_entropy", "_fragments")

    def __init__(
        self, config: EndpointConfig, entropy: Callable[[int], bytes], counters: Counters, now: float
    ) -> None:
        self._entropy = entropy
        self._counters = counters
        self._cookies = CookieMaker(entropy(SECRET_BYTES), config.cookie_secret_lifetime_s, now)
        self._fragments = HelloFragments(config.hello_fragments_bytes, config.hello_fragments_s, counters)

    def receive(self, record: Record, address: Address, now: float) -> VerifiedHello | bytes | None:
        """A record that begins with a ClientHello, alone in its datagram.

        Gives the verified hello, the datagram to answer with (not longer than the hello), or nothing.
        """
        counters = self._counters
        if record.version != DTLS_1_2 and record.version != DTLS_1_0:
            counters.bad_version += 1
            return None
        if record.sequence > MAX_SEQUENCE:
            counters.bad_epoch += 1
            return None
        content = record.fragment
        if is_whole(content):
            message = content
        else:
            body = self._join(content, address, now)
            if body is None:
                return None
            message = encode_message(HandshakeType.CLIENT_HELLO, content[4] << 8 | content[5], body)
        return self._receive_whole(message, record.sequence, address, now)

    def _receive_whole(
        self, message: bytes, sequence: int, address: Address, now: float
    ) -> VerifiedHello | bytes | None:
        body = message[HANDSHAKE_HEADER_BYTES:]
        # Looked into no further: most hellos get no further than the cookie.
        parts = find_client_hello_parts(body)
        if parts is None:
            self._counters.hello_malformed += 1
            return None
        before_cookie, after_cookie, after_suites, end = parts
        unchanging = unchanging_part(body, parts)
        if self._is_right_cookie(body[before_cookie + 1 : after_cookie], address, unchanging, now):
            return VerifiedHello(
                body[2:SESSION_ID_AT],
                body[SESSION_ID_AT + 1 : before_cookie],
                body[after_suites + 1 : end],
                unchanging,
                message,
                message[4] << 8 | message[5],
                sequence,
            )
        self._counters.hello_verify_requests += 1
        request = _REQUEST_START + message[4:6] + _REQUEST_END + self._cookies.make(address, unchanging)
        return encode_record(_HANDSHAKE, sequence, request, DTLS_1_0)

    def _join(self, content: bytes, address: Address, now: float) -> bytes | None:
        try:
            fragment, *others = decode_fragments(content)
        except DecodeError:
            self._counters.hello_malformed += 1
            return None
        if others:
            self._counters.hello_not_alone += 1
            return None
        return self._fragments.add(fragment, address, now)

    def _is_right_cookie(self, cookie: bytes, address: Address, unchanging: bytes, now: float) -> bool:
        cookies = self._cookies
        if cookies.is_rotation_due(now):
            cookies.rotate(self._entropy(SECRET_BYTES), now)
        if not cookie:
            return False
        if cookies.is_valid(cookie, address, unchanging):
            return True
        self._counters.cookies_refused += 1
        return False
