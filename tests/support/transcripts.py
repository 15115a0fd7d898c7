"""Recorded exchanges of foreign DTLS stacks, replayed on the codecs of `gateway.dtls`.

A third party's view: it knows what was given away with the recording, reads every delivered datagram
of both sides, derives the keys and opens what it can. Keeps what it found for comparison; judges
nothing itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha512
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from gateway.dtls import exchange, keys, messages, rawkeys
from gateway.dtls.alerts import decode_alert
from gateway.dtls.cbc import CbcOpener, CbcSealer
from gateway.dtls.certificates import LeafCertificate, decode_leaf
from gateway.dtls.extensions import (
    CertificateType,
    ExtensionType,
    decode_certificate_type,
    decode_encrypt_then_mac,
)
from gateway.dtls.fragments import HandshakeMessage, Reassembler, Reassembly
from gateway.dtls.messages import HandshakeType
from gateway.dtls.rawkeys import RawPublicKey
from gateway.dtls.record import ContentType, Opener, Record, Sealer, decode_records
from gateway.dtls.replay import ReplayWindow
from gateway.dtls.signatures import DigitallySigned, verify
from gateway.dtls.suites import AEAD, KeyExchange, Suite
from tests.support.transcripts_secrets import Knowledge, Schedule, schedule_of

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "dtls"

DIRECTIONS = ("c2s", "s2c")

ECDSA_SHA512 = 0x0603
"Chosen by two of the stacks; not ours."


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
    opener: Opener | CbcOpener
    seal_again: Callable[[Opened], bytes]
    witness: _Witness | None
    window: ReplayWindow


def _protect(suite: Suite, key: bytes, iv: bytes, mac: bytes, cid: bytes, is_etm: bool) -> _Protection:
    if suite.is_cbc:
        return _protect_cbc(key, mac, cid, is_etm)
    witness = _Witness(suite.aead(key))
    witnessed = replace(suite, aead=lambda _: witness)
    sealer = Sealer(suite, key, iv, cid)

    def seal_again(one: Opened) -> bytes:
        record = one.seen.record
        return sealer.seal(one.content_type, record.epoch, record.sequence, one.plaintext)

    return _Protection(Opener(witnessed, key, iv, cid), seal_again, witness, ReplayWindow())


def _protect_cbc(key: bytes, mac: bytes, cid: bytes, is_etm: bool) -> _Protection:
    def seal_again(one: Opened) -> bytes:
        record = one.seen.record
        # What a new sealer draws becomes the IV by one pass through the cipher.
        drawn = Cipher(algorithms.AES(key), modes.ECB()).decryptor().update(record.fragment[:16])
        sealer = CbcSealer(key, mac, cid, lambda length: drawn[:length], is_etm)
        return sealer.seal(one.content_type, record.epoch, record.sequence, one.plaintext)

    return _Protection(CbcOpener(key, mac, cid, is_etm), seal_again, None, ReplayWindow())


@dataclass
class Signature:
    """A signature that was found to be right."""

    scheme: int
    direction: str


@dataclass
class Handshake:
    """One handshake and the records under its keys, as found in the datagrams."""

    knowledge: Knowledge
    client_random: bytes
    resumed_master: bytes = b""
    "Of the handshake before, in case this one resumes it."

    client_hello: messages.ClientHello | None = None
    server_hello: messages.ServerHello | None = None
    has_hello_verify_request: bool = False
    is_abbreviated: bool = False
    identity: bytes | None = None
    identity_hint: bytes | None = None
    group: int | None = None
    publics: dict[str, bytes] = field(default_factory=dict)
    credentials: dict[str, LeafCertificate | RawPublicKey | None] = field(default_factory=dict)
    "Direction to what was shown; None: an empty Certificate."

    chains: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    signatures: list[Signature] = field(default_factory=list)
    has_certificate_request: bool = False
    transcript: bytes = b""
    premaster: bytes | None = None
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

    @property
    def schedule(self) -> Schedule:
        assert self.server_hello is not None
        return schedule_of(self.server_hello.cipher_suite)

    @property
    def is_encrypt_then_mac(self) -> bool:
        assert self.server_hello is not None
        body = self.server_hello.extensions.get(ExtensionType.ENCRYPT_THEN_MAC)
        return body is not None and decode_encrypt_then_mac(body)

    def cid(self, direction: str) -> bytes:
        """What records of this direction carry once both hellos are known."""
        if self.server_hello is None or self.client_hello is None or self.server_hello.connection_id is None:
            return b""
        receiver = self.server_hello if direction == "c2s" else self.client_hello
        return receiver.connection_id or b""

    def cid_bytes(self, direction: str) -> int:
        """How long the CID in records of this direction is, as soon as its receiver has said so.

        An abbreviated handshake has the ServerHello and a record with the client's CID in one datagram.
        """
        receiver = self.server_hello if direction == "c2s" else self.client_hello
        return 0 if receiver is None else len(receiver.connection_id or b"")

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
            found = self.schedule.verify_data(self.master, direction == "c2s", self.transcript)
            self.finished[direction] = (*found, messages.decode_finished(body))
        elif kind == HandshakeType.CERTIFICATE_VERIFY:
            self._take_signature("c2s", exchange.decode_certificate_verify(body), self.transcript)
        self.transcript += message.encode()
        if kind == HandshakeType.CLIENT_HELLO:
            self.client_hello = messages.decode_client_hello(body)
        elif kind == HandshakeType.SERVER_HELLO:
            self._take_server_hello(messages.decode_server_hello(body))
        elif kind == HandshakeType.CERTIFICATE:
            self._take_certificate(direction, body)
        elif kind == HandshakeType.SERVER_KEY_EXCHANGE:
            self._take_server_key_exchange(body)
        elif kind == HandshakeType.CERTIFICATE_REQUEST:
            self.has_certificate_request = (
                exchange.ECDSA_SIGN in exchange.decode_certificate_request(body).types
            )
        elif kind == HandshakeType.SERVER_HELLO_DONE:
            messages.decode_server_hello_done(body)
        elif kind == HandshakeType.CLIENT_KEY_EXCHANGE:
            self._take_client_key_exchange(body)

    def _take_server_hello(self, hello: messages.ServerHello) -> None:
        assert self.client_hello is not None
        self.server_hello = hello
        self.is_abbreviated = bool(hello.session_id) and hello.session_id == self.client_hello.session_id
        if self.is_abbreviated:
            self.master = self.resumed_master
            self._derive_keys()

    def _take_certificate(self, direction: str, body: bytes) -> None:
        assert self.server_hello is not None
        kind = (
            ExtensionType.CLIENT_CERTIFICATE_TYPE
            if direction == "c2s"
            else ExtensionType.SERVER_CERTIFICATE_TYPE
        )
        chosen = self.server_hello.extensions.get(kind)
        if chosen is not None and decode_certificate_type(chosen) == CertificateType.RAW_PUBLIC_KEY:
            key = rawkeys.decode_spki(exchange.decode_raw_public_key(body))
            assert isinstance(key, RawPublicKey)
            self.credentials[direction] = key
            return
        chain = self.chains[direction] = exchange.decode_certificate(body)
        leaf = decode_leaf(chain[0]) if chain else None
        assert leaf is None or isinstance(leaf, LeafCertificate)
        self.credentials[direction] = leaf

    def _take_server_key_exchange(self, body: bytes) -> None:
        assert self.client_hello is not None
        assert self.server_hello is not None
        key_exchange = self.schedule.suite.key_exchange
        if key_exchange is KeyExchange.PSK:
            self.identity_hint = messages.decode_psk_server_key_exchange(body)
            return
        if key_exchange is KeyExchange.ECDHE_PSK:
            self.identity_hint, share = exchange.decode_ecdhe_psk_server_key_exchange(body)
        else:
            share, signed = exchange.decode_ecdhe_server_key_exchange(body)
            content = exchange.signed_parameters(
                self.client_hello.random, self.server_hello.random, share.encoded
            )
            self._take_signature("s2c", signed, content)
        self.group = share.group
        self.publics["s2c"] = share.public

    def _take_client_key_exchange(self, body: bytes) -> None:
        assert self.client_hello is not None
        assert self.server_hello is not None
        key_exchange = self.schedule.suite.key_exchange
        if key_exchange is KeyExchange.PSK:
            self.identity = messages.decode_psk_client_key_exchange(body)
        elif key_exchange is KeyExchange.ECDHE_PSK:
            self.identity, self.publics["c2s"] = exchange.decode_ecdhe_psk_client_key_exchange(body)
        else:
            self.publics["c2s"] = exchange.decode_ecdhe_client_key_exchange(body)
        schedule = self.schedule
        publics = self.publics.get("c2s", b""), self.publics.get("s2c", b"")
        self.premaster = self.knowledge.premaster(key_exchange, self.client_random, publics)
        if self.server_hello.has_extended_master_secret:
            self.session_hash = schedule.hash(self.transcript).digest()
        if self.premaster is None:
            self.master = self.knowledge.masters[self.client_random]
        else:
            randoms = self.client_random, self.server_hello.random
            self.master = schedule.master(self.premaster, randoms, self.session_hash)
        self._derive_keys()

    def _take_signature(self, direction: str, signed: DigitallySigned, content: bytes) -> None:
        credential = self.credentials[direction]
        assert credential is not None
        key = credential.public_key
        assert key is not None
        if signed.scheme == ECDSA_SHA512:
            key.verify(signed.signature, sha512(content).digest(), ec.ECDSA(Prehashed(hashes.SHA512())))
        else:
            verify(key, signed, content)
        self.signatures.append(Signature(signed.scheme, direction))

    def _derive_keys(self) -> None:
        assert self.server_hello is not None
        schedule, is_etm = self.schedule, self.is_encrypt_then_mac
        suite = schedule.suite
        block = schedule.key_block(self.master, (self.client_random, self.server_hello.random))
        self.key_block = block
        client = block.client_key, block.client_iv, block.client_mac
        server = block.server_key, block.server_iv, block.server_mac
        self.protection = {
            "c2s": _protect(suite, *client, self.cid("c2s"), is_etm),
            "s2c": _protect(suite, *server, self.cid("s2c"), is_etm),
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
        nonce, associated = (b"", b"") if witness is None else (witness.nonce, witness.associated_data)
        self.opened.append(Opened(seen, *opened, nonce, associated, is_fresh))
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
    """Every handshake of *transcript*, read with the key *psk* (hex; empty where there is none).

    Of datagrams that were lost on their way only the protected records are opened.
    """
    knowledge = Knowledge.of(transcript, psk)
    handshakes: list[Handshake] = []
    for index, sent in enumerate(transcript["datagrams"]):
        is_delivered = not sent.get("lost")
        data = bytes.fromhex(sent["hex"])
        direction = sent["dir"]
        cid_length = handshakes[-1].cid_bytes(direction) if handshakes else 0
        offset = 0
        for place, record in enumerate(decode_records(data, cid_length)):
            end = offset + 13 + len(record.cid) + len(record.fragment)
            if record.epoch:
                raw = data[offset:end]
                handshakes[-1].take_protected(
                    Seen(index, place, offset, direction, record, raw, is_delivered)
                )
            elif is_delivered:
                _take_plain(handshakes, knowledge, index, direction, record)
            offset = end
        assert offset == len(data)
    return handshakes


def _take_plain(
    handshakes: list[Handshake], knowledge: Knowledge, datagram: int, direction: str, record: Record
) -> None:
    if record.content_type == ContentType.HANDSHAKE:
        for fragment in messages.decode_fragments(record.fragment):
            if fragment.message_type == HandshakeType.CLIENT_HELLO and not fragment.offset:
                random = fragment.body[2:34]
                if not handshakes or handshakes[-1].client_random != random:
                    before = handshakes[-1].master if handshakes else b""
                    handshakes.append(Handshake(knowledge, random, before))
            handshakes[-1].take_fragment(direction, fragment, record.epoch)
    elif record.content_type == ContentType.ALERT:
        handshakes[-1].alerts.append([datagram, direction, 0, *decode_alert(record.fragment)])
    else:
        assert (record.content_type, record.fragment) == (ContentType.CHANGE_CIPHER_SPEC, b"\1")
