"""What a simulated device hears and what of it is heard: it may be offline, or lose a part both ways."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random


class Radio:
    """Of one device; its owner sets the two values."""

    __slots__ = ("_random", "is_offline", "loss")

    def __init__(self, random: Random) -> None:
        self._random = random
        self.is_offline = False
        self.loss = 0.0
        "Part of the datagrams, 0 to 1."

    def hears(self) -> bool:
        """Whether the datagram that has come gets through."""
        return not self.is_offline and (not self.loss or self._random.random() >= self.loss)

    def pass_on(self, datagrams: Sequence[bytes]) -> Sequence[bytes]:
        """Those that get to the server, in their order."""
        if self.is_offline:
            return ()
        return [one for one in datagrams if self._random.random() >= self.loss] if self.loss else datagrams
