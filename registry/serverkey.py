"""The gateway's own key: made once, sealed, kept with the certificate that it signed for itself.

Knows bytes and where they lie. What a key or a certificate is, its maker knows: *make* is an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from registry import meta
from registry.keyring import SERVER_KEY, Keyring
from registry.sealing import KEY_BYTES, NONCE_BYTES, Sealer
from registry.sqlite import Database

_CERTIFICATE = "server_certificate"
_CHAIN = "server_chain"
_OWNER = "the server key"
"What it is sealed for; no device ID has this form."


@dataclass(frozen=True, slots=True)
class ServerKey:
    """A private key and its self-signed certificate."""

    private_key: bytes = field(repr=False)
    certificate: bytes


@dataclass(frozen=True, slots=True)
class ShownServerKey:
    """What peers see of the gateway."""

    certificate: bytes | None
    "The self-signed one; None: no key was made yet."

    chain: bytes | None
    "What the gateway shows in its place since its last start, as `note_chain` got it; None: nothing."


def obtain(
    database: Database, keyring: Keyring, make: Callable[[], ServerKey], entropy: Callable[[int], bytes]
) -> ServerKey:
    """The key of this registry; the first caller makes it.

    Raises:
        KeyUnusable: it is sealed and cannot be opened, or cannot be sealed.
    """
    sealer = keyring.sealer_for_sealing(entropy(KEY_BYTES))
    with database.transaction() as connection:
        key = _read(database, sealer)
        if key is None:
            key = make()
            sealed = sealer.seal(key.private_key, _OWNER, entropy(NONCE_BYTES))
            meta.write(connection, SERVER_KEY, sealed)
            meta.write(connection, _CERTIFICATE, key.certificate)
    return key


def show(database: Database) -> ShownServerKey:
    """What can be seen without opening anything."""
    return ShownServerKey(meta.find(database, _CERTIFICATE), meta.find(database, _CHAIN))


def note_chain(database: Database, chain: bytes | None) -> None:
    """Let others know what the gateway shows in place of its own certificate."""
    with database.transaction() as connection:
        if chain is None:
            meta.delete(connection, _CHAIN)
        else:
            meta.write(connection, _CHAIN, chain)


def _read(database: Database, sealer: Sealer) -> ServerKey | None:
    sealed, certificate = meta.find(database, SERVER_KEY), meta.find(database, _CERTIFICATE)
    if sealed is None or certificate is None:
        return None
    return ServerKey(sealer.unseal(sealed, _OWNER), certificate)
