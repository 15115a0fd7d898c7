"""From what is stored to a session that goes on.

Knows what a session needs, and which stored one is of no use any more. Whether the credential behind it
still holds is its owner's to know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway.dtls.errors import DecodeError
from gateway.dtls.journal import Entry, decode_entries
from gateway.dtls.keys import KeyBlock
from gateway.dtls.protection import protect
from gateway.dtls.replay import WINDOW, ReplayWindow
from gateway.dtls.resumption import Resumable
from gateway.dtls.session import Keys, Session
from gateway.dtls.settings import CbcPolicy, EndpointConfig
from gateway.dtls.storedstate import StoredSession, decode_keys
from gateway.dtls.suites import SUITES, Suite

_ALL_SEEN: Final = (1 << WINDOW) - 1


def replay(entries: dict[int, Entry], row: bytes) -> None:
    """Bring *entries* (by session) forward by one row of the journal.

    Raises:
        DecodeError: it is not one; *entries* are as before.
    """
    for entry in decode_entries(row):
        before = entries.get(entry.number)
        if entry.address is None and before is not None:
            entries[entry.number] = entry._replace(address=before.address)
        else:
            entries[entry.number] = entry


def restore(
    identity: bytes,
    stored: StoredSession,
    entry: Entry,
    config: EndpointConfig,
    entropy: Callable[[int], bytes],
    now: float,
    wall_ms: int,
) -> Session | None:
    """The session, about to be taken in by an endpoint of *config*; None where that must not be.

    It sends from the limit of *entry* on, and takes nothing up to its ceiling. None: expired, without
    an address, of a suite, an order of MAC and encryption or a length of connection ID that the endpoint
    does not serve (any more), or with keys that do not fit the suite.
    """
    try:
        keys = decode_keys(stored.keys)
    except DecodeError:
        return None
    suite = SUITES.get(keys.suite) if keys.suite in config.suites else None
    if suite is None or not _fits(keys.block, suite) or entry.address is None:
        return None
    if suite.is_cbc and not _is_served(config.cbc, keys.encrypt_then_mac):
        return None
    if stored.cid and len(stored.cid) != config.cid_length:
        return None
    wall_ms = _not_before(stored, wall_ms)
    if stored.expires_ms is not None and stored.expires_ms <= wall_ms:
        return None
    opener, sealer = protect(
        suite,
        keys.block,
        is_client=False,
        own_cid=stored.cid,
        peer_cid=keys.peer_cid,
        entropy=entropy,
        encrypt_then_mac=keys.encrypt_then_mac,
    )
    window = ReplayWindow(entry.ceiling, _ALL_SEEN)
    session = Session(
        entry.number,
        identity,
        entry.address,
        stored.cid,
        Keys(opener, sealer, window, entry.send_limit),
        now,
    )
    session.established_at = now + (stored.established_ms - wall_ms) / 1000
    if stored.expires_ms is not None:
        session.expires_at = now + (stored.expires_ms - wall_ms) / 1000
    session.check_s = None if stored.check_ms is None else stored.check_ms / 1000
    session.is_confirmed = entry.is_confirmed
    session.ceiling = entry.ceiling
    session.send_limit = entry.send_limit
    session.keys = stored.keys
    session.credential = stored.credential
    session.max_content_bytes = keys.max_content_bytes
    return session


def restore_resumable(identity: bytes, stored: StoredSession, now: float, wall_ms: int) -> Resumable | None:
    """What lets the session be resumed by its id; None where it can not be (any more)."""
    wall_ms = _not_before(stored, wall_ms)
    if not stored.master_secret or stored.resumable_ms <= wall_ms:
        return None
    if stored.expires_ms is not None and stored.expires_ms <= wall_ms:
        return None
    keys = decode_keys(stored.keys)
    ends_at = None if stored.expires_ms is None else now + (stored.expires_ms - wall_ms) / 1000
    return Resumable(
        now + (stored.resumable_ms - wall_ms) / 1000,
        ends_at,
        stored.master_secret,
        keys.suite,
        keys.encrypt_then_mac,
        identity,
        stored.credential,
        stored.server_name,
    )


def _not_before(stored: StoredSession, wall_ms: int) -> int:
    # A clock that has gone back since the session was made must not make it last longer.
    return max(wall_ms, stored.established_ms)


def _is_served(policy: CbcPolicy, encrypt_then_mac: bool) -> bool:
    return policy is CbcPolicy.ANY or (policy is CbcPolicy.ETM and encrypt_then_mac)


def _fits(block: KeyBlock, suite: Suite) -> bool:
    lengths = [len(part) for part in block]
    return lengths == [size for size in (suite.key_bytes, suite.iv_bytes, suite.mac_bytes) for _ in "cs"]
