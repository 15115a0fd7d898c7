"""The numbers of the message layer.

Values only. RFC 7252 §4.8 names most of them; the others are limits, each with what happens at it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DownlinkSettings:
    """What is asked of devices."""

    ack_timeout_s: float = 2.0
    "Wait before the first retransmission of a request."

    max_retransmit: int = 4

    response_timeout_s: float = 60.0
    "How long an answer may take after an empty acknowledgement."

    max_requests: int = 50_000
    "Requests without an answer yet; beyond it they fail at once."

    max_requests_per_peer: int = 64
    "The same for one peer."

    max_answer_bytes: int = 2 * 1024 * 1024
    "Body of an answer in blocks; a longer one is given up."

    max_answers_bytes: int = 64 * 1024 * 1024
    "All such bodies in the making together; beyond it the one that grows is given up."


@dataclass(frozen=True, slots=True)
class MessagingSettings:
    """Transmission parameters and limits of one message layer."""

    ack_timeout_s: float = 2.0
    ack_random_factor: float = 1.5
    max_retransmit: int = 4

    exchange_lifetime_s: float = 247.0
    "How long a request is remembered, so that its repetition has no second effect."

    empty_ack_delay_s: float = 0.1
    "A request not answered within this time (at most twice of it) is acknowledged first, answered later."

    max_remembered: int = 100_000
    "Requests of plain peers remembered; beyond it the oldest are forgotten early."

    max_open_exchanges: int = 20_000
    "Requests being worked on; beyond it 5.03."

    busy_max_age_s: int = 5
    "Max-Age of that 5.03: when to try again."

    max_transmissions: int = 50_000
    "Confirmable messages of ours under way or waiting; beyond it requests fail at once."

    max_backlog: int = 64
    "Requests waiting for one peer to acknowledge an earlier one; beyond it requests fail at once."

    max_body_bytes: int = 65_536
    "Body of a request in blocks; beyond it 4.13."

    max_assemblies: int = 1_000
    "Bodies being put together, plain and secure peers each; beyond it the one idle for longest is dropped."

    max_assemblies_per_peer: int = 4
    "The same for one peer."

    max_assembly_bytes: int = 8 * 1024 * 1024
    "Their sizes together, plain and secure peers each; beyond it likewise."

    assembly_lifetime_s: float = 93.0
    "How long the next block may take (MAX_TRANSMIT_WAIT)."

    echo_window_s: float = 128.0
    "An Echo value is accepted for at least this time, at most twice of it."

    amplification_limit: int = 3
    "An answer to a plain peer this many times longer than the request asks for an Echo first."

    downlink: DownlinkSettings = DownlinkSettings()
