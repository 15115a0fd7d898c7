"""What was made of hellos lately: devices of a kind send the same, but for random, session id and cookie.

Knows one offer; another offer begins with an empty memory. What there is to choose is `negotiation`'s.
"""

from __future__ import annotations

from typing import Final

from gateway.dtls.messages import SESSION_ID_AT, find_client_hello_parts
from gateway.dtls.negotiation import Choice, Offer, Refusal, choose

MAX_AGREEMENTS: Final = 256
MAX_REMEMBERED_BYTES: Final = 512
"Of a hello, behind its cookie: the longest of the devices that we know have half of it."


class Agreements:
    """`choose` under one offer, at most `MAX_AGREEMENTS` results remembered; the oldest goes first."""

    __slots__ = ("_results", "offer")

    def __init__(self, offer: Offer) -> None:
        self.offer = offer
        self._results: dict[bytes, Choice | Refusal] = {}
        "By version, length of the session id, and all behind the cookie: what a result depends on."

    def choose(self, body: bytes) -> Choice | Refusal:
        """Answer the ClientHello that has shown its cookie."""
        parts = find_client_hello_parts(body)
        if parts is None or len(body) - parts[1] > MAX_REMEMBERED_BYTES:
            return choose(body, self.offer)
        key = body[:2] + body[SESSION_ID_AT : SESSION_ID_AT + 1] + body[parts[1] :]
        result = self._results.get(key)
        if result is None:
            result = choose(body, self.offer)
            if len(self._results) >= MAX_AGREEMENTS:
                del self._results[next(iter(self._results))]
            self._results[key] = result
        return result
