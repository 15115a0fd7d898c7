"""Certificates as values: names, dates, keys, files."""

from __future__ import annotations

import warnings
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.dtls.certificates import (
    CertificateName,
    LeafCertificate,
    NameKind,
    dates_fault,
    decode_certificates,
    decode_leaf,
    fold_case,
    is_ca,
    read_certificate,
)
from gateway.dtls.errors import DecodeError
from gateway.dtls.refusal import CredentialFault, CredentialRefusal
from tests.support.certificates import (
    DAY_S,
    NOW_S,
    UNKNOWN_EXTENSION,
    Issued,
    alternative_names,
    authority,
    common_name,
    make,
    new_key,
    rsa_key,
    sequence,
    tagged,
)

DEVICE = make("device-1")


def leaf_of(issued: Issued) -> LeafCertificate:
    leaf = decode_leaf(issued.der)
    assert isinstance(leaf, LeafCertificate)
    return leaf


def names_of(issued: Issued) -> list[tuple[NameKind, str]]:
    return [tuple(name) for name in leaf_of(issued).names]  # type: ignore[misc]


# --- the leaf


def test_leaf_has_bytes_fingerprint_dates_and_key() -> None:
    leaf = leaf_of(DEVICE)
    assert leaf.der == DEVICE.der
    assert leaf.sha256 == sha256(DEVICE.der).digest()
    assert (leaf.not_before_s, leaf.not_after_s) == (NOW_S - DAY_S, NOW_S + 10 * DAY_S)
    assert leaf.public_key == DEVICE.key.public_key()


def test_names_are_cn_and_alternative_dns_names_and_uris() -> None:
    alternatives = alternative_names(
        x509.UniformResourceIdentifier("urn:imei:1"),
        x509.DNSName("device.example"),
        x509.RFC822Name("device@example.org"),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
        x509.DirectoryName(common_name("other")),
    )
    assert names_of(make("device-1", extensions=(alternatives,))) == [
        (NameKind.COMMON_NAME, "device-1"),
        (NameKind.DNS, "device.example"),
        (NameKind.URI, "urn:imei:1"),
    ]


def test_without_alternative_names_the_cn_is_read() -> None:
    assert names_of(DEVICE) == [(NameKind.COMMON_NAME, "device-1")]


def test_names_come_once_and_may_be_none() -> None:
    assert names_of(make(common_name("a", "a", "b"))) == [
        (NameKind.COMMON_NAME, "a"),
        (NameKind.COMMON_NAME, "b"),
    ]
    assert names_of(make(x509.Name([]))) == []


def test_cn_that_is_no_text_is_malformed() -> None:
    der = DEVICE.der.replace(b"\x0c\x08device-1", b"\x03\x08\0evice-1")
    assert der != DEVICE.der
    assert decode_leaf(der) == CredentialRefusal(CredentialFault.MALFORMED)


def test_names_match_node_ids_byte_for_byte() -> None:
    for kind in (NameKind.COMMON_NAME, NameKind.URI):
        name = CertificateName(kind, "urn:Imei:1")
        assert name.matches("urn:Imei:1")
        assert not name.matches("urn:imei:1")
        assert not name.matches("urn:Imei:1 ")


def test_dns_names_match_without_regard_to_the_case_of_ascii_letters() -> None:
    assert CertificateName(NameKind.DNS, "Device.EXAMPLE").matches("dEVICE.example")
    assert not CertificateName(NameKind.DNS, "device.example").matches("device.example.")
    # The Kelvin sign is a K to str.lower().
    assert not CertificateName(NameKind.DNS, "k").matches("\u212a")
    assert fold_case("\u212aÄZ") == "\u212aÄz"


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()], ids=lambda curve: curve.name)
def test_keys_of_p_256_and_p_384_are_ours(curve: ec.EllipticCurve) -> None:
    assert leaf_of(make(key=new_key(curve))).public_key is not None


def test_other_keys_are_none() -> None:
    for key in (rsa_key(), new_key(ec.SECP521R1()), new_key(ec.SECP256K1()), new_key(ec.BrainpoolP256R1())):
        assert leaf_of(make(key=key)).public_key is None


def test_key_that_is_no_point_is_none() -> None:
    point = DEVICE.der.index(b"\x03\x42\x00\x04")
    leaf = decode_leaf(DEVICE.der[: point + 20] + b"\0\0\0\0" + DEVICE.der[point + 24 :])
    assert isinstance(leaf, LeafCertificate)
    assert leaf.public_key is None


@pytest.mark.parametrize("der", [b"", b"0", b"\x30\x00", bytes(100), b"certificate", DEVICE.der + b"\0"])
def test_what_is_no_certificate_is_malformed(der: bytes) -> None:
    assert decode_leaf(der) == CredentialRefusal(CredentialFault.MALFORMED)
    assert read_certificate(der) is None


def test_every_truncation_is_malformed() -> None:
    for kept in range(len(DEVICE.der)):
        assert decode_leaf(DEVICE.der[:kept]) == CredentialRefusal(CredentialFault.MALFORMED)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"2026", b"202x"),
        (bytes.fromhex("a003020102"), bytes.fromhex("a003020107")),
        (b"\x06\x03\x55\x04\x03", b"\x06\x03\x55\x84\x83"),
    ],
    ids=["date", "version", "name"],
)
def test_part_that_cannot_be_read_makes_the_whole_malformed(old: bytes, new: bytes) -> None:
    issued = make(not_after_s=40_000 * DAY_S, not_before_s=30_000 * DAY_S)
    der = issued.der
    if old == b"2026":
        old = b"\x18\x0f21"
        new = b"\x18\x0f2x"
    assert old in der
    assert decode_leaf(der.replace(old, new)) == CredentialRefusal(CredentialFault.MALFORMED)


def test_same_extension_twice_is_malformed() -> None:
    issued = make(extensions=((UNKNOWN_EXTENSION, False),))
    tbs = issued.certificate.tbs_certificate_bytes
    start = tbs.index(b"\xa3")
    extension = tbs[start + 4 :]
    twice = tagged(0xA3, sequence(extension + extension))
    content = tbs[4 if tbs[1] == 0x82 else 3 : start] + twice
    rest = issued.der[issued.der.index(tbs) + len(tbs) :]
    assert decode_leaf(sequence(sequence(content) + rest)) == CredentialRefusal(CredentialFault.MALFORMED)


def test_small_faults_are_neither_refused_nor_warned_about() -> None:
    with warnings.catch_warnings(action="ignore"):
        country = x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "DEU", _validate=False)
        issued = make(x509.Name([country, *common_name("device-1")]))
    assert names_of(issued) == [(NameKind.COMMON_NAME, "device-1")]


# --- dates and CAs


def test_both_ends_of_the_dates_are_inside() -> None:
    leaf = leaf_of(DEVICE)
    first, last = leaf.not_before_s, leaf.not_after_s
    assert dates_fault(first, last, first) is None
    assert leaf.dates_fault(last) is None
    assert leaf.dates_fault(first - 1) is CredentialFault.NOT_YET_VALID
    assert leaf.dates_fault(last + 1) is CredentialFault.EXPIRED


def test_ca_says_so_itself() -> None:
    assert is_ca(authority().certificate)
    assert not is_ca(DEVICE.certificate)
    assert not is_ca(make(extensions=((x509.BasicConstraints(False, None), True),)).certificate)


# --- files


def test_files_hold_certificates_in_pem_or_one_in_der() -> None:
    other = authority()
    text = b"a chain\n" + DEVICE.pem + b"and its issuer\n" + other.pem
    assert decode_certificates(text) == (DEVICE.der, other.der)
    assert decode_certificates(DEVICE.pem) == decode_certificates(DEVICE.der) == (DEVICE.der,)


def test_private_key_beside_a_certificate_is_passed_over() -> None:
    key = DEVICE.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert decode_certificates(key + DEVICE.pem) == (DEVICE.der,)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"junk",
        b"-----BEGIN CERTIFICATE-----\n",
        DEVICE.pem[:200],
        DEVICE.pem + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        DEVICE.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        DEVICE.der[:-1],
    ],
    ids=["nothing", "junk", "only a start", "cut off", "one bad", "a key", "DER cut off"],
)
def test_files_without_certificates_or_with_a_bad_one_are_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_certificates(data)
