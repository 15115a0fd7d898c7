"""From a session at work, or one that is over, to what is stored of it (`restoring` is the way back).

Knows what the next run needs. When it is stored is `durability`'s, how it is written `storedstate`'s.
"""

from __future__ import annotations

from gateway.dtls.resumption import Resumables
from gateway.dtls.session import Session
from gateway.dtls.storedstate import StoredSession, encode_session, forget_traffic_keys


def state_of(session: Session, resumables: Resumables, now: float, wall_ms: int) -> bytes:
    """`StoredSession`, encoded, with what *resumables* know of it."""

    def at_ms(instant: float) -> int:
        return max(1, wall_ms + round((instant - now) * 1000))

    resumable = resumables.find(session.session_id, now) if session.session_id else None
    return encode_session(
        StoredSession(
            forget_traffic_keys(session.keys) if session.is_over else session.keys,
            session.cid,
            at_ms(session.established_at),
            None if session.expires_at is None else at_ms(session.expires_at),
            None if session.check_s is None else round(session.check_s * 1000),
            session.credential,
            b"" if resumable is None else session.session_id,
            b"" if resumable is None else resumable.master,
            0 if resumable is None else at_ms(resumable.expires_at),
            b"" if resumable is None else resumable.server_name,
            session.is_over,
        )
    )
