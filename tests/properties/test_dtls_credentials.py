"""Exchange, certificates, CBC: any bytes give a value or a named refusal, and what is encoded comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.dtls import certificates, credential, exchange, extensions, rawkeys, routability
from gateway.dtls.alerts import AlertDescription
from gateway.dtls.cbc import CbcOpener, CbcSealer
from gateway.dtls.errors import AlertError, DecodeError, LocalProtocolError
from gateway.dtls.groups import EXCHANGE_GROUPS, KeyShare, NamedGroup, generate
from gateway.dtls.record import MAX_SEQUENCE, Record, decode_records
from gateway.dtls.refusal import CredentialRefusal
from gateway.dtls.signatures import DigitallySigned, sign, verify
from gateway.dtls.trust import TrustAnchors, TrustedCertificate, verify_chain
from tests.support.certificates import NOW_S, authority, key_usage, new_key
from tests.support.mutation import mutated

DECODERS: dict[str, Callable[[bytes], Any]] = {
    "certificate": exchange.decode_certificate,
    "raw_public_key": exchange.decode_raw_public_key,
    "ecdhe_server_key_exchange": exchange.decode_ecdhe_server_key_exchange,
    "ecdhe_psk_server_key_exchange": exchange.decode_ecdhe_psk_server_key_exchange,
    "certificate_request": exchange.decode_certificate_request,
    "certificate_verify": exchange.decode_certificate_verify,
    "ecdhe_client_key_exchange": exchange.decode_ecdhe_client_key_exchange,
    "ecdhe_psk_client_key_exchange": exchange.decode_ecdhe_psk_client_key_exchange,
    "supported_groups": extensions.decode_supported_groups,
    "signature_algorithms": extensions.decode_signature_algorithms,
    "ec_point_formats": extensions.decode_ec_point_formats,
    "certificate_types": extensions.decode_certificate_types,
    "certificate_type": extensions.decode_certificate_type,
    "max_fragment_length": extensions.decode_max_fragment_length,
    "record_size_limit": extensions.decode_record_size_limit,
    "encrypt_then_mac": extensions.decode_encrypt_then_mac,
    "rrc": extensions.decode_rrc,
    "server_name": extensions.decode_server_name,
    "routability": routability.decode_routability_message,
    "certificate file": certificates.decode_certificates,
    "private key file": credential.decode_private_key,
    "public key file": rawkeys.decode_spki_file,
}
CA = authority()
DEVICE = CA.issue(extensions=((key_usage("digital_signature"), True),))
ANCHORS = TrustAnchors([CA.der])
SPKI = rawkeys.encode_spki(DEVICE.key.public_key())
SHARES = {group: generate(group, lambda length: b"\x42" * length) for group in EXCHANGE_GROUPS}
KEY = new_key()
RIGHT = sign(KEY, b"content")

uint16 = st.integers(0, 0xFFFF)
publics = st.binary(min_size=1, max_size=255)


@pytest.mark.parametrize("name", DECODERS)
@given(data=st.binary(max_size=300))
@example(data=CA.pem)
@example(data=CA.pem[:-40])
@example(data=SPKI)
def test_any_bytes_give_a_value_or_one_of_two_errors(name: str, data: bytes) -> None:
    offset, alert = 0, AlertDescription.ILLEGAL_PARAMETER
    try:
        DECODERS[name](data)
    except DecodeError as error:
        offset = error.offset
    except AlertError as error:
        alert = error.description
    assert 0 <= offset <= len(data)
    assert alert is AlertDescription.ILLEGAL_PARAMETER


# --- what is encoded comes back


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=16))
def test_chains_come_back(chain: list[bytes]) -> None:
    assert exchange.decode_certificate(exchange.encode_certificate(chain)) == tuple(chain)


@given(uint16, publics, uint16, st.binary(max_size=120), st.binary(max_size=60))
def test_server_key_exchanges_come_back(
    group: int, public: bytes, scheme: int, signature: bytes, hint: bytes
) -> None:
    encoded = exchange.encode_share_parameters(group, public)
    signed = DigitallySigned(scheme, signature)
    body = exchange.encode_ecdhe_server_key_exchange(encoded, signed)
    assert exchange.decode_ecdhe_server_key_exchange(body) == ((group, public, encoded), signed)
    body = exchange.encode_ecdhe_psk_server_key_exchange(hint, encoded)
    assert exchange.decode_ecdhe_psk_server_key_exchange(body) == (hint, (group, public, encoded))
    assert exchange.decode_certificate_verify(exchange.encode_certificate_verify(signed)) == signed


@given(publics, st.binary(max_size=300))
def test_client_key_exchanges_come_back(public: bytes, identity: bytes) -> None:
    body = exchange.encode_ecdhe_client_key_exchange(public)
    assert exchange.decode_ecdhe_client_key_exchange(body) == public
    body = exchange.encode_ecdhe_psk_client_key_exchange(identity, public)
    assert exchange.decode_ecdhe_psk_client_key_exchange(body) == (identity, public)


@given(
    st.lists(st.integers(0, 255), min_size=1, max_size=255),
    st.lists(uint16, min_size=1, max_size=50),
    st.lists(st.binary(min_size=1, max_size=80), max_size=8),
)
def test_certificate_requests_come_back(types: list[int], schemes: list[int], names: list[bytes]) -> None:
    request = exchange.CertificateRequest(tuple(types), tuple(schemes), tuple(names))
    assert exchange.decode_certificate_request(exchange.encode_certificate_request(request)) == request


@given(st.lists(uint16, min_size=1, max_size=300), st.lists(st.integers(0, 255), min_size=1, max_size=255))
def test_lists_of_extensions_come_back(numbers: list[int], small: list[int]) -> None:
    groups = extensions.encode_supported_groups(numbers)
    assert extensions.decode_supported_groups(groups) == tuple(numbers)
    schemes = extensions.encode_signature_algorithms(numbers)
    assert extensions.decode_signature_algorithms(schemes) == tuple(numbers)
    types = extensions.encode_certificate_types(small)
    assert extensions.decode_certificate_types(types) == tuple(small)


@given(st.sampled_from(routability.RoutabilityType), st.binary(min_size=8, max_size=8))
def test_routability_messages_come_back(kind: routability.RoutabilityType, cookie: bytes) -> None:
    message = routability.RoutabilityMessage(kind, cookie)
    encoded = routability.encode_routability_message(message)
    assert routability.decode_routability_message(encoded) == message


# --- shares and signatures


@given(st.sampled_from(EXCHANGE_GROUPS), st.binary(min_size=40, max_size=40))
def test_any_entropy_makes_shares_that_agree(group: NamedGroup, random: bytes) -> None:
    ours = generate(group, lambda length: random[:length])
    assert ours.agree(SHARES[group].public) == SHARES[group].agree(ours.public)


@given(st.sampled_from(EXCHANGE_GROUPS), st.binary(max_size=70))
@example(NamedGroup.SECP256R1, b"\4" + bytes(64))
@example(NamedGroup.X25519, bytes(32))
def test_b5_any_bytes_agree_or_are_illegal(group: NamedGroup, public: bytes) -> None:
    share: KeyShare = SHARES[group]
    try:
        shared = share.agree(public)
    except AlertError as error:
        refused = error.description
    else:
        assert (len(shared), len(public)) == (32, len(share.public))
        return
    assert refused is AlertDescription.ILLEGAL_PARAMETER


@given(mutated(RIGHT.signature), st.sampled_from((0x0403, 0x0503)) | uint16)
def test_b6_damaged_signatures_are_refused(signature: bytes, scheme: int) -> None:
    try:
        verify(KEY.public_key(), DigitallySigned(scheme, signature), b"content")
    except AlertError as error:
        refused = error.description
    else:
        assert (scheme, signature) == RIGHT
        return
    assert refused is AlertDescription.DECRYPT_ERROR


# --- credentials


@settings(max_examples=300)
@given(mutated(DEVICE.der))
def test_e11_damaged_certificates_are_refused_for_a_reason(der: bytes) -> None:
    leaf = certificates.decode_leaf(der)
    if isinstance(leaf, CredentialRefusal):
        assert leaf.alert.value == 42
        return
    verdict = verify_chain(leaf, (), ANCHORS, NOW_S)
    assert isinstance(verdict, TrustedCertificate) == (der == DEVICE.der)


@given(mutated(CA.der))
def test_e11_damaged_issuers_do_not_vouch_for_anybody(der: bytes) -> None:
    leaf = certificates.decode_leaf(DEVICE.der)
    assert isinstance(leaf, certificates.LeafCertificate)
    verdict = verify_chain(leaf, (der,), TrustAnchors(), NOW_S)
    assert isinstance(verdict, CredentialRefusal)
    trusted = verify_chain(leaf, (), TrustAnchors([der]), NOW_S)
    assert isinstance(trusted, CredentialRefusal) or trusted.anchor is not None


@given(mutated(SPKI) | st.binary(max_size=120))
def test_raw_keys_have_one_encoding(spki: bytes) -> None:
    found = rawkeys.decode_spki(spki)
    if isinstance(found, rawkeys.RawPublicKey):
        assert rawkeys.encode_spki(found.public_key) == spki


@given(mutated(CA.pem + DEVICE.pem))
def test_damaged_files_give_certificates_or_a_decode_error(data: bytes) -> None:
    try:
        found = certificates.decode_certificates(data)
    except DecodeError:
        return
    assert all(certificates.read_certificate(der) is not None for der in found)


@given(st.binary(min_size=1, max_size=100))
def test_credential_needs_the_key_of_its_certificate(der: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        credential.make_credential(KEY, (der,))


# --- records of CBC suites


def padded(size: int) -> bytes:
    return b"\x5a" * size


@given(
    st.binary(max_size=255),
    st.booleans(),
    st.integers(1, 255).filter(lambda content_type: content_type != 25),
    st.integers(0, 0xFFFF),
    st.integers(0, MAX_SEQUENCE),
    st.binary(max_size=300),
)
def test_records_of_cbc_suites_open(
    cid: bytes, is_etm: bool, content_type: int, epoch: int, sequence: int, plaintext: bytes
) -> None:
    sealer = CbcSealer(bytes(16), bytes(32), cid, padded, is_etm)
    opener = CbcOpener(bytes(16), bytes(32), cid, is_etm)
    (sealed,) = decode_records(sealer.seal(content_type, epoch, sequence, plaintext), len(cid))
    assert (sealed.epoch, sealed.sequence) == (epoch, sequence)
    assert opener.open(sealed) == (content_type, plaintext)


@given(
    st.integers(0, 30), st.randoms(use_true_random=False), st.sampled_from([b"", b"ownid678"]), st.booleans()
)
def test_d16_random_records_of_cbc_suites_never_open(
    blocks: int, random: Any, cid: bytes, is_etm: bool
) -> None:
    opener = CbcOpener(b"k" * 16, b"m" * 32, cid, is_etm)
    fragment = random.randbytes(16 * blocks + random.choice((0, 0, 0, 1)))
    assert opener.open(Record(25 if cid else 23, 0xFEFD, 1, 0, cid, b"\0\1\0\0\0\0\0\0", fragment)) is None
