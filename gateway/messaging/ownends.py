"""By which of our own addresses plain peers reach us, so that what we ask of them comes from there.

A NAT lets nothing else through. Most machines have one address of each family: what is kept is that one,
and only the peers that use another. Knows nothing after a restart, until a peer is heard.
"""

from __future__ import annotations

from gateway.address import Address

MAX_UNUSUAL = 100_000
"Peers remembered that use another than the first address; beyond it the one noted first is forgotten."


class OwnEnds:
    """Tell it each `Address` whose local end is not among the `usual` ones."""

    __slots__ = ("_first", "_unusual", "usual")

    def __init__(self) -> None:
        self.usual: frozenset[bytes] = frozenset((b"",))
        "None while any peer uses another than the first: who comes back to that has to be noted, too."

        self._first: dict[bool, bytes] = {}
        self._unusual: dict[tuple[object, ...], bytes] = {}

    def note(self, address: Address) -> None:
        """A datagram came from *address*."""
        local = address.local
        first = self._first.get(":" in address.host)
        if first is None and local:
            self._first[":" in address.host] = local
        elif local == first:
            self._unusual.pop(address[:3], None)
        elif local:
            self._unusual[address[:3]] = local
            if len(self._unusual) > MAX_UNUSUAL:
                del self._unusual[next(iter(self._unusual))]
        self.usual = frozenset() if self._unusual else frozenset((b"", *self._first.values()))

    def complete(self, address: Address) -> Address:
        """*address* with our end of it, as far as that is known."""
        local = self._unusual.get(address[:3]) or self._first.get(":" in address.host, b"")
        return address._replace(local=local)
