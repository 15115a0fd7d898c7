"""Who wants to hear of facts, faults and refusals. Everything is told in the loop's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from registry.errors import KeyUnusable
from registry.events import EndFact, Fact
from registry.model import Refusal

OnFact = Callable[[Fact], None]
OnEnd = Callable[[EndFact], None]
OnFault = Callable[[str | None], None]
OnRefusal = Callable[[str, Refusal], None]


class Listeners:
    """Those of one registry, and what stands of the faults that they were told of."""

    def __init__(self) -> None:
        self.on_fact: list[OnFact] = []
        self.on_end: list[OnEnd] = []
        self.on_fault: list[OnFault] = []
        self.on_refusal: list[OnRefusal] = []
        self.fault: str | None = None
        "What keeps changes from being committed at present, in words for the operator."

        self._is_key_fault_told = False

    def tell(self, fact: Fact) -> None:
        """Something happened, and is committed."""
        for listener in self.on_fact:
            listener(fact)
        if isinstance(fact, get_args(EndFact)):
            for end_listener in self.on_end:
                end_listener(fact)

    def tell_fault(self, fault: str | None) -> None:
        """Commits fail for this reason; None: they work. The same is told once."""
        if fault != self.fault:
            self.fault = fault
            self._tell(fault)

    def tell_key_fault(self, error: KeyUnusable) -> None:
        """The key at hand opens nothing: told once, not at every handshake, until `renew_key`."""
        if not self._is_key_fault_told:
            self._is_key_fault_told = True
            self._tell(str(error))

    def renew_key(self) -> None:
        """There is another key, which may have a fault of its own."""
        self._is_key_fault_told = False

    def tell_refusal(self, node_id: str, refusal: Refusal) -> None:
        """Somebody was turned away, and that is recorded."""
        for listener in self.on_refusal:
            listener(node_id, refusal)

    def _tell(self, fault: str | None) -> None:
        for listener in self.on_fault:
            listener(fault)
