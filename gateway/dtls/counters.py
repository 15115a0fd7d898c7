"""What an endpoint counts: one number for each reason to drop something and each outcome.

The names are the operator's; `as_dict` gives them all.
"""

from __future__ import annotations


class Counters:
    """Only ever growing. Plain attributes: one is touched for every dropped datagram."""

    __slots__ = (
        "alerts_ignored",
        "bad_epoch",
        "bad_records",
        "bad_version",
        "clear_application_data",
        "cookies_refused",
        "handshake_bad_records",
        "handshake_buffer_full",
        "handshakes_begun",
        "handshakes_completed",
        "handshakes_evicted",
        "handshakes_failed",
        "handshakes_rate_limited",
        "handshakes_restarted",
        "held_records_dropped",
        "hello_fragments_dropped",
        "hello_malformed",
        "hello_not_alone",
        "hello_verify_requests",
        "last_flights_repeated",
        "late_keys",
        "legacy_connection_ids",
        "malformed_datagrams",
        "malformed_messages",
        "mixed_connection_ids",
        "muted_records",
        "path_challenges_answered",
        "path_checks_failed",
        "path_checks_passed",
        "records_held",
        "renegotiations_refused",
        "replayed_records",
        "resumptions_refused",
        "retransmissions",
        "sends_over_budget",
        "sends_over_limit",
        "sends_unreserved",
        "sessions_bad_records",
        "sessions_evicted",
        "sessions_exhausted",
        "sessions_moved",
        "sessions_refused",
        "sessions_restored",
        "sessions_superseded",
        "unexpected_messages",
        "unexpected_records",
        "unknown_connection_id",
        "unknown_peer",
    )

    alerts_ignored: int
    "Alerts that could not be read or are not believed: in clear, or only a warning."

    bad_epoch: int
    "Records of an epoch that never is, or in clear with a connection ID or an absurd number."

    bad_records: int
    "Records for a session that are not authentic."

    bad_version: int
    clear_application_data: int
    cookies_refused: int
    "Hellos whose cookie was made for something else, or too long ago; answered with a new one."

    handshake_bad_records: int
    "Protected records in a handshake that did not open: a wrong key, or forged."

    handshake_buffer_full: int
    handshakes_begun: int
    handshakes_completed: int
    handshakes_evicted: int
    "Unfinished ones that gave way to a newer one (max_handshakes)."

    handshakes_failed: int
    handshakes_rate_limited: int
    handshakes_restarted: int
    held_records_dropped: int
    "Authentic records ahead of what is on disk, for which there was no room to wait."

    hello_fragments_dropped: int
    hello_malformed: int
    hello_not_alone: int
    hello_verify_requests: int
    last_flights_repeated: int
    late_keys: int
    "Answers to a PskRequested whose handshake is no more."

    legacy_connection_ids: int
    "Clients that offered connection IDs the way of a draft."

    malformed_datagrams: int
    malformed_messages: int
    mixed_connection_ids: int
    muted_records: int
    path_challenges_answered: int
    path_checks_failed: int
    "Sessions that went back to their last confirmed address, for nobody answered at the new one."

    path_checks_passed: int
    records_held: int
    "Authentic records that had to wait for the disk."

    renegotiations_refused: int
    replayed_records: int
    resumptions_refused: int
    "By the owner: a full handshake took their place."

    retransmissions: int
    sends_over_budget: int
    "Records not sent to an address that is not confirmed yet."

    sends_unreserved: int
    "Records not sent because the disk had not yet noted numbers for them."

    sends_over_limit: int
    "Data that does not fit the records that the peer takes."

    sessions_bad_records: int
    sessions_evicted: int
    sessions_exhausted: int
    sessions_moved: int
    sessions_refused: int
    sessions_restored: int
    sessions_superseded: int
    unexpected_messages: int
    unexpected_records: int
    unknown_connection_id: int
    unknown_peer: int

    def __init__(self) -> None:
        for name in self.__slots__:
            setattr(self, name, 0)

    def as_dict(self) -> dict[str, int]:
        """Name → count, in alphabetical order."""
        return {name: getattr(self, name) for name in self.__slots__}
