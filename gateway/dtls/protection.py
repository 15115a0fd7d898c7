"""From a key block to what seals our records and opens the peer's, whatever the suite.

The one place that knows which class protects which suite, and which keys are whose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from gateway.dtls.cbc import CbcOpener, CbcSealer
from gateway.dtls.keys import KeyBlock
from gateway.dtls.record import Opener, Record, Sealer
from gateway.dtls.suites import Suite


class RecordSealer(Protocol):
    """`record.Sealer` or `cbc.CbcSealer`."""

    @property
    def overhead_bytes(self) -> int: ...

    def seal(self, content_type: int, epoch: int, sequence: int, plaintext: bytes) -> bytes: ...


class RecordOpener(Protocol):
    """`record.Opener` or `cbc.CbcOpener`."""

    @property
    def max_forgeries(self) -> int:
        """How many records that do not open the suite bears under one key."""

    def open(self, record: Record) -> tuple[int, bytes] | None: ...


class Protection(NamedTuple):
    """Both directions of one side."""

    opener: RecordOpener
    sealer: RecordSealer


def protect(
    suite: Suite,
    block: KeyBlock,
    *,
    is_client: bool,
    own_cid: bytes,
    peer_cid: bytes,
    entropy: Callable[[int], bytes],
    encrypt_then_mac: bool = False,
) -> Protection:
    """What a side needs once both know the key block.

    *own_cid* is what records towards us carry, *peer_cid* what ours carry; empty: none. *entropy* is
    kept for the IVs of CBC suites only. *encrypt_then_mac*: negotiated (RFC 7366); AEAD suites pass it over.
    """
    client_key, server_key, client_iv, server_iv, client_mac, server_mac = block
    if is_client:
        own_key, own_iv, own_mac = client_key, client_iv, client_mac
        peer_key, peer_iv, peer_mac = server_key, server_iv, server_mac
    else:
        own_key, own_iv, own_mac = server_key, server_iv, server_mac
        peer_key, peer_iv, peer_mac = client_key, client_iv, client_mac
    if suite.is_cbc:
        return Protection(
            CbcOpener(peer_key, peer_mac, own_cid, encrypt_then_mac),
            CbcSealer(own_key, own_mac, peer_cid, entropy, encrypt_then_mac),
        )
    return Protection(Opener(suite, peer_key, peer_iv, own_cid), Sealer(suite, own_key, own_iv, peer_cid))
