"""Recorded exchanges of foreign DTLS stacks, replayed on the codecs of `gateway.dtls`.

A third party's view: it knows the pre-shared key, reads every delivered datagram of both sides, derives
the keys and opens what it can. Keeps what it found for comparison; judges nothing itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from gateway.dtls import keys, messages
from gateway.dtls.alerts import decode_alert
from gateway.dtls.fragments import HandshakeMessage, Reassembler, Reassembly
from gateway.dtls.messages import HandshakeType
from gateway.dtls.record import ContentType, Opener, Record, Sealer, decode_records
from gateway.dtls.replay import ReplayWindow
from gateway.dtls.suites import AEAD, SUITES, Suite

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "dtls"

DIRECTIONS = ("c2s", "s2c")


def load(name: str, key: str) -> list[dict[str, Any]]:
    """The rows of one file of vectors."""
    rows: list[dict[str, Any]] = json.loads((VECTORS / name).read_text())[key]
    return rows


class _Witness:
    """A cipher that remembers nonce and associated data of what it opened."""

    def __init__(self, cipher: AEAD) -> None:
        self.cipher = cipher
        self.nonce = b""
        self.associated_data = b""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        return self.cipher.encrypt(nonce, data, associated_data)

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        self.nonce, self.associated_data = nonce, associated_data
        return self.cipher.decrypt(nonce, data, associated_data)


@dataclass
class Seen:
    """A record, and where it stands in the exchange."""

    datagram: int
    place: int
    offset: int
    direction: str
    record: Record
    raw: bytes
    is_delivered: bool


@dataclass
class Opened:
    """A protected record and what was in it."""

    seen: Seen
    content_type: int
    plaintext: bytes
    nonce: bytes
    associated_data: bytes
    is_fresh: bool


@dataclass
class _Protection:
    opener: Opener
    sealer: Sealer
    witness: _Witness
    window: ReplayWindow


def _protect(suite: Suite, key: bytes, iv: bytes, cid: bytes) -> _Protection:
    witness = _Witness(suite.aead(key))
    witnessed = replace(suite, aead=lambda _: witness)
    return _Protection(Opener(witnessed, key, iv, cid), Sealer(suite, key, iv, cid), witness, ReplayWindow())


@dataclass
class Handshake:
    """One handshake and the records under its keys, as found in the datagrams."""

    psk: bytes
    client_random: bytes
    client_hello: messages.ClientHello | None = None
    server_hello: messages.ServerHello | None = None
    has_hello_verify_request: bool = False
    identity: bytes = b""
    identity_hint: bytes | None = None
    transcript: bytes = b""
    premaster: bytes = b""
    session_hash: bytes | None = None
    master: bytes = b""
    key_block: keys.KeyBlock | None = None
    finished: dict[str, tuple[bytes, bytes, bytes]] = field(default_factory=dict)
    "Direction to handshake hash, verify_data of the hash, and verify_data received."

    messages: list[list[Any]] = field(default_factory=list)
    alerts: list[list[Any]] = field(default_factory=list)
    opened: list[Opened] = field(default_factory=list)
    unopened: list[list[int]] = field(default_factory=list)
    protection: dict[str, _Protection] = field(default_factory=dict)
    _reassemblers: dict[str, Reassembler] = field(
        default_factory=lambda: {direction: Reassembler(8192, 8, 16384) for direction in DIRECTIONS}
    )
    _deferred: list[Seen] = field(default_factory=list)

    def cid(self, direction: str) -> bytes:
        """What records of this direction carry once both hellos are known."""
        if self.server_hello is None or self.client_hello is None or self.server_hello.connection_id is None:
            return b""
        receiver = self.server_hello if direction == "c2s" else self.client_hello
        return receiver.connection_id or b""

    def take_fragment(self, direction: str, fragment: messages.HandshakeFragment, epoch: int) -> None:
        reassembler = self._reassemblers[direction]
        assert reassembler.add(fragment, epoch) is not Reassembly.REFUSED
        while (message := reassembler.pop()) is not None:
            self.messages.append([direction, message.message_type, message.message_seq, len(message.body)])
            self._take_message(direction, message)

    def _take_message(self, direction: str, message: HandshakeMessage) -> None:
        kind, body = message.message_type, message.body
        if kind == HandshakeType.HELLO_VERIFY_REQUEST:
            self.has_hello_verify_request = bool(messages.decode_hello_verify_request(body).cookie)
            self.transcript = b""
            return
        if kind == HandshakeType.FINISHED:
            handshake_hash = sha256(self.transcript).digest()
            ours = keys.verify_data(self.master, direction == "c2s", handshake_hash)
            self.finished[direction] = (handshake_hash, ours, messages.decode_finished(body))
        self.transcript += message.encode()
        if kind == HandshakeType.CLIENT_HELLO:
            self.client_hello = messages.decode_client_hello(body)
        elif kind == HandshakeType.SERVER_HELLO:
            self.server_hello = messages.decode_server_hello(body)
        elif kind == HandshakeType.SERVER_KEY_EXCHANGE:
            self.identity_hint = messages.decode_psk_server_key_exchange(body)
        elif kind == HandshakeType.SERVER_HELLO_DONE:
            messages.decode_server_hello_done(body)
        elif kind == HandshakeType.CLIENT_KEY_EXCHANGE:
            self.identity = messages.decode_psk_client_key_exchange(body)
            self._derive_keys()

    def _derive_keys(self) -> None:
        assert self.client_hello is not None
        assert self.server_hello is not None
        suite = SUITES[self.server_hello.cipher_suite]
        randoms = self.client_hello.random, self.server_hello.random
        self.premaster = keys.psk_premaster(self.psk)
        if self.server_hello.has_extended_master_secret:
            self.session_hash = sha256(self.transcript).digest()
            self.master = keys.extended_master_secret(self.premaster, self.session_hash)
        else:
            self.master = keys.master_secret(self.premaster, *randoms)
        block = self.key_block = keys.key_block(self.master, *randoms, suite)
        self.protection = {
            "c2s": _protect(suite, block.client_key, block.client_iv, self.cid("c2s")),
            "s2c": _protect(suite, block.server_key, block.server_iv, self.cid("s2c")),
        }
        deferred, self._deferred = self._deferred, []
        for seen in deferred:
            self.take_protected(seen)

    def take_protected(self, seen: Seen) -> None:
        if not self.protection:
            self._deferred.append(seen)
            return
        record = seen.record
        protection = self.protection[seen.direction]
        opened = protection.opener.open(record)
        if opened is None:
            self.unopened.append([seen.datagram, seen.place])
            return
        is_fresh = protection.window.is_fresh(record.sequence)
        witness = protection.witness
        self.opened.append(Opened(seen, *opened, witness.nonce, witness.associated_data, is_fresh))
        if not seen.is_delivered:
            return
        protection.window.mark(record.sequence)
        content_type, content = opened
        if content_type == ContentType.HANDSHAKE:
            for fragment in messages.decode_fragments(content):
                self.take_fragment(seen.direction, fragment, record.epoch)
        elif content_type == ContentType.ALERT:
            self.alerts.append([seen.datagram, seen.direction, record.epoch, *decode_alert(content)])


def replay(transcript: dict[str, Any], psk: str) -> list[Handshake]:
    """Every handshake of *transcript*, read with the key *psk* (hex).

    Of datagrams that were lost on their way only the protected records are opened.
    """
    handshakes: list[Handshake] = []
    for index, sent in enumerate(transcript["datagrams"]):
        is_delivered = not sent.get("lost")
        data = bytes.fromhex(sent["hex"])
        direction = sent["dir"]
        cid_length = len(handshakes[-1].cid(direction)) if handshakes else 0
        offset = 0
        for place, record in enumerate(decode_records(data, cid_length)):
            end = offset + 13 + len(record.cid) + len(record.fragment)
            if record.epoch:
                raw = data[offset:end]
                handshakes[-1].take_protected(
                    Seen(index, place, offset, direction, record, raw, is_delivered)
                )
            elif is_delivered:
                _take_plain(handshakes, bytes.fromhex(psk), index, direction, record)
            offset = end
        assert offset == len(data)
    return handshakes


def _take_plain(
    handshakes: list[Handshake], psk: bytes, datagram: int, direction: str, record: Record
) -> None:
    if record.content_type == ContentType.HANDSHAKE:
        for fragment in messages.decode_fragments(record.fragment):
            if fragment.message_type == HandshakeType.CLIENT_HELLO and not fragment.offset:
                random = fragment.body[2:34]
                if not handshakes or handshakes[-1].client_random != random:
                    handshakes.append(Handshake(psk, random))
            handshakes[-1].take_fragment(direction, fragment, record.epoch)
    elif record.content_type == ContentType.ALERT:
        handshakes[-1].alerts.append([datagram, direction, 0, *decode_alert(record.fragment)])
    else:
        assert (record.content_type, record.fragment) == (ContentType.CHANGE_CIPHER_SPEC, b"\1")
