"""What a server makes of a ClientHello: version, suite, extensions (RFC 5246 §7.4.1, RFC 7925 §4).

Pure choice: knows no peer, and of keys only that we have one to show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from gateway.dtls.alerts import AlertDescription
from gateway.dtls.credential import Credential
from gateway.dtls.errors import AlertError, DecodeError
from gateway.dtls.events import HandshakeFailure
from gateway.dtls.extensions import (
    CertificateType,
    ExtensionType,
    decode_certificate_types,
    decode_ec_point_formats,
    decode_encrypt_then_mac,
    decode_rrc,
    decode_server_name,
    decode_signature_algorithms,
    decode_supported_groups,
    encode_certificate_type,
    encode_connection_id,
    encode_ec_point_formats,
    encode_extensions,
    encode_renegotiation_info,
)
from gateway.dtls.groups import NamedGroup, choose_group
from gateway.dtls.messages import ClientHello, decode_client_hello
from gateway.dtls.record import DTLS_1_2, MAX_PLAINTEXT_BYTES
from gateway.dtls.recordsize import UNLIMITED, RecordSizes, answer_to, sizes_of
from gateway.dtls.resumption import Resumable
from gateway.dtls.settings import CbcPolicy
from gateway.dtls.signatures import SignatureScheme
from gateway.dtls.suites import SUITES, Suite
from gateway.dtls.wire import encode_vector

_MAJOR: Final = 0xFE
_EMS: Final = int(ExtensionType.EXTENDED_MASTER_SECRET)
_RENEGOTIATION_INFO: Final = int(ExtensionType.RENEGOTIATION_INFO)
_CONNECTION_ID_BYTES: Final = ExtensionType.CONNECTION_ID.to_bytes(2, "big")
_RRC: Final = int(ExtensionType.RRC)
_ENCRYPT_THEN_MAC: Final = int(ExtensionType.ENCRYPT_THEN_MAC)
_RECORD_SIZE_LIMIT: Final = int(ExtensionType.RECORD_SIZE_LIMIT)
_MAX_FRAGMENT_LENGTH: Final = int(ExtensionType.MAX_FRAGMENT_LENGTH)
_OF_RESUMED: Final = frozenset((_ENCRYPT_THEN_MAC, _RECORD_SIZE_LIMIT, _MAX_FRAGMENT_LENGTH))
_NOTHING: Final[dict[int, bytes]] = {}
_SERVER_NAME: Final = int(ExtensionType.SERVER_NAME)
_SUPPORTED_GROUPS: Final = int(ExtensionType.SUPPORTED_GROUPS)
_EC_POINT_FORMATS: Final = int(ExtensionType.EC_POINT_FORMATS)
_SIGNATURE_ALGORITHMS: Final = int(ExtensionType.SIGNATURE_ALGORITHMS)
_CLIENT_CERTIFICATE_TYPE: Final = int(ExtensionType.CLIENT_CERTIFICATE_TYPE)
_SERVER_CERTIFICATE_TYPE: Final = int(ExtensionType.SERVER_CERTIFICATE_TYPE)
_NO_RENEGOTIATION: Final = encode_renegotiation_info()
_POINT_FORMATS: Final = encode_ec_point_formats()


class Offer(NamedTuple):
    """What this server has to choose from."""

    suites: tuple[int, ...]
    "By number, in order of preference, every AEAD before any CBC."

    cbc: CbcPolicy
    credential: Credential | None


def make_offer(suites: Sequence[int], cbc: CbcPolicy, credential: Credential | None) -> Offer:
    """*suites*: by number, in order of preference."""
    in_order = sorted(suites, key=lambda number: SUITES[number].is_cbc)
    is_used = [number for number in in_order if cbc is not CbcPolicy.OFF or not SUITES[number].is_cbc]
    return Offer(tuple(is_used), cbc, credential)


class Terms(NamedTuple):
    """What goes with a suite."""

    encrypt_then_mac: bool = False
    group: NamedGroup | None = None
    "In which both sides make shares; None: they make none."

    server_certificate: CertificateType | None = None
    "What we show; None: nothing."

    client_certificate: CertificateType | None = None
    "What the client must show; None: nothing."

    extensions: dict[int, bytes] = {}  # noqa: RUF012 - never changed, and empty for most
    "Answers to what the client sent about these."


class Choice(NamedTuple):
    """What both sides will use."""

    suite: Suite
    has_extended_master_secret: bool
    indicates_renegotiation: bool
    peer_cid: bytes | None
    "What records towards the client carry; None: connection IDs are not used in either direction."

    has_legacy_cid: bool
    "The client speaks of connection IDs as a draft did, which is passed over."

    has_rrc: bool
    "Return routability checks; only beside connection IDs (RFC 9853 §3)."

    terms: Terms
    server_name: bytes | None
    sizes: RecordSizes
    "How much a record may hold."

    answers: bytes
    "The extensions of the ServerHello, encoded, but for our connection ID."

    @property
    def max_content_bytes(self) -> int:
        """What a protected record of ours may hold."""
        if self.sizes is UNLIMITED:
            return MAX_PLAINTEXT_BYTES
        return self.sizes.content_bytes(bool(self.peer_cid))

    def encode_extensions(self, own_cid: bytes) -> bytes:
        """Those of the ServerHello with their length, if any: only what the client offered."""
        answers = self.answers
        if self.peer_cid is not None:
            answers += _CONNECTION_ID_BYTES + encode_vector(encode_connection_id(own_cid), 2)
        return encode_vector(answers, 2) if answers else b""


class Refusal(NamedTuple):
    """Nothing in common."""

    alert: AlertDescription
    reason: HandshakeFailure


def choose(body: bytes, offer: Offer) -> Choice | Refusal:
    """Answer the ClientHello that has shown its cookie."""
    try:
        return _choose(decode_client_hello(body), offer)
    except DecodeError:
        return Refusal(AlertDescription.DECODE_ERROR, HandshakeFailure.PROTOCOL_ERROR)
    except AlertError as error:
        return Refusal(error.description, HandshakeFailure.PROTOCOL_ERROR)


def choose_resumed(body: bytes, offer: Offer, entry: Resumable) -> Choice | Refusal | None:
    """Answer the hello that names the session of *entry*; None: only a full handshake will do.

    The suite, encrypt-then-MAC and the host are those of the session; all else is agreed on anew.
    """
    if entry.suite not in offer.suites:
        return None
    choice = choose(body, offer._replace(suites=(entry.suite,)))
    if isinstance(choice, Refusal):
        return None
    if not choice.has_extended_master_secret:
        # RFC 7627 §5.3: somebody in between may have taken it out.
        return Refusal(AlertDescription.HANDSHAKE_FAILURE, HandshakeFailure.PROTOCOL_ERROR)
    terms = choice.terms
    if terms.encrypt_then_mac != entry.encrypt_then_mac or (choice.server_name or b"") != entry.server_name:
        return None
    kept = {kind: body for kind, body in terms.extensions.items() if kind in _OF_RESUMED}
    answers = _encode_answers(choice.indicates_renegotiation, True, choice.has_rrc, kept)
    return choice._replace(terms=Terms(terms.encrypt_then_mac, extensions=kept), answers=answers)


def _choose(hello: ClientHello, offer: Offer) -> Choice | Refusal:
    # Minor versions of DTLS count downwards: a client of DTLS 1.3 is served with 1.2.
    if hello.version >> 8 != _MAJOR or hello.version > DTLS_1_2:
        return Refusal(AlertDescription.PROTOCOL_VERSION, HandshakeFailure.PROTOCOL_VERSION)
    if hello.renegotiation_info:
        return Refusal(AlertDescription.HANDSHAKE_FAILURE, HandshakeFailure.PROTOCOL_ERROR)
    extensions = hello.extensions
    rrc = extensions.get(_RRC)
    has_rrc = rrc is not None and decode_rrc(rrc)
    name = extensions.get(_SERVER_NAME)
    server_name = None if name is None else decode_server_name(name)
    sizes, size_answer = UNLIMITED, _NOTHING
    if _RECORD_SIZE_LIMIT in extensions or _MAX_FRAGMENT_LENGTH in extensions:
        sizes, size_answer = sizes_of(extensions, is_client=False), answer_to(extensions)
    offered = hello.cipher_suites
    alert = AlertDescription.HANDSHAKE_FAILURE
    for number in offer.suites:
        if number not in offered:
            continue
        suite = SUITES[number]
        terms = _agree(suite, extensions, offer)
        if isinstance(terms, AlertDescription):
            alert = terms
            continue
        if size_answer:
            terms = terms._replace(extensions=terms.extensions | size_answer)
        has_rrc = has_rrc and hello.connection_id is not None
        has_ems, indicates_renegotiation = hello.has_extended_master_secret, hello.indicates_renegotiation
        return Choice(
            suite,
            has_ems,
            indicates_renegotiation,
            hello.connection_id,
            hello.has_legacy_connection_id,
            has_rrc,
            terms,
            server_name,
            sizes,
            _encode_answers(indicates_renegotiation, has_ems, has_rrc, terms.extensions),
        )
    return Refusal(alert, HandshakeFailure.NO_COMMON_SUITE)


def _encode_answers(
    indicates_renegotiation: bool, has_ems: bool, has_rrc: bool, of_terms: dict[int, bytes]
) -> bytes:
    answers: dict[int, bytes] = {}
    if indicates_renegotiation:
        answers[_RENEGOTIATION_INFO] = _NO_RENEGOTIATION
    if has_ems:
        answers[_EMS] = b""
    if has_rrc:
        answers[_RRC] = b""
    return encode_extensions(answers | of_terms)[2:]


_PLAIN: Final = Terms()


def _agree(suite: Suite, extensions: dict[int, bytes], offer: Offer) -> Terms | AlertDescription:
    """On what terms *suite* can be used; if on none, what a client is told that offers no other."""
    exchange = suite.key_exchange
    if not suite.is_cbc and not exchange.is_ephemeral:
        return _PLAIN
    answers: dict[int, bytes] = {}
    encrypt_then_mac = False
    if suite.is_cbc:
        body = extensions.get(_ENCRYPT_THEN_MAC)
        encrypt_then_mac = body is not None and decode_encrypt_then_mac(body)
        if encrypt_then_mac:
            answers[_ENCRYPT_THEN_MAC] = b""
        elif offer.cbc is CbcPolicy.ETM:
            return AlertDescription.HANDSHAKE_FAILURE
    if not exchange.is_ephemeral:
        return Terms(encrypt_then_mac, extensions=answers)
    group = _agree_on_group(extensions, answers)
    if group is None:
        return AlertDescription.HANDSHAKE_FAILURE
    if not exchange.has_certificates:
        return Terms(encrypt_then_mac, group, extensions=answers)
    types = _agree_on_certificates(extensions, offer.credential, answers)
    if isinstance(types, AlertDescription):
        return types
    return Terms(encrypt_then_mac, group, *types, answers)


def _agree_on_group(extensions: dict[int, bytes], answers: dict[int, bytes]) -> NamedGroup | None:
    formats = extensions.get(_EC_POINT_FORMATS)
    if formats is not None:
        decode_ec_point_formats(formats)
        answers[_EC_POINT_FORMATS] = _POINT_FORMATS
    groups = extensions.get(_SUPPORTED_GROUPS)
    return choose_group(None if groups is None else decode_supported_groups(groups))


def _agree_on_certificates(
    extensions: dict[int, bytes], credential: Credential | None, answers: dict[int, bytes]
) -> tuple[CertificateType, CertificateType] | AlertDescription:
    """What we show and what the client must show (RFC 7250 §4.2)."""
    if credential is None or not _can_check_us(extensions):
        return AlertDescription.HANDSHAKE_FAILURE
    ours = [CertificateType.RAW_PUBLIC_KEY]
    if credential.chain:
        ours.append(CertificateType.X509)
    server = extensions.get(_SERVER_CERTIFICATE_TYPE)
    client = extensions.get(_CLIENT_CERTIFICATE_TYPE)
    showable = (CertificateType.X509,) if client is None else decode_certificate_types(client)
    wanted = next((CertificateType(kind) for kind in showable if kind in _CLIENT_TYPES), None)
    readable = [int(CertificateType.X509)] if server is None else list(decode_certificate_types(server))
    if credential.prefers_raw or wanted is CertificateType.RAW_PUBLIC_KEY:
        # Who shows a bare key was most likely given ours, whatever else its stack can read (libcoap).
        readable.sort(key=lambda kind: kind != CertificateType.RAW_PUBLIC_KEY)
    shown = next((CertificateType(kind) for kind in readable if kind in ours), None)
    if shown is None or wanted is None:
        return AlertDescription.UNSUPPORTED_CERTIFICATE
    if server is not None:
        answers[_SERVER_CERTIFICATE_TYPE] = encode_certificate_type(shown)
    if client is not None:
        answers[_CLIENT_CERTIFICATE_TYPE] = encode_certificate_type(wanted)
    return shown, wanted


_CLIENT_TYPES: Final = tuple(CertificateType)


def _can_check_us(extensions: dict[int, bytes]) -> bool:
    """Whether the client can use our key, which is of P-256, and check our signature."""
    schemes = extensions.get(_SIGNATURE_ALGORITHMS)
    if schemes is not None and SignatureScheme.ECDSA_SHA256 not in decode_signature_algorithms(schemes):
        return False
    groups = extensions.get(_SUPPORTED_GROUPS)
    return groups is None or NamedGroup.SECP256R1 in decode_supported_groups(groups)
