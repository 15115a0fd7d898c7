"""What can be set about the registry."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """Resolved once at start."""

    lifetime_grace_s: int = 0
    "Added to every lifetime before a silent device is purged."

    events_keep_s: int = 604_800
    "Age at which events and refusals are pruned."

    events_keep_values_s: int = 3_600
    "The same for the events that carry values."

    value_history: int = 100
    "Values kept of each path."

    command_ttl_s: int = 86_400
    "How long a command may wait for its device, unless it says so itself."

    group_window_s: float = 0.02
    "Longest wait of a change for others to share its commit."

    group_rows: int = 500
    "A group this big does not wait."

    max_pending: int = 10_000
    "Uncommitted changes above which the registry calls itself overloaded."
