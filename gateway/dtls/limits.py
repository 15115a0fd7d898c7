"""How much a host may ask for. Knows hosts and instants, nothing of handshakes."""

from __future__ import annotations

_WINDOW_S = 60.0
_MAX_HOSTS = 100_000


class HostRate:
    """So many begun handshakes a minute from one host.

    Counted in whole minutes and forgotten with them. Only hosts that returned a cookie are counted, so
    nobody is counted under a forged address; beyond 100,000 of them in a minute, newcomers go uncounted
    and the limit on unfinished handshakes remains.
    """

    __slots__ = ("_counts", "_per_minute", "_window_ends_at")

    def __init__(self, per_minute: int, now: float) -> None:
        self._per_minute = per_minute
        self._counts: dict[str, int] = {}
        self._window_ends_at = now + _WINDOW_S

    def is_allowed(self, host: str, now: float) -> bool:
        """Count one more from *host*; False if that is one too many. 0 per minute stands for no limit."""
        if not self._per_minute:
            return True
        if now >= self._window_ends_at:
            self._counts.clear()
            self._window_ends_at = now + _WINDOW_S
        count = self._counts.get(host, 0)
        if count >= self._per_minute:
            return False
        if count or len(self._counts) < _MAX_HOSTS:
            self._counts[host] = count + 1
        return True
