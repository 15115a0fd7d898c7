"""Negative catalogue, B7: bodies of Certificate that hold none, too many, or something else."""

from __future__ import annotations

import pytest

from gateway.dtls.certificates import LeafCertificate, decode_leaf
from gateway.dtls.errors import DecodeError
from gateway.dtls.exchange import (
    decode_certificate,
    decode_raw_public_key,
    encode_certificate,
    encode_raw_public_key,
)
from gateway.dtls.rawkeys import RawPublicKey, decode_spki, encode_spki
from gateway.dtls.refusal import CredentialFault, CredentialRefusal
from gateway.dtls.trust import TrustAnchors, verify_chain
from tests.support.certificates import NOW_S, authority, make, new_key

CA = authority()
DEVICE = CA.issue()
ANCHORS = TrustAnchors([CA.der])


def test_B7_empty_list_is_no_certificate_and_no_error() -> None:
    assert decode_certificate(b"\0\0\0") == ()
    assert CredentialFault.MISSING.alert.value == 40


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0",
        b"\0\0",
        b"\0\0\1",
        b"\0\0\0\0",
        b"\0\0\3\0\0\0",
        b"\0\0\4\0\0\0x",
        b"\0\0\4\0\0\2x",
        b"\0\0\5\0\0\1x",
        b"\0\0\3\0\0\1x",
        b"\0\0\5\0\0\1x\0",
        b"\xff\xff\xff\0\0\1x",
        b"\0\0\4\xff\xff\xffx",
    ],
    ids=[
        "nothing",
        "length cut off",
        "length cut off again",
        "list missing",
        "byte behind",
        "entry of length 0",
        "entry of length 0 and a byte",
        "entry beyond the list",
        "list beyond the message",
        "list too short",
        "second entry cut off",
        "list of 16 MB",
        "entry of 16 MB",
    ],
)
def test_B7_lengths_that_do_not_fit_are_malformed(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_certificate(body)


def test_B7_ten_thousand_tiny_certificates_are_refused_after_a_few() -> None:
    body = encode_certificate([b"c"] * 10_000)
    with pytest.raises(DecodeError) as raised:
        decode_certificate(body)
    assert raised.value.offset < 100


def test_B7_ten_thousand_empty_certificates_are_refused_at_the_first() -> None:
    with pytest.raises(DecodeError) as raised:
        decode_certificate(encode_certificate([b""] * 10_000))
    assert raised.value.offset == 6


def test_B7_tiny_certificates_within_the_count_are_no_certificates() -> None:
    chain = decode_certificate(encode_certificate([b"c"] * 16))
    assert decode_leaf(chain[0]) == CredentialRefusal(CredentialFault.MALFORMED)


def test_B7_many_copies_of_a_good_certificate_are_too_long_a_chain() -> None:
    leaf = decode_leaf(DEVICE.der)
    assert isinstance(leaf, LeafCertificate)
    for copies in (4, 15):
        verdict = verify_chain(leaf, [DEVICE.der] * copies, ANCHORS, NOW_S)
        assert verdict == CredentialRefusal(CredentialFault.CHAIN_TOO_LONG, leaf.names)


def test_B7_raw_public_key_where_x509_was_negotiated_is_refused() -> None:
    body = encode_raw_public_key(encode_spki(new_key().public_key()))
    try:
        chain = decode_certificate(body)
    except DecodeError:
        return
    assert [decode_leaf(der) for der in chain] == [CredentialRefusal(CredentialFault.MALFORMED)] * len(chain)


def test_B7_x509_where_a_raw_public_key_was_negotiated_is_refused() -> None:
    for chain in ((DEVICE.der,), (DEVICE.der, CA.der), (b"c",)):
        found = decode_spki(decode_raw_public_key(encode_certificate(chain)))
        assert found == CredentialRefusal(CredentialFault.RAW_KEY_MALFORMED)
    assert decode_spki(make().der) == CredentialRefusal(CredentialFault.RAW_KEY_MALFORMED)


def test_B7_raw_public_key_of_no_or_of_wrong_length_is_refused() -> None:
    spki = encode_spki(new_key().public_key())
    assert isinstance(decode_spki(decode_raw_public_key(encode_raw_public_key(spki))), RawPublicKey)
    assert decode_raw_public_key(b"\0\0\0") == b""
    for body in (b"", b"\0\0", b"\0\0\1", b"\0\0\x5b" + spki[:-1], b"\0\0\x5a" + spki):
        with pytest.raises(DecodeError):
            decode_raw_public_key(body)
