"""`gateway.dtls.negotiation`: what the server makes of a hello."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.dtls.alerts import AlertDescription
from gateway.dtls.credential import Credential, make_credential
from gateway.dtls.events import HandshakeFailure
from gateway.dtls.extensions import (
    CertificateType,
    ExtensionType,
    decode_extensions,
    encode_certificate_type,
    encode_certificate_types,
    encode_ec_point_formats,
    encode_record_size_limit,
    encode_server_name,
    encode_signature_algorithms,
    encode_supported_groups,
)
from gateway.dtls.groups import NamedGroup
from gateway.dtls.negotiation import Choice, Refusal, choose, choose_resumed, make_offer
from gateway.dtls.resumption import Resumable
from gateway.dtls.settings import CbcPolicy
from gateway.dtls.suites import DEFAULT_SUITES, PREFERRED_SUITES
from tests.support.certificates import make
from tests.support.dtls_pair import Hello

OFFER = make_offer(DEFAULT_SUITES, CbcPolicy.ANY, None)
EMS, CID, RRC, RENEGOTIATION = 23, 54, 61, 0xFF01
ETM = int(ExtensionType.ENCRYPT_THEN_MAC)
GROUPS = int(ExtensionType.SUPPORTED_GROUPS)
FORMATS = int(ExtensionType.EC_POINT_FORMATS)
SCHEMES = int(ExtensionType.SIGNATURE_ALGORITHMS)
CLIENT_TYPE = int(ExtensionType.CLIENT_CERTIFICATE_TYPE)
SERVER_TYPE = int(ExtensionType.SERVER_CERTIFICATE_TYPE)
SERVER_NAME = int(ExtensionType.SERVER_NAME)
PSK_CBC, ECDHE_PSK, ECDSA = 0x00AE, 0xD003, 0xC0AE
X509, RAW = CertificateType.X509, CertificateType.RAW_PUBLIC_KEY
_GATEWAY = make("gateway")
CHAIN = make_credential(_GATEWAY.key, (_GATEWAY.der,))
BARE = make_credential(_GATEWAY.key)
NOTHING_IN_COMMON = Refusal(AlertDescription.HANDSHAKE_FAILURE, HandshakeFailure.NO_COMMON_SUITE)


def chosen(hello: Hello, suites: tuple[int, ...] = DEFAULT_SUITES) -> Choice:
    choice = choose(hello.body(), make_offer(suites, CbcPolicy.ANY, None))
    assert isinstance(choice, Choice)
    return choice


def answers(hello: Hello, own_cid: bytes = b"own") -> dict[int, bytes]:
    return decode_extensions(chosen(hello).encode_extensions(own_cid)[2:])


def test_our_order_of_suites_decides() -> None:
    hello = Hello(suites=(0x1301, 0x00A8, 0xC0A8))
    assert chosen(hello, (0xC0A4, 0xC0A8, 0x00A8)).suite.id == 0xC0A8
    assert chosen(hello, (0x00A8, 0xC0A8)).suite.id == 0x00A8


def test_only_offered_extensions_are_answered() -> None:
    bare = Hello().without(EMS, RENEGOTIATION)
    assert chosen(bare).encode_extensions(b"own") == b""
    assert answers(Hello().with_cid(b"theirs")) == {
        RENEGOTIATION: b"\0",
        EMS: b"",
        CID: b"\3own",
    }


def test_signalling_suite_asks_for_the_renegotiation_extension() -> None:
    hello = replace(Hello().without(RENEGOTIATION), suites=(0xC0A8, 0x00FF))
    assert answers(hello, b"") == {RENEGOTIATION: b"\0", EMS: b""}


def test_empty_cid_is_an_offer_and_a_draft_one_is_none() -> None:
    assert chosen(Hello().with_cid(b"")).peer_cid == b""
    assert chosen(Hello()).peer_cid is None
    legacy = replace(Hello(), extensions={254: b"\0"})
    assert chosen(legacy).peer_cid is None
    assert chosen(legacy).has_legacy_cid


def test_routability_check_is_agreed_on_beside_connection_ids_only() -> None:
    assert answers(Hello().with_cid().with_rrc())[RRC] == b""
    assert RRC not in answers(Hello().with_cid())
    assert RRC not in answers(Hello().with_rrc())
    malformed = replace(Hello(), extensions={CID: b"\0", RRC: b"x"})
    assert isinstance(choose(malformed.body(), OFFER), Refusal)


@pytest.mark.parametrize("version", [0xFEFD, 0xFEFC, 0xFE00])
def test_newer_versions_are_served_with_1_2(version: int) -> None:
    assert isinstance(choose(Hello(version=version).body(), OFFER), Choice)


@pytest.mark.parametrize("version", [0xFEFF, 0xFEFE, 0x0303, 0xFFFF, 0])
def test_older_and_foreign_versions_are_refused(version: int) -> None:
    refusal = Refusal(AlertDescription.PROTOCOL_VERSION, HandshakeFailure.PROTOCOL_VERSION)
    assert choose(Hello(version=version).body(), OFFER) == refusal


def test_renegotiation_in_a_first_handshake_is_refused() -> None:
    hello = replace(Hello(), extensions={RENEGOTIATION: b"\1x"})
    refusal = Refusal(AlertDescription.HANDSHAKE_FAILURE, HandshakeFailure.PROTOCOL_ERROR)
    assert choose(hello.body(), OFFER) == refusal


def test_no_common_suite_is_refused() -> None:
    refusal = Refusal(AlertDescription.HANDSHAKE_FAILURE, HandshakeFailure.NO_COMMON_SUITE)
    assert choose(Hello(suites=(0xC0AE,)).body(), OFFER) == refusal


def test_unreadable_hello_is_refused() -> None:
    refusal = Refusal(AlertDescription.DECODE_ERROR, HandshakeFailure.PROTOCOL_ERROR)
    assert choose(Hello().body() + b"\0", OFFER) == refusal


def answer(
    suites: tuple[int, ...],
    extensions: dict[int, bytes],
    *,
    cbc: CbcPolicy = CbcPolicy.ANY,
    credential: Credential | None = CHAIN,
) -> Choice | Refusal:
    """To a hello that offers *suites*, by a server that has them all."""
    hello = replace(Hello(), suites=suites, extensions=Hello().extensions | extensions)
    return choose(hello.body(), make_offer(suites, cbc, credential))


def agreed(suites: tuple[int, ...], extensions: dict[int, bytes], **options: object) -> Choice:
    choice = answer(suites, extensions, **options)  # type: ignore[arg-type]
    assert isinstance(choice, Choice)
    return choice


def extensions_of(choice: Choice) -> dict[int, bytes]:
    """Those of the ServerHello."""
    encoded = choice.encode_extensions(b"")
    return decode_extensions(encoded[2:]) if encoded else {}


# --- CBC


def test_cbc_stands_behind_every_aead_suite_and_is_left_out_where_it_is_off() -> None:
    assert make_offer((PSK_CBC, 0xC0A8), CbcPolicy.ANY, None).suites == (0xC0A8, PSK_CBC)
    assert make_offer((PSK_CBC, 0xC0A8), CbcPolicy.OFF, None).suites == (0xC0A8,)


@pytest.mark.parametrize("is_offered", [True, False])
def test_mac_goes_outside_where_that_is_offered(is_offered: bool) -> None:
    choice = agreed((PSK_CBC,), {ETM: b""} if is_offered else {})
    assert choice.terms.encrypt_then_mac is is_offered
    assert (extensions_of(choice).get(ETM) == b"") is is_offered


def test_encrypt_then_mac_is_not_answered_with_an_aead_suite() -> None:
    """RFC 7366 §3."""
    assert ETM not in extensions_of(agreed((0xC0A8, PSK_CBC), {ETM: b""}))


def test_cbc_without_encrypt_then_mac_is_refused_where_that_is_wanted() -> None:
    assert answer((PSK_CBC,), {}, cbc=CbcPolicy.ETM) == NOTHING_IN_COMMON


# --- groups


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        (None, NamedGroup.SECP256R1),
        ((0x1D, 0x17), NamedGroup.X25519),
        ((0x17, 0x1D), NamedGroup.SECP256R1),
        ((0x19, 0x18, 0x17), NamedGroup.SECP256R1),
    ],
)
def test_first_group_of_the_client_that_we_have_is_taken(
    offered: tuple[int, ...] | None, expected: NamedGroup
) -> None:
    extensions = {} if offered is None else {GROUPS: encode_supported_groups(offered)}
    assert agreed((ECDHE_PSK,), extensions).terms.group is expected


def test_suite_without_a_common_group_is_passed_over() -> None:
    groups = {GROUPS: encode_supported_groups((0x19,))}
    assert agreed((ECDHE_PSK, 0xC0A8), groups).suite.id == 0xC0A8
    assert answer((ECDHE_PSK,), groups) == NOTHING_IN_COMMON


def test_point_formats_are_answered_where_they_were_sent() -> None:
    formats = {FORMATS: encode_ec_point_formats()}
    assert extensions_of(agreed((ECDHE_PSK,), formats))[FORMATS] == b"\1\0"
    assert FORMATS not in extensions_of(agreed((ECDHE_PSK,), {}))
    assert FORMATS not in extensions_of(agreed((0xC0A8,), formats))


# --- certificates


def types(kinds: tuple[CertificateType, ...]) -> bytes:
    return encode_certificate_types(kinds)


def test_without_a_word_about_types_both_show_certificates() -> None:
    choice = agreed((ECDSA,), {})
    assert (choice.terms.server_certificate, choice.terms.client_certificate) == (X509, X509)
    assert extensions_of(choice).keys() & {CLIENT_TYPE, SERVER_TYPE} == set()


@pytest.mark.parametrize(
    ("server", "client", "credential", "expected"),
    [
        ((RAW, X509), (RAW,), CHAIN, (RAW, RAW)),
        ((X509, RAW), (X509,), CHAIN, (X509, X509)),
        ((X509, RAW), (X509,), CHAIN._replace(prefers_raw=True), (RAW, X509)),
        ((X509, RAW), (RAW,), CHAIN, (RAW, RAW)),
        ((X509, RAW), (X509,), BARE, (RAW, X509)),
    ],
)
def test_types_are_those_that_both_have(
    server: tuple[CertificateType, ...],
    client: tuple[CertificateType, ...],
    credential: Credential,
    expected: tuple[CertificateType, CertificateType],
) -> None:
    choice = agreed((ECDSA,), {SERVER_TYPE: types(server), CLIENT_TYPE: types(client)}, credential=credential)
    assert (choice.terms.server_certificate, choice.terms.client_certificate) == expected
    assert extensions_of(choice)[SERVER_TYPE] == encode_certificate_type(expected[0])
    assert extensions_of(choice)[CLIENT_TYPE] == encode_certificate_type(expected[1])


def test_certificate_that_we_do_not_have_and_types_that_nobody_has_are_refused() -> None:
    refusal = Refusal(AlertDescription.UNSUPPORTED_CERTIFICATE, HandshakeFailure.NO_COMMON_SUITE)
    assert answer((ECDSA,), {}, credential=BARE) == refusal
    assert answer((ECDSA,), {CLIENT_TYPE: encode_certificate_types((1,))}) == refusal


@pytest.mark.parametrize(
    "extensions",
    [
        {SCHEMES: encode_signature_algorithms((0x0603, 0x0401))},
        {GROUPS: encode_supported_groups((0x1D,))},
    ],
    ids=["signature", "group"],
)
def test_client_that_cannot_check_our_key_gets_another_suite_or_none(extensions: dict[int, bytes]) -> None:
    assert agreed((ECDSA, 0xC0A8), extensions).suite.id == 0xC0A8
    assert answer((ECDSA,), extensions) == NOTHING_IN_COMMON


def test_without_a_credential_there_is_no_suite_with_certificates() -> None:
    assert answer((ECDSA,), {}, credential=None) == NOTHING_IN_COMMON


# --- the rest


def test_server_name_is_read_and_record_sizes_are_answered() -> None:
    name = encode_server_name(b"gateway.example")
    limit = {int(ExtensionType.RECORD_SIZE_LIMIT): encode_record_size_limit(256)}
    choice = agreed((0xC0A8,), {SERVER_NAME: name} | limit)
    assert choice.server_name == b"gateway.example"
    assert choice.max_content_bytes == 256
    assert int(ExtensionType.RECORD_SIZE_LIMIT) in extensions_of(choice)
    assert agreed((0xC0A8,), {}).server_name is None


# --- resumption


def entry_of(suite: int = 0xC0A8, *, encrypt_then_mac: bool = False, server_name: bytes = b"") -> Resumable:
    return Resumable(1e9, None, b"m" * 48, suite, encrypt_then_mac, b"device", b"", server_name)


def resumed(hello: Hello, entry: Resumable) -> Choice | Refusal | None:
    return choose_resumed(hello.body(), make_offer(PREFERRED_SUITES, CbcPolicy.ANY, CHAIN), entry)


def test_session_goes_on_in_its_own_suite_without_shares_and_certificates() -> None:
    choice = resumed(replace(Hello(), suites=(0xC0A8, ECDSA)).with_cid(b"peer"), entry_of(ECDSA))
    assert isinstance(choice, Choice)
    assert choice.suite.id == ECDSA
    assert choice.peer_cid == b"peer"
    assert (choice.terms.group, choice.terms.server_certificate) == (None, None)


@pytest.mark.parametrize(
    ("hello", "entry"),
    [
        (replace(Hello(), suites=(0xC0A4,)), entry_of()),
        (Hello(), entry_of(server_name=b"gateway.example")),
        (replace(Hello(), suites=(PSK_CBC,)), entry_of(PSK_CBC, encrypt_then_mac=True)),
        (replace(Hello(), suites=(0x1301,)), entry_of(0x1301)),
    ],
    ids=["suite not offered", "another host", "MAC inside now", "suite that is not served any more"],
)
def test_what_differs_from_the_session_needs_a_full_handshake(hello: Hello, entry: Resumable) -> None:
    assert resumed(hello, entry) is None


def test_resumption_without_extended_master_secret_is_refused() -> None:
    refusal = Refusal(AlertDescription.HANDSHAKE_FAILURE, HandshakeFailure.PROTOCOL_ERROR)
    assert resumed(Hello().without(EMS), entry_of()) == refusal
