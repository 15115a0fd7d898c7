"""Why a peer's credential is not accepted: words for the operator, an alert for the peer."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.dtls.alerts import AlertDescription

if TYPE_CHECKING:
    from gateway.dtls.certificates import CertificateName


class CredentialFault(StrEnum):
    """One reason each."""

    MALFORMED = "certificate cannot be read"
    VERSION = "certificate is not of version 3"
    CHAIN_TOO_LONG = "chain of more than 4 certificates or 8 KB"
    NOT_YET_VALID = "certificate is not valid yet"
    EXPIRED = "certificate has expired"
    IS_CA = "certificate is that of a CA"
    KEY_USAGE = "key usage without digitalSignature"
    EXTENDED_KEY_USAGE = "extended key usage without the role"
    CRITICAL_EXTENSION = "unknown critical extension"
    KEY_TYPE = "key is neither P-256 nor P-384"
    UNKNOWN_CA = "issuer is not trusted"
    NOT_FROM_CA = "known issuer, but signature or constraints do not fit"
    CA_MALFORMED = "CA certificate cannot be read"
    CA_VERSION = "CA certificate is not of version 3"
    CA_BASIC_CONSTRAINTS = "CA certificate without basicConstraints CA:true"
    CA_KEY_USAGE = "CA certificate whose key usage lacks keyCertSign"
    CA_NOT_VALID = "CA certificate has expired or is not valid yet"
    CA_CRITICAL_EXTENSION = "unknown critical extension in a CA certificate"
    NOT_PINNED = "certificate is not the pinned one"
    NO_DEVICE = "certificate names no x509 device"
    SEVERAL_DEVICES = "certificate names several devices"
    FROZEN = "device is frozen"
    REVOKED = "refused by the revocation check"
    RAW_KEY_MALFORMED = "raw public key cannot be read"
    RAW_KEY_TYPE = "raw public key is not of P-256"
    RAW_KEY_ENCODING = "raw public key is not encoded in the one right way"
    RAW_KEY_UNKNOWN = "raw public key is no device's"
    MISSING = "neither certificate nor raw public key"
    NOT_PROVED = "the private key was not proved"

    @property
    def alert(self) -> AlertDescription:
        """What the peer hears."""
        return _ALERTS[self]


_ALERTS: Final = {
    CredentialFault.MALFORMED: AlertDescription.BAD_CERTIFICATE,
    CredentialFault.VERSION: AlertDescription.UNSUPPORTED_CERTIFICATE,
    CredentialFault.CHAIN_TOO_LONG: AlertDescription.BAD_CERTIFICATE,
    CredentialFault.NOT_YET_VALID: AlertDescription.CERTIFICATE_EXPIRED,
    CredentialFault.EXPIRED: AlertDescription.CERTIFICATE_EXPIRED,
    CredentialFault.IS_CA: AlertDescription.UNSUPPORTED_CERTIFICATE,
    CredentialFault.KEY_USAGE: AlertDescription.UNSUPPORTED_CERTIFICATE,
    CredentialFault.EXTENDED_KEY_USAGE: AlertDescription.UNSUPPORTED_CERTIFICATE,
    CredentialFault.CRITICAL_EXTENSION: AlertDescription.UNSUPPORTED_CERTIFICATE,
    CredentialFault.KEY_TYPE: AlertDescription.UNSUPPORTED_CERTIFICATE,
    CredentialFault.UNKNOWN_CA: AlertDescription.UNKNOWN_CA,
    CredentialFault.NOT_FROM_CA: AlertDescription.UNKNOWN_CA,
    CredentialFault.CA_MALFORMED: AlertDescription.BAD_CERTIFICATE,
    CredentialFault.CA_VERSION: AlertDescription.UNKNOWN_CA,
    CredentialFault.CA_BASIC_CONSTRAINTS: AlertDescription.UNKNOWN_CA,
    CredentialFault.CA_KEY_USAGE: AlertDescription.UNKNOWN_CA,
    CredentialFault.CA_NOT_VALID: AlertDescription.CERTIFICATE_EXPIRED,
    CredentialFault.CA_CRITICAL_EXTENSION: AlertDescription.UNKNOWN_CA,
    # As for a certificate that nobody trusts: a stranger must not learn who has a pinned one.
    CredentialFault.NOT_PINNED: AlertDescription.UNKNOWN_CA,
    CredentialFault.NO_DEVICE: AlertDescription.CERTIFICATE_UNKNOWN,
    CredentialFault.SEVERAL_DEVICES: AlertDescription.CERTIFICATE_UNKNOWN,
    CredentialFault.FROZEN: AlertDescription.CERTIFICATE_UNKNOWN,
    # Not certificate_revoked: the hook may have any reason, and not only the issuer's.
    CredentialFault.REVOKED: AlertDescription.CERTIFICATE_UNKNOWN,
    CredentialFault.RAW_KEY_MALFORMED: AlertDescription.BAD_CERTIFICATE,
    CredentialFault.RAW_KEY_TYPE: AlertDescription.UNSUPPORTED_CERTIFICATE,
    CredentialFault.RAW_KEY_ENCODING: AlertDescription.BAD_CERTIFICATE,
    CredentialFault.RAW_KEY_UNKNOWN: AlertDescription.CERTIFICATE_UNKNOWN,
    CredentialFault.MISSING: AlertDescription.HANDSHAKE_FAILURE,
    CredentialFault.NOT_PROVED: AlertDescription.DECRYPT_ERROR,
}


class CredentialRefusal(NamedTuple):
    """A credential was looked at and not accepted."""

    fault: CredentialFault
    names: tuple[CertificateName, ...] = ()
    "Whom it claims to be, as far as it could be read; unproved."

    @property
    def alert(self) -> AlertDescription:
        """What the peer hears."""
        return self.fault.alert
