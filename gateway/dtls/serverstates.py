"""The states of a server handshake, under the figure they come from (RFC 6347 figure 1).

    Client                                     Server                     state afterwards

    ClientHello with cookie      -------->
                                 <--------     ServerHello
                                               [Certificate]
                                               [ServerKeyExchange]
                                               [CertificateRequest]
                                               ServerHelloDone            EXCHANGE or CERTIFICATE
    with the session id of an earlier one:     (the owner is asked)       RESUMPTION
                                 <--------     ServerHello
                                               [ChangeCipherSpec]
                                               Finished                   CHANGE
    with a pre-shared key:
    ClientKeyExchange            -------->     (the owner is asked)       KEY
                                               (the key is provided)      CHANGE
    with a certificate or raw public key:
    Certificate                  -------->                                SHARE
    ClientKeyExchange            -------->                                PROOF
    CertificateVerify            -------->     (the owner is asked)       CREDENTIAL
                                               (it is welcome)            CHANGE
    and all:
    [ChangeCipherSpec]           -------->                                FINISH
    Finished                     -------->                                ESTABLISHED
                                 <--------     [ChangeCipherSpec]
                                               Finished, unless resumed

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
    CERTIFICATE = 7
    SHARE = 8
    PROOF = 9
    CREDENTIAL = 10
    RESUMPTION = 11


class Input(IntEnum):
    """What brings a handshake forward."""

    CLIENT_KEY_EXCHANGE = 1
    KEY = 2
    CHANGE_CIPHER_SPEC = 3
    FINISHED = 4
    CERTIFICATE = 5
    CERTIFICATE_VERIFY = 6
    WELCOME = 7
    RESUME = 8


TRANSITIONS: Final[dict[tuple[State, Input], State]] = {
    (State.EXCHANGE, Input.CLIENT_KEY_EXCHANGE): State.KEY,
    (State.KEY, Input.KEY): State.CHANGE,
    (State.CERTIFICATE, Input.CERTIFICATE): State.SHARE,
    (State.SHARE, Input.CLIENT_KEY_EXCHANGE): State.PROOF,
    (State.PROOF, Input.CERTIFICATE_VERIFY): State.CREDENTIAL,
    (State.CREDENTIAL, Input.WELCOME): State.CHANGE,
    (State.RESUMPTION, Input.RESUME): State.CHANGE,
    (State.CHANGE, Input.CHANGE_CIPHER_SPEC): State.FINISH,
    (State.FINISH, Input.FINISHED): State.ESTABLISHED,
}
"What is not in here is dropped and counted, and changes nothing."

FIRST: Final = frozenset((State.EXCHANGE, State.CERTIFICATE))
"The client has not answered our first flight."

ASKING: Final = frozenset((State.KEY, State.CREDENTIAL, State.RESUMPTION))
"The owner is asked."

MESSAGES: Final[dict[tuple[int, int], Input]] = {
    (0, HandshakeType.CERTIFICATE): Input.CERTIFICATE,
    (0, HandshakeType.CLIENT_KEY_EXCHANGE): Input.CLIENT_KEY_EXCHANGE,
    (0, HandshakeType.CERTIFICATE_VERIFY): Input.CERTIFICATE_VERIFY,
    (1, HandshakeType.FINISHED): Input.FINISHED,
}
"Epoch and type of the handshake messages that count."
