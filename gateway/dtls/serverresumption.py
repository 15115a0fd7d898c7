"""An abbreviated handshake of the server role (RFC 5246 figure 2): the secrets of an earlier one, new keys.

Begins with a question to the owner; nothing is sent before the answer. Where the answer is no, a full
handshake takes its place.
"""

from __future__ import annotations

from gateway.address import Address
from gateway.dtls.errors import LocalProtocolError
from gateway.dtls.flight import CHANGE_CIPHER_SPEC, Retransmission, handshake_message
from gateway.dtls.handshake import Transcript, resume
from gateway.dtls.hello import VerifiedHello
from gateway.dtls.keys import HmacSha256, verify_data
from gateway.dtls.messages import (
    HandshakeType,
    encode_message,
    encode_server_hello,
)
from gateway.dtls.negotiation import Choice
from gateway.dtls.record import DTLS_1_2
from gateway.dtls.resumption import Resumable
from gateway.dtls.server import ServerHandshake, ServerSettings
from gateway.dtls.serverstates import Input, State


class ResumingHandshake(ServerHandshake):
    """As `ServerHandshake`; the first call is `provide_resumption`."""

    __slots__ = ("resumable", "verified")

    def __init__(
        self,
        number: int,
        address: Address,
        verified: VerifiedHello,
        choice: Choice,
        cid: bytes,
        settings: ServerSettings,
        now: float,
        resumable: Resumable,
    ) -> None:
        self.verified = verified
        self.resumable = resumable
        super().__init__(number, address, verified, choice, cid, settings, now)
        self.identity = resumable.identity
        self.credential_version = resumable.credential
        self.session_expires_at = resumable.session_expires_at
        self.session_id = verified.session_id
        # The handshake is bound to the earlier one: who completes it holds its master secret.
        self._is_known = True

    @property
    def choice(self) -> Choice:
        """What a full handshake in its place would use."""
        return self._choice

    def provide_resumption(self, now: float) -> None:
        """The identity is still welcome: answer the hello."""
        is_asked = self._advance(Input.RESUME, now)
        assert is_asked, "the owner looks at the state first"
        verified, choice = self.verified, self._choice
        hello = encode_message(
            HandshakeType.SERVER_HELLO,
            verified.message_seq,
            encode_server_hello(
                DTLS_1_2,
                self._server_random,
                self.session_id,
                choice.suite.id,
                choice.encode_extensions(self.cid),
            ),
        )
        secrets = resume(self.resumable.master, choice.suite, self._client_random, self._server_random)
        self._transcript = Transcript(verified.message, hello)
        self._protect(secrets)
        data = verify_data(secrets.mac, False, self._transcript.digest())
        finished = encode_message(HandshakeType.FINISHED, verified.message_seq + 1, data)
        self._transcript.add(finished)
        self._flight = (handshake_message(hello), CHANGE_CIPHER_SPEC, handshake_message(finished, 1))
        self._retransmission = Retransmission(self._settings.retransmit, now)
        self._send_flight()
        self._release_held(now)

    @property
    def _is_flight_out(self) -> bool:
        return self.state in (State.CHANGE, State.FINISH)

    def _begin(self, verified: VerifiedHello) -> None:
        self.state = State.RESUMPTION
        self._retransmission.stop()
        if self.resumable.suite != self._choice.suite.id:
            raise LocalProtocolError("a session is resumed in its own suite")

    def _answer_finished(self, message: bytes, mac: HmacSha256, now: float) -> None:
        self._round_trip_s = self._retransmission.round_trip_s(now)
        self._retransmission.stop()
