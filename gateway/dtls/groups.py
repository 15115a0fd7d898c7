"""Named groups (RFC 8422): the key share that each side makes for one handshake.

Knows points and scalars. Entropy is an argument; nothing is kept beyond the share itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from enum import IntEnum
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.dtls.alerts import AlertDescription
from gateway.dtls.errors import AlertError, LocalProtocolError


class NamedGroup(IntEnum):
    """Those of IANA's numbers that we have a use for."""

    SECP256R1 = 23
    SECP384R1 = 24
    "For the keys of certificates; not for shares."

    X25519 = 29


EXCHANGE_GROUPS: Final = (NamedGroup.SECP256R1, NamedGroup.X25519)
"In which a share can be made; in the order in which we offer them."

OFFERED_GROUPS: Final = (*EXCHANGE_GROUPS, NamedGroup.SECP384R1)
"What a client lists: the curves of certificates belong to it (RFC 8422 §5.1.1)."

PrivateKey = ec.EllipticCurvePrivateKey | x25519.X25519PrivateKey

_SECP256R1: Final = ec.SECP256R1()
_SECP256R1_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_SCALAR_BYTES: Final = 40
"Eight more than the order has: reduced by it, no scalar is noticeably likelier than another."

_ECDH: Final = ec.ECDH()
_UNCOMPRESSED: Final = 4
_POINT_BYTES: Final = 65
_X25519_BYTES: Final = 32


def choose_group(offered: Collection[int] | None) -> NamedGroup | None:
    """The first of the client's groups in which we can make a share; None if there is none.

    The client's order holds: it knows for which curve it has hardware. *offered* None: it sent no
    supported_groups, so it takes any (RFC 8422 §4); P-256 is the one that every device has.
    """
    if offered is None:
        return NamedGroup.SECP256R1
    for group in offered:
        if group in EXCHANGE_GROUPS:
            return NamedGroup(group)
    return None


class KeyShare:
    """Our half of one exchange. Take *private* from `generate`, or from wherever keys come from.

    `public` is what goes to the peer: an uncompressed point, or 32 bytes of X25519.
    """

    __slots__ = ("_private", "group", "public")

    def __init__(self, private: PrivateKey) -> None:
        self._private = private
        if isinstance(private, x25519.X25519PrivateKey):
            self.group = NamedGroup.X25519
            self.public = private.public_key().public_bytes_raw()
        else:
            if not isinstance(private.curve, ec.SECP256R1):
                raise LocalProtocolError(f"no shares are made on {private.curve.name}")
            self.group = NamedGroup.SECP256R1
            self.public = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def agree(self, peer_public: bytes) -> bytes:
        """The 32 bytes that both sides now share: the premaster secret of plain ECDHE (RFC 8422 §5.10).

        Raises:
            AlertError: not a point of this group: of a wrong length, compressed, not on the curve, or
                one that leads to infinity or zero.
        """
        private = self._private
        try:
            if isinstance(private, x25519.X25519PrivateKey):
                if len(peer_public) != _X25519_BYTES:
                    raise _illegal("length")
                return private.exchange(x25519.X25519PublicKey.from_public_bytes(peer_public))
            if len(peer_public) != _POINT_BYTES or peer_public[0] != _UNCOMPRESSED:
                raise _illegal("form")
            point = ec.EllipticCurvePublicKey.from_encoded_point(_SECP256R1, peer_public)
            return private.exchange(_ECDH, point)
        except ValueError as error:
            raise _illegal("value") from error


def generate(group: NamedGroup, entropy: Callable[[int], bytes]) -> KeyShare:
    """A fresh share in *group*, one of `EXCHANGE_GROUPS`.

    Raises:
        LocalProtocolError: no shares are made in *group*.
    """
    if group is NamedGroup.X25519:
        return KeyShare(x25519.X25519PrivateKey.from_private_bytes(entropy(_X25519_BYTES)))
    if group is not NamedGroup.SECP256R1:
        raise LocalProtocolError(f"no shares are made in {group.name}")
    scalar = int.from_bytes(entropy(_SCALAR_BYTES), "big") % (_SECP256R1_ORDER - 1) + 1
    return KeyShare(ec.derive_private_key(scalar, _SECP256R1))


def _illegal(what: str) -> AlertError:
    return AlertError(AlertDescription.ILLEGAL_PARAMETER, f"a public value of a wrong {what}")
