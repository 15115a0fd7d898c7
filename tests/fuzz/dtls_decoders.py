"""Targets: every decoder of `gateway.dtls`, each seeded with what foreign stacks sent."""

from __future__ import annotations

from functools import partial
from random import Random

from gateway.address import Address
from gateway.dtls import (
    alerts,
    certificates,
    exchange,
    extensions,
    journal,
    messages,
    rawkeys,
    record,
    routability,
    storedstate,
)
from gateway.dtls.cbc import CbcOpener, CbcSealer
from gateway.dtls.certificates import LeafCertificate
from gateway.dtls.errors import AlertError, DecodeError
from gateway.dtls.extensions import ExtensionType
from gateway.dtls.fragments import Reassembler, Reassembly
from gateway.dtls.groups import NamedGroup, generate
from gateway.dtls.keys import KeyBlock
from gateway.dtls.messages import HandshakeType
from gateway.dtls.negotiation import Choice, choose, make_offer
from gateway.dtls.record import ContentType, Opener, Record, Sealer, decode_records
from gateway.dtls.settings import CbcPolicy
from gateway.dtls.signatures import DigitallySigned, sign, verify
from gateway.dtls.suites import PREFERRED_SUITES, SUITES
from gateway.dtls.trust import TrustAnchors, verify_chain
from tests.fuzz import recorded
from tests.fuzz.credentials import GATEWAY
from tests.fuzz.target import Decoder, Target
from tests.support.certificates import NOW_S, authority, key_usage, new_key

REFUSALS = (DecodeError, AlertError)

EXTENSION_DECODERS = {
    ExtensionType.SERVER_NAME: extensions.decode_server_name,
    ExtensionType.MAX_FRAGMENT_LENGTH: extensions.decode_max_fragment_length,
    ExtensionType.SUPPORTED_GROUPS: extensions.decode_supported_groups,
    ExtensionType.EC_POINT_FORMATS: extensions.decode_ec_point_formats,
    ExtensionType.SIGNATURE_ALGORITHMS: extensions.decode_signature_algorithms,
    ExtensionType.CLIENT_CERTIFICATE_TYPE: extensions.decode_certificate_types,
    ExtensionType.SERVER_CERTIFICATE_TYPE: extensions.decode_certificate_types,
    ExtensionType.ENCRYPT_THEN_MAC: extensions.decode_encrypt_then_mac,
    ExtensionType.EXTENDED_MASTER_SECRET: extensions.decode_extended_master_secret,
    ExtensionType.RECORD_SIZE_LIMIT: extensions.decode_record_size_limit,
    ExtensionType.CONNECTION_ID: extensions.decode_connection_id,
    ExtensionType.RRC: extensions.decode_rrc,
    ExtensionType.RENEGOTIATION_INFO: extensions.decode_renegotiation_info,
}

MESSAGE_DECODERS = {
    HandshakeType.CLIENT_HELLO: (messages.decode_client_hello,),
    HandshakeType.SERVER_HELLO: (messages.decode_server_hello,),
    HandshakeType.HELLO_VERIFY_REQUEST: (messages.decode_hello_verify_request,),
    HandshakeType.CERTIFICATE: (exchange.decode_certificate, exchange.decode_raw_public_key),
    HandshakeType.SERVER_KEY_EXCHANGE: (
        messages.decode_psk_server_key_exchange,
        exchange.decode_ecdhe_server_key_exchange,
        exchange.decode_ecdhe_psk_server_key_exchange,
    ),
    HandshakeType.CERTIFICATE_REQUEST: (exchange.decode_certificate_request,),
    HandshakeType.SERVER_HELLO_DONE: (messages.decode_server_hello_done,),
    HandshakeType.CERTIFICATE_VERIFY: (exchange.decode_certificate_verify,),
    HandshakeType.CLIENT_KEY_EXCHANGE: (
        messages.decode_psk_client_key_exchange,
        exchange.decode_ecdhe_client_key_exchange,
        exchange.decode_ecdhe_psk_client_key_exchange,
    ),
    HandshakeType.FINISHED: (messages.decode_finished,),
}

_OFFERS = (
    make_offer(PREFERRED_SUITES, CbcPolicy.ANY, GATEWAY),
    make_offer(PREFERRED_SUITES[::-1], CbcPolicy.ETM, GATEWAY),
)
_SAMPLE = b"\x17 what a record holds"
_CID = b"ownid678"


def targets() -> list[Target]:
    """All of them."""
    return [
        *_record_targets(),
        *_message_targets(),
        *_extension_targets(),
        *_credential_targets(),
        *_stored_targets(),
    ]


def _record_targets() -> list[Target]:
    both = recorded.datagrams("c2s") + recorded.datagrams("s2c")
    found: list[Target] = [
        Decoder(f"records cid {length}", partial(_read_records, cid_length=length), both, REFUSALS, 15)
        for length in (0, 8)
    ]
    for number, suite in SUITES.items():
        if not suite.is_cbc:
            found.append(_opener_target(f"open {suite.name}", number))
    return [*found, _cbc_target(is_etm=False), _cbc_target(is_etm=True)]


def _read_records(datagram: bytes, cid_length: int) -> None:
    for each in decode_records(datagram, cid_length):
        assert len(each.fragment) <= record.MAX_CIPHERTEXT_BYTES
        assert 0 <= each.sequence <= record.MAX_SEQUENCE


def _opener_target(name: str, number: int) -> Target:
    opener = Opener(SUITES[number], bytes(16), bytes(4), _CID)
    sealer = Sealer(SUITES[number], bytes(16), bytes(4), _CID)
    seeds = [sealer.seal(kind, 1, kind, _SAMPLE) for kind in (20, 21, 22, 23, 27)]
    genuine = {_only(seed) for seed in seeds}

    def open_one(datagram: bytes) -> None:
        for each in decode_records(datagram, len(_CID)):
            assert opener.open(each) is None or each in genuine, "a record that nobody sealed was opened"

    return Decoder(name, open_one, seeds, REFUSALS, 5)


def _cbc_target(is_etm: bool) -> Target:
    opener = CbcOpener(bytes(16), bytes(32), _CID, is_etm)
    sealer = CbcSealer(bytes(16), bytes(32), _CID, bytes, is_etm)
    seeds = [sealer.seal(kind, 1, kind, _SAMPLE * 3) for kind in (20, 21, 22, 23, 27)]
    genuine = {_only(seed) for seed in seeds}

    def open_one(datagram: bytes) -> None:
        for each in decode_records(datagram, len(_CID)):
            assert opener.open(each) is None or each in genuine, "a record that nobody sealed was opened"

    return Decoder(f"open CBC {'EtM' if is_etm else 'MtE'}", open_one, seeds, REFUSALS, 5)


def _only(datagram: bytes) -> Record:
    (found,) = decode_records(datagram, len(_CID))
    return found


def _message_targets() -> list[Target]:
    handshake = recorded.contents(ContentType.HANDSHAKE)
    found: list[Target] = [
        Decoder("fragments", messages.decode_fragments, handshake, REFUSALS),
        Decoder("reassembly", _reassemble, handshake, REFUSALS),
        Decoder("alert", alerts.decode_alert, recorded.contents(ContentType.ALERT), REFUSALS, 2),
        Decoder("routability", routability.decode_routability_message, [bytes(9), b"\1" * 9], REFUSALS, 2),
        Decoder("negotiation", _negotiate, recorded.messages()[HandshakeType.CLIENT_HELLO], REFUSALS, 20),
    ]
    for message_type, decoders in MESSAGE_DECODERS.items():
        seeds = recorded.messages().get(message_type, [])
        found += [Decoder(each.__name__.removeprefix("decode_"), each, seeds, REFUSALS) for each in decoders]
    return found


def _negotiate(body: bytes) -> None:
    for offer in _OFFERS:
        choice = choose(body, offer)
        if isinstance(choice, Choice):
            choice.encode_extensions(_CID)


def _reassemble(content: bytes) -> None:
    reassembler = Reassembler(4_096, 4, 8_192)
    for fragment in messages.decode_fragments(content):
        if reassembler.add(fragment._replace(message_seq=fragment.message_seq & 3), 0) is Reassembly.REFUSED:
            continue
        while (message := reassembler.pop()) is not None:
            assert len(message.body) <= 4_096


def _extension_targets() -> list[Target]:
    seeds = recorded.extensions()
    blocks = [
        extensions.encode_extensions(messages.decode_client_hello(body).extensions)[2:]
        for body in recorded.hellos()
    ]
    found: list[Target] = [Decoder("extensions", extensions.decode_extensions, blocks, REFUSALS)]
    for kind, decode in EXTENSION_DECODERS.items():
        found.append(Decoder(f"extension {kind.name.lower()}", decode, seeds.get(kind, [b"\0"]), REFUSALS, 2))
    return found


def _credential_targets() -> list[Target]:
    ca = authority()
    device = ca.issue(extensions=((key_usage("digital_signature"), True),))
    spki = rawkeys.encode_spki(device.key.public_key())
    anchors = TrustAnchors([ca.der])
    genuine = {device.der, ca.der}

    def judge_leaf(der: bytes) -> None:
        leaf = certificates.decode_leaf(der)
        if isinstance(leaf, LeafCertificate):
            verify_chain(leaf, (), anchors, NOW_S)

    def judge_issuer(der: bytes) -> None:
        leaf = certificates.decode_leaf(device.der)
        assert isinstance(leaf, LeafCertificate)
        verify_chain(leaf, (der,), TrustAnchors(), NOW_S)

    return [
        Decoder("leaf certificate", judge_leaf, sorted(genuine), REFUSALS, 2),
        Decoder("issuer certificate", judge_issuer, sorted(genuine), REFUSALS, 1),
        Decoder("certificate file", certificates.decode_certificates, [ca.pem + device.pem], REFUSALS, 1),
        Decoder("raw public key", rawkeys.decode_spki, [spki], REFUSALS, 4),
        *_agreement_targets(),
    ]


def _agreement_targets() -> list[Target]:
    key = new_key()
    right = sign(key, b"content")
    chance = Random(1)
    p256 = generate(NamedGroup.SECP256R1, chance.randbytes)
    x25519 = generate(NamedGroup.X25519, chance.randbytes)

    def check_signature(signature: bytes) -> None:
        verify(key.public_key(), DigitallySigned(right.scheme, signature), b"content")
        assert signature == right.signature, "a signature that nobody made"

    return [
        Decoder(
            "share P-256", p256.agree, [generate(NamedGroup.SECP256R1, chance.randbytes).public], REFUSALS, 1
        ),
        Decoder(
            "share X25519", x25519.agree, [generate(NamedGroup.X25519, chance.randbytes).public], REFUSALS, 1
        ),
        Decoder("signature", check_signature, [right.signature], REFUSALS, 1),
    ]


def _stored_targets() -> list[Target]:
    """What is read back from disk, where it is sealed: the seal is not what keeps these from raising."""
    aead = storedstate.StoredKeys(0xC0A8, KeyBlock(b"c" * 16, b"s" * 16, b"ivc-", b"ivs-"), b"peer")
    cbc = storedstate.StoredKeys(0x00AE, KeyBlock(b"c" * 16, b"s" * 16, b"", b"", b"m" * 32, b"n" * 32))
    keys = [storedstate.encode_keys(each) for each in (aead, cbc)]
    sessions = [
        storedstate.encode_session(storedstate.StoredSession(keys[0], _CID, 1_000)),
        storedstate.encode_session(
            storedstate.StoredSession(keys[1], b"", 1_000, 2_000, 1_000, b"credential", b"i" * 32, b"m" * 48)
        ),
    ]
    rows = [
        journal.encode_entry(7, 64, 100, True, None),
        journal.encode_entry(8, 128, 2, False, Address("2001:db8::1", 5_684, 3, b"local")),
    ]
    return [
        Decoder("stored keys", storedstate.decode_keys, keys, REFUSALS, 2),
        Decoder("stored session", storedstate.decode_session, sessions, REFUSALS, 4),
        Decoder("journal", journal.decode_entries, [rows[0], rows[1], rows[0] + rows[1] * 3], REFUSALS, 4),
    ]
