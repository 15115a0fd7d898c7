"""The states of a server handshake, under the figure they come from (RFC 6347 figure 1).

    Client                                     Server                     state afterwards

    ClientHello with cookie      -------->
                                 <--------     ServerHello
                                               ServerHelloDone            EXCHANGE
    ClientKeyExchange            -------->     (the owner is asked)       KEY
                                               (the key is provided)      CHANGE
    [ChangeCipherSpec]           -------->                                FINISH
    Finished                     -------->
                                 <--------     [ChangeCipherSpec]
                                               Finished                   ESTABLISHED

Knows the order, not the doing.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from gateway.dtls.messages import HandshakeType


class State(IntEnum):
    """Which row of the figure was the last."""

    EXCHANGE = 1
    KEY = 2
    CHANGE = 3
    FINISH = 4
    ESTABLISHED = 5
    FAILED = 6


class Input(IntEnum):
    """What brings a handshake forward."""

    CLIENT_KEY_EXCHANGE = 1
    KEY = 2
    CHANGE_CIPHER_SPEC = 3
    FINISHED = 4


TRANSITIONS: Final[dict[tuple[State, Input], State]] = {
    (State.EXCHANGE, Input.CLIENT_KEY_EXCHANGE): State.KEY,
    (State.KEY, Input.KEY): State.CHANGE,
    (State.CHANGE, Input.CHANGE_CIPHER_SPEC): State.FINISH,
    (State.FINISH, Input.FINISHED): State.ESTABLISHED,
}
"What is not in here is dropped and counted, and changes nothing."

MESSAGES: Final[dict[tuple[int, int], Input]] = {
    (0, HandshakeType.CLIENT_KEY_EXCHANGE): Input.CLIENT_KEY_EXCHANGE,
    (1, HandshakeType.FINISHED): Input.FINISHED,
}
"Epoch and type of the handshake messages that count."
