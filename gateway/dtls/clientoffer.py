"""What a client offers in its ClientHello, and which ServerHello can be the answer (RFC 5246 §7.4.1).

Pure choice, as `negotiation` is the server's. What a resumed session must agree with is `clienthandshake`'s.
"""

from __future__ import annotations

from gateway.dtls.alerts import AlertDescription
from gateway.dtls.errors import AlertError
from gateway.dtls.extensions import (
    CertificateType,
    ExtensionType,
    decode_rrc,
    encode_certificate_types,
    encode_connection_id,
    encode_ec_point_formats,
    encode_max_fragment_length,
    encode_record_size_limit,
    encode_renegotiation_info,
    encode_server_name,
    encode_signature_algorithms,
    encode_supported_groups,
)
from gateway.dtls.messages import ServerHello
from gateway.dtls.record import DTLS_1_2
from gateway.dtls.settings import ClientConfig
from gateway.dtls.signatures import SCHEMES
from gateway.dtls.suites import SUITES


def offered_extensions(config: ClientConfig) -> dict[int, bytes]:
    """By their numbers, in the order in which they are sent."""
    extensions: dict[int, bytes] = {ExtensionType.RENEGOTIATION_INFO: encode_renegotiation_info()}
    if config.extended_master_secret:
        extensions[ExtensionType.EXTENDED_MASTER_SECRET] = b""
    if config.cid is not None:
        extensions[ExtensionType.CONNECTION_ID] = encode_connection_id(config.cid)
        if config.return_routability:
            extensions[ExtensionType.RRC] = b""
    if config.max_fragment_length is not None:
        length = encode_max_fragment_length(config.max_fragment_length)
        extensions[ExtensionType.MAX_FRAGMENT_LENGTH] = length
    if config.record_size_limit is not None:
        extensions[ExtensionType.RECORD_SIZE_LIMIT] = encode_record_size_limit(config.record_size_limit)
    if config.server_name is not None:
        extensions[ExtensionType.SERVER_NAME] = encode_server_name(config.server_name)
    suites = [SUITES[number] for number in config.suites if number in SUITES]
    if config.encrypt_then_mac and any(suite.is_cbc for suite in suites):
        extensions[ExtensionType.ENCRYPT_THEN_MAC] = b""
    if any(suite.key_exchange.is_ephemeral for suite in suites):
        extensions[ExtensionType.SUPPORTED_GROUPS] = encode_supported_groups(config.groups)
        extensions[ExtensionType.EC_POINT_FORMATS] = encode_ec_point_formats()
    if any(suite.key_exchange.has_certificates for suite in suites):
        extensions |= _certificate_extensions(config)
    return extensions


def _certificate_extensions(config: ClientConfig) -> dict[int, bytes]:
    extensions: dict[int, bytes] = {ExtensionType.SIGNATURE_ALGORITHMS: encode_signature_algorithms(SCHEMES)}
    for extension, types in (
        (ExtensionType.CLIENT_CERTIFICATE_TYPE, config.client_certificate_types),
        (ExtensionType.SERVER_CERTIFICATE_TYPE, config.server_certificate_types),
    ):
        if types != (CertificateType.X509,):
            extensions[extension] = encode_certificate_types(types)
    return extensions


def check_answer(hello: ServerHello, config: ClientConfig, offered: dict[int, bytes]) -> None:
    """Judge *hello*, which answers a ClientHello of *config* with the extensions *offered*.

    Raises:
        AlertError: it chooses what was not offered, or what does not go together.
        DecodeError: an extension is not what it should be.
    """
    if hello.version != DTLS_1_2:
        raise AlertError(AlertDescription.PROTOCOL_VERSION, f"version {hello.version:#x}")
    if hello.cipher_suite not in config.suites or hello.cipher_suite not in SUITES:
        raise AlertError(AlertDescription.ILLEGAL_PARAMETER, "a suite that was not offered")
    if not hello.extensions.keys() <= offered.keys():
        raise AlertError(AlertDescription.UNSUPPORTED_EXTENSION, "an extension that was not offered")
    if hello.renegotiation_info:
        raise AlertError(AlertDescription.HANDSHAKE_FAILURE, "renegotiation in a first handshake")
    if ExtensionType.RRC in hello.extensions:
        decode_rrc(hello.extensions[ExtensionType.RRC])
        if hello.connection_id is None:
            raise AlertError(AlertDescription.ILLEGAL_PARAMETER, "rrc without connection IDs")
