"""The client's half of the exchange of keys: what the server shows and signs, and what we answer.

Knows one suite. Knows no order of messages: that is `clienthandshake`'s table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway.dtls import exchange
from gateway.dtls.alerts import AlertDescription
from gateway.dtls.errors import AlertError
from gateway.dtls.extensions import CertificateType, ExtensionType, decode_certificate_type
from gateway.dtls.groups import EXCHANGE_GROUPS, NamedGroup, generate
from gateway.dtls.messages import (
    HandshakeType,
    ServerHello,
    decode_psk_server_key_exchange,
    encode_psk_client_key_exchange,
)
from gateway.dtls.proof import Shown, ShownCertificate, read_certificate_message
from gateway.dtls.refusal import CredentialRefusal
from gateway.dtls.settings import ClientConfig
from gateway.dtls.signatures import SignatureScheme, verify
from gateway.dtls.suites import Suite

_SERVER_TYPE: Final = int(ExtensionType.SERVER_CERTIFICATE_TYPE)
_CLIENT_TYPE: Final = int(ExtensionType.CLIENT_CERTIFICATE_TYPE)


class ClientExchange:
    """Fed with the server's messages in their order; then `messages` is what we say."""

    __slots__ = (
        "_client_random",
        "_client_type",
        "_config",
        "_entropy",
        "_is_asked",
        "_public",
        "_server_random",
        "_server_type",
        "_shown",
        "_suite",
        "shared",
    )

    def __init__(
        self,
        config: ClientConfig,
        suite: Suite,
        client_random: bytes,
        hello: ServerHello,
        entropy: Callable[[int], bytes],
    ) -> None:
        """*hello* chose *suite*.

        Raises:
            DecodeError: a certificate type that is not one.
            AlertError: one that was not offered.
        """
        self._config = config
        self._suite = suite
        self._client_random = client_random
        self._server_random = hello.random
        self._entropy = entropy
        self._server_type = _chosen(hello.extensions.get(_SERVER_TYPE), config.server_certificate_types)
        self._client_type = _chosen(hello.extensions.get(_CLIENT_TYPE), config.client_certificate_types)
        self._shown: Shown | None = None
        self._is_asked = False
        self._public = b""
        self.shared: bytes | None = None
        "What both shares give; None in a suite without."

    @property
    def psk(self) -> bytes | None:
        """Ours, where the suite has one."""
        return self._config.psk if self._suite.key_exchange.has_psk else None

    @property
    def proves(self) -> bool:
        """Whether we must prove a key: asked, and with something to show."""
        return self._is_asked and self._config.credential is not None

    def take_certificate(self, body: bytes) -> None:
        """The server's Certificate.

        Raises:
            DecodeError: it cannot be read.
            AlertError: what it shows cannot be checked.
        """
        shown = read_certificate_message(body, self._server_type)
        if isinstance(shown, CredentialRefusal):
            raise AlertError(shown.alert, shown.fault)
        self._shown = shown

    def take_key_exchange(self, body: bytes) -> None:
        """The server's ServerKeyExchange: of plain PSK a hint, else its share.

        Raises:
            DecodeError: it cannot be read, or lacks the signature (RFC 8422 §5.4).
            AlertError: a group that was not offered, a wrong signature, a peer that is not trusted.
        """
        kind = self._suite.key_exchange
        if self.shared is not None:
            raise AlertError(AlertDescription.UNEXPECTED_MESSAGE, "a second share")
        if not kind.is_ephemeral:
            decode_psk_server_key_exchange(body)
            return
        if kind.has_certificates:
            parameters, signed = exchange.decode_ecdhe_server_key_exchange(body)
            assert self._shown is not None, "the Certificate comes first"
            content = exchange.signed_parameters(self._client_random, self._server_random, parameters.encoded)
            verify(self._shown.public_key, signed, content)
            self._judge(self._shown)
        else:
            _, parameters = exchange.decode_ecdhe_psk_server_key_exchange(body)
        if parameters.group not in self._config.groups or parameters.group not in EXCHANGE_GROUPS:
            raise AlertError(AlertDescription.ILLEGAL_PARAMETER, "a group that was not offered")
        share = generate(NamedGroup(parameters.group), self._entropy)
        self.shared = share.agree(parameters.public)
        self._public = share.public

    def take_request(self, body: bytes) -> None:
        """The server's CertificateRequest.

        Raises:
            DecodeError: it cannot be read.
            AlertError: it wants no signature of ours.
        """
        if not self._suite.key_exchange.has_certificates:
            raise AlertError(AlertDescription.UNEXPECTED_MESSAGE, "a certificate where keys are pre-shared")
        request = exchange.decode_certificate_request(body)
        if SignatureScheme.ECDSA_SHA256 not in request.schemes:
            raise AlertError(AlertDescription.HANDSHAKE_FAILURE, "no signature that we make is wanted")
        self._is_asked = True

    def messages(self) -> list[tuple[HandshakeType, bytes]]:
        """Type and body of what we answer, without the CertificateVerify that ends it if `proves`."""
        messages: list[tuple[HandshakeType, bytes]] = []
        if self._is_asked:
            messages.append((HandshakeType.CERTIFICATE, self._certificate()))
        messages.append((HandshakeType.CLIENT_KEY_EXCHANGE, self._key_exchange()))
        return messages

    def certificate_verify(self, messages: bytes) -> bytes:
        """The body of the CertificateVerify over all *messages* of the handshake so far."""
        credential = self._config.credential
        assert credential is not None, "it proves"
        return exchange.encode_certificate_verify(credential.sign(messages))

    def _judge(self, shown: Shown) -> None:
        is_trusted = self._config.is_trusted
        chain = (shown.leaf.der, *shown.issuers) if isinstance(shown, ShownCertificate) else (shown.spki,)
        if is_trusted is not None and not is_trusted(self._server_type, chain):
            raise AlertError(AlertDescription.CERTIFICATE_UNKNOWN, "a server that is not trusted")

    def _certificate(self) -> bytes:
        credential = self._config.credential
        if self._client_type is CertificateType.RAW_PUBLIC_KEY:
            return exchange.encode_raw_public_key(b"" if credential is None else credential.spki)
        return exchange.encode_certificate(() if credential is None else credential.chain)

    def _key_exchange(self) -> bytes:
        kind = self._suite.key_exchange
        if not kind.is_ephemeral:
            return encode_psk_client_key_exchange(self._config.identity)
        if kind.has_psk:
            return exchange.encode_ecdhe_psk_client_key_exchange(self._config.identity, self._public)
        return exchange.encode_ecdhe_client_key_exchange(self._public)


def _chosen(body: bytes | None, offered: tuple[CertificateType, ...]) -> CertificateType:
    if body is None:
        return CertificateType.X509
    chosen = decode_certificate_type(body)
    if chosen not in offered:
        raise AlertError(AlertDescription.ILLEGAL_PARAMETER, f"certificate type {chosen}, not offered")
    return CertificateType(chosen)
