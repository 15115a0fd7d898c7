"""A client with a certificate or raw public key, and one with ECDHE_PSK, made by hand, step by step.

As `dtls_pair.RawClient`, which they extend: honest unless a step is given another body, left out or
sent twice.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.dtls import exchange
from gateway.dtls.credential import Credential, make_credential
from gateway.dtls.events import Event
from gateway.dtls.extensions import (
    CertificateType,
    ExtensionType,
    encode_certificate_types,
    encode_signature_algorithms,
    encode_supported_groups,
)
from gateway.dtls.groups import NamedGroup, generate
from gateway.dtls.handshake import derive
from gateway.dtls.keys import ecdhe_psk_premaster
from gateway.dtls.messages import HandshakeType, decode_fragments, decode_server_hello
from gateway.dtls.record import Opener, Sealer
from gateway.dtls.settings import EndpointConfig
from gateway.dtls.signatures import SCHEMES, DigitallySigned, sign
from gateway.dtls.suites import SUITES
from tests.support.certificates import Issued, authority
from tests.support.dtls_pair import HANDSHAKE, Entropy, Hello, RawClient, Server

CA = authority()
GATEWAY = CA.issue("gateway")
DEVICE = CA.issue("device-1")
ENDPOINT = EndpointConfig(credential=make_credential(GATEWAY.key, (GATEWAY.der, CA.der)))
DEVICE_CREDENTIAL = make_credential(DEVICE.key, (DEVICE.der,))

CERTIFICATE_SUITE, ECDHE_PSK_SUITE = 0xC0AE, 0xD003


def hello_for(suite: int, **extensions: bytes) -> Hello:
    """A hello that offers *suite* and what goes with it; *extensions* by the names of `ExtensionType`."""
    hello = Hello(suites=(suite,))
    needed = {
        int(ExtensionType.SUPPORTED_GROUPS): encode_supported_groups((NamedGroup.SECP256R1,)),
        int(ExtensionType.SIGNATURE_ALGORITHMS): encode_signature_algorithms(tuple(SCHEMES)),
    }
    given = {int(ExtensionType[name]): body for name, body in extensions.items()}
    return replace(hello, extensions=hello.extensions | needed | given)


def rpk_hello() -> Hello:
    """One that can show and read raw public keys only."""
    types = encode_certificate_types((CertificateType.RAW_PUBLIC_KEY,))
    return hello_for(CERTIFICATE_SUITE, CLIENT_CERTIFICATE_TYPE=types, SERVER_CERTIFICATE_TYPE=types)


class EphemeralClient(RawClient):
    """What both have in common: a share of P-256, and keys made of it. Offers ECDHE_PSK."""

    def __init__(self, server: Server | None = None, hello: Hello | None = None, **options: Any) -> None:
        super().__init__(server or Server(ENDPOINT), hello or hello_for(ECDHE_PSK_SUITE), **options)
        self.share = generate(NamedGroup.SECP256R1, Entropy("share"))
        self.server_public = b""

    def read_server_hello(self) -> None:
        """Take the server's flight, unfragmented, from the last replies."""
        for record in self.reply_records():
            (fragment,) = decode_fragments(record.fragment)
            if fragment.message_type == HandshakeType.SERVER_HELLO:
                self.server_hello = decode_server_hello(fragment.body)
            elif fragment.message_type == HandshakeType.SERVER_KEY_EXCHANGE:
                self._read_share(fragment.body)
            self._messages.append(record.fragment)

    def handshake_record(self, message_type: int, body: bytes) -> bytes:
        """A record with one message, noted."""
        return self.record(HANDSHAKE, self.note(self.message(message_type, body)))

    def key_exchange(self, public: bytes | None = None) -> bytes:
        """A record with the ClientKeyExchange; *public* in the place of our share."""
        body = self._exchange_body(self.share.public if public is None else public)
        record = self.handshake_record(HandshakeType.CLIENT_KEY_EXCHANGE, body)
        self.derive()
        return record

    def derive(self) -> None:
        """Make the keys; everything up to the ClientKeyExchange must have been noted, and nothing more."""
        hello = self.server_hello
        assert hello is not None
        suite = SUITES[hello.cipher_suite]
        premaster = self._premaster(self.share.agree(self.server_public))
        secrets = derive(premaster, suite, self.hello.random, hello.random, self._hash())
        self._mac, block = secrets.mac, secrets.block
        self.sealer = Sealer(suite, block.client_key, block.client_iv, b"")
        self.opener = Opener(suite, block.server_key, block.server_iv, b"")

    def _read_share(self, body: bytes) -> None:
        self.server_public = exchange.decode_ecdhe_psk_server_key_exchange(body)[1].public

    def _exchange_body(self, public: bytes) -> bytes:
        return exchange.encode_ecdhe_psk_client_key_exchange(self.identity, public)

    def _premaster(self, shared: bytes) -> bytes:
        return ecdhe_psk_premaster(shared, self.psk)


class CertificateClient(EphemeralClient):
    """Shows a certificate, or, with *is_raw*, its key alone."""

    def __init__(
        self,
        server: Server | None = None,
        issued: Issued = DEVICE,
        *,
        is_raw: bool = False,
        hello: Hello | None = None,
        **options: Any,
    ) -> None:
        default = rpk_hello() if is_raw else hello_for(CERTIFICATE_SUITE)
        super().__init__(server, hello or default, **options)
        self.issued = issued
        self._credential: Credential = (
            make_credential(issued.key, (issued.der,)) if not is_raw else make_credential(issued.key)
        )
        self._is_raw = is_raw

    def certificate(self, body: bytes | None = None) -> bytes:
        """A record with the Certificate; *body* in the place of ours."""
        ours = (
            exchange.encode_raw_public_key(self._credential.spki)
            if self._is_raw
            else exchange.encode_certificate((self.issued.der,))
        )
        return self.handshake_record(HandshakeType.CERTIFICATE, ours if body is None else body)

    def certificate_verify(self, signed: DigitallySigned | None = None, key: Any = None) -> bytes:
        """A record with the CertificateVerify: *signed* as it is, or made with *key*, or with ours."""
        if signed is None:
            signed = sign(key or self.issued.key, b"".join(self._messages))
        return self.handshake_record(
            HandshakeType.CERTIFICATE_VERIFY, exchange.encode_certificate_verify(signed)
        )

    def finish(self) -> list[Event]:
        """All of the client's second flight, in one datagram."""
        return self.send(
            self.certificate(),
            self.key_exchange(),
            self.certificate_verify(),
            self.change_cipher_spec(),
            self.finished(),
        )

    def _read_share(self, body: bytes) -> None:
        self.server_public = exchange.decode_ecdhe_server_key_exchange(body)[0].public

    def _exchange_body(self, public: bytes) -> bytes:
        return exchange.encode_ecdhe_client_key_exchange(public)

    def _premaster(self, shared: bytes) -> bytes:
        return shared
