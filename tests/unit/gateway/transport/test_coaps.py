"""The engine's surroundings: keys looked up, data handed on, one timer, and every batch flushed."""

from __future__ import annotations

import asyncio

import pytest

from gateway.address import Address
from gateway.dtls.client import Client, ClientConfig
from gateway.dtls.endpoint import Endpoint, EndpointConfig
from gateway.dtls.events import (
    CertificatePresented,
    ClientClosed,
    ClientData,
    CredentialAccepted,
    HandshakeFailed,
    HandshakeFailure,
    PskRequested,
    RawPublicKeyPresented,
    SessionEnd,
    SessionEstablished,
)
from gateway.dtls.extensions import CertificateType
from gateway.dtls.refusal import CredentialFault, CredentialRefusal
from gateway.dtls.session import Session
from gateway.transport.coaps import CoapsTransport
from tests.support.certificates import Issued, credential_of, make
from tests.support.clock import VirtualClock, virtual_time
from tests.support.dtls_pair import ADDRESS, IDENTITY, PSK, Entropy, Presented

ELSEWHERE = Address("192.0.2.1", 50_000)


class _Scene:
    """A transport, its callbacks' record, and clients at the end of its wire."""

    def __init__(self, config: EndpointConfig | None = None, *, is_judging: bool = True) -> None:
        loop = asyncio.get_running_loop()
        self.sent: list[tuple[bytes, Address]] = []
        self.data: list[tuple[Session, bytes]] = []
        self.ended: list[tuple[Session, SessionEnd]] = []
        self.failed: list[HandshakeFailed] = []
        self.established: list[Session] = []
        self.asked: list[PskRequested] = []
        self.psks = {IDENTITY: PSK}
        self.presented: list[Presented] = []
        self.verdict: CredentialAccepted | CredentialRefusal = CredentialRefusal(CredentialFault.NO_DEVICE)
        judge = self._judge if is_judging else None
        self.transport = CoapsTransport(
            Endpoint(config or EndpointConfig(), Entropy("server"), loop.time()),
            lambda data, address: self.sent.append((data, address)),
            lookup_psk=self._find,
            judge_certificate=judge,
            judge_raw_key=judge,
            on_data=lambda session, data: self.data.append((session, data)),
            on_session_ended=lambda session, reason: self.ended.append((session, reason)),
            on_handshake_failed=self.failed.append,
            loop=loop,
            now=loop.time,
        )
        # The transport tells nobody; a peer here wants to know which session is its own.
        self.transport._handlers[SessionEstablished] = lambda event: self.established.append(event.session)

    def _find(self, asked: PskRequested) -> bytes | None:
        self.asked.append(asked)
        return self.psks.get(asked.identity)

    def _judge(self, presented: Presented) -> CredentialAccepted | CredentialRefusal:
        self.presented.append(presented)
        return self.verdict

    def client(self, *, psk: bytes = PSK, seed: str = "client", address: Address = ADDRESS) -> _Peer:
        return _Peer(self, Client(ClientConfig(IDENTITY, psk), Entropy(seed)), address)

    def take(self) -> list[tuple[bytes, Address]]:
        sent, self.sent = self.sent, []
        return sent


class _Peer:
    def __init__(self, scene: _Scene, client: Client, address: Address) -> None:
        self.scene = scene
        self.client = client
        self.address = address
        self.events: list[object] = []

    def carry(self) -> None:
        """Deliver both ways until the wire is quiet; each way is one batch."""
        now = asyncio.get_running_loop().time()
        while True:
            datagrams = self.client.datagrams_to_send()
            for datagram in datagrams:
                self.scene.transport.receive(datagram, self.address)
            if datagrams:
                self.scene.transport.flush()
            replies = self.scene.take()
            for data, address in replies:
                assert address == self.address
                self.events += self.client.receive_datagram(data, now)
            if not datagrams and not replies:
                return

    def begin(self) -> None:
        """Two hellos, the cookie between them; the flight that answers them is lost."""
        now = asyncio.get_running_loop().time()
        self.client.start(now)
        for is_cookie in (True, False):
            for datagram in self.client.datagrams_to_send():
                self.scene.transport.receive(datagram, self.address)
            self.scene.transport.flush()
            (answer,) = (data for data, address in self.scene.take() if address == self.address)
            if is_cookie:
                self.client.receive_datagram(answer, now)

    def attempt(self) -> None:
        """A handshake, as far as it comes."""
        self.client.start(asyncio.get_running_loop().time())
        self.carry()

    def connect(self) -> Session:
        self.attempt()
        assert self.client.is_established
        return self.scene.established[-1]

    def say(self, data: bytes) -> None:
        self.client.send(data, asyncio.get_running_loop().time())
        self.carry()

    @property
    def received(self) -> list[bytes]:
        return [event.data for event in self.events if isinstance(event, ClientData)]


@virtual_time
async def test_key_is_looked_up_and_data_handed_on(clock: VirtualClock) -> None:
    scene = _Scene()
    peer = scene.client()
    session = peer.connect()
    assert [asked.identity for asked in scene.asked] == [IDENTITY]
    peer.say(b"ping")
    assert scene.data == [(session, b"ping")]
    assert scene.failed == []
    scene.transport.close()


@virtual_time
async def test_answer_within_a_batch_leaves_with_its_flush(clock: VirtualClock) -> None:
    scene = _Scene()
    peer = scene.client()
    session = peer.connect()
    peer.client.send(b"ping", clock.monotonic())
    (datagram,) = peer.client.datagrams_to_send()
    scene.transport.receive(datagram, ADDRESS)
    assert scene.transport.send(session, b"pong")
    await asyncio.sleep(0)
    assert scene.sent == [], "the batch is not over"
    scene.transport.flush()
    peer.carry()
    assert peer.received == [b"pong"]
    scene.transport.close()


@virtual_time
async def test_data_sent_outside_a_batch_leaves_in_the_same_turn_of_the_loop(clock: VirtualClock) -> None:
    scene = _Scene()
    peer = scene.client()
    session = peer.connect()
    for data in (b"1", b"2", b"3"):
        assert scene.transport.send(session, data)
    assert scene.sent == []
    await asyncio.sleep(0)
    assert len(scene.sent) == 3
    peer.carry()
    assert peer.received == [b"1", b"2", b"3"]
    scene.transport.close()


@virtual_time
async def test_identity_is_reached_by_the_newest_session_that_spoke(clock: VirtualClock) -> None:
    scene = _Scene()
    assert scene.transport.find_session(IDENTITY) is None
    old = scene.client()
    first = old.connect()
    assert scene.transport.find_session(IDENTITY) is first, "it is the only one"
    old.say(b"ping")
    new = scene.client(seed="again", address=ELSEWHERE)
    second = new.connect()
    assert scene.transport.find_session(IDENTITY) is first, "the new one is unproven"
    new.say(b"ping")
    assert scene.transport.find_session(IDENTITY) is second
    scene.transport.close()


@virtual_time
async def test_wrong_key_fails_in_silence_and_the_operator_hears_of_it(clock: VirtualClock) -> None:
    scene = _Scene()
    for psk, known in ((b"x" * 16, {IDENTITY: PSK}), (PSK, {})):
        scene.psks = known
        peer = scene.client(psk=psk)
        peer.attempt()
        assert not peer.client.is_established
        await asyncio.sleep(120)
    reasons = [failure.reason for failure in scene.failed]
    assert [failure.identity for failure in scene.failed] == [IDENTITY, IDENTITY]
    assert reasons == [HandshakeFailure.WRONG_KEY, HandshakeFailure.UNKNOWN_IDENTITY]
    scene.transport.close()


@virtual_time
async def test_lost_flight_is_repeated_by_the_timer(clock: VirtualClock) -> None:
    scene = _Scene()
    peer = scene.client()
    peer.begin()
    await asyncio.sleep(1.1)
    assert len(scene.sent) == 1, "the server's flight again"
    peer.carry()
    assert peer.client.is_established
    scene.transport.close()


@virtual_time
async def test_there_is_at_most_one_timer(clock: VirtualClock) -> None:
    scene = _Scene()
    for number in range(20):
        peer = scene.client(seed=str(number), address=Address("192.0.2.1", 1000 + number))
        peer.begin()
        clock.advance(0.01)
    loop = asyncio.get_running_loop()
    assert scene.transport.endpoint.handshake_count == 20
    assert len([handle for handle in loop._scheduled if not handle.cancelled()]) == 1
    await asyncio.sleep(600)
    assert scene.transport.endpoint.handshake_count == 0
    scene.transport.close()
    assert [handle for handle in loop._scheduled if not handle.cancelled()] == []


@virtual_time
async def test_ended_identity_gets_a_close_notify_and_its_owner_is_told(clock: VirtualClock) -> None:
    scene = _Scene()
    peer = scene.client()
    session = peer.connect()
    scene.transport.end_sessions(b"somebody else")
    assert scene.ended == []
    scene.transport.end_sessions(IDENTITY)
    assert scene.ended == [(session, SessionEnd.ENDED)]
    peer.carry()
    assert any(isinstance(event, ClientClosed) for event in peer.events)
    assert not scene.transport.send(session, b"too late")
    scene.transport.close()


@virtual_time
async def test_single_session_ends_with_or_without_a_word(clock: VirtualClock) -> None:
    for notify in (True, False):
        scene = _Scene()
        peer = scene.client()
        session = peer.connect()
        scene.transport.end_session(session, notify)
        assert scene.ended == [(session, SessionEnd.ENDED)]
        assert bool(scene.take()) is notify
        scene.transport.close()


@virtual_time
async def test_peer_that_closes_is_told_of(clock: VirtualClock) -> None:
    scene = _Scene()
    peer = scene.client()
    session = peer.connect()
    peer.client.close(clock.monotonic())
    peer.carry()
    assert scene.ended == [(session, SessionEnd.CLOSE_NOTIFY)]
    scene.transport.close()


@virtual_time
async def test_stop_tells_live_sessions_and_then_is_silent(clock: VirtualClock) -> None:
    scene = _Scene()
    peer = scene.client()
    session = peer.connect()
    scene.transport.close()
    scene.transport.close()
    assert len(scene.sent) == 1
    peer.carry()
    assert any(isinstance(event, ClientClosed) for event in peer.events)
    scene.transport.receive(b"\x16", ADDRESS)
    assert not scene.transport.send(session, b"x")
    await asyncio.sleep(600)
    assert scene.sent == []


@virtual_time
async def test_stop_may_be_silent(clock: VirtualClock) -> None:
    scene = _Scene()
    scene.client().connect()
    scene.transport.close(notify=False)
    assert scene.sent == []


@virtual_time
async def test_device_taken_back_after_the_stop_is_told_nothing(clock: VirtualClock) -> None:
    scene = _Scene()
    session = scene.client().connect()
    scene.transport.close(notify=False)
    scene.transport.end_sessions(IDENTITY)
    assert scene.ended == [(session, SessionEnd.ENDED)]
    assert scene.sent == []
    loop = asyncio.get_running_loop()
    assert [handle for handle in loop._scheduled if not handle.cancelled()] == []


@virtual_time
async def test_flush_due_at_the_stop_does_nothing_afterwards(clock: VirtualClock) -> None:
    scene = _Scene()
    peer = scene.client()
    session = peer.connect()
    assert scene.transport.send(session, b"last word")
    scene.transport.close()
    sent = len(scene.sent)
    await asyncio.sleep(0)
    assert len(scene.sent) == sent == 2, "the last word, the close_notify"


@virtual_time
async def test_moved_session_is_answered_at_its_new_address(clock: VirtualClock) -> None:
    scene = _Scene()
    peer = scene.client()
    session = peer.connect()
    peer.address = ELSEWHERE
    peer.say(b"from elsewhere")
    assert scene.data == [(session, b"from elsewhere")]
    assert session.address == ELSEWHERE
    assert scene.transport.send(session, b"ok")
    await asyncio.sleep(0)
    assert [address for _, address in scene.sent] == [ELSEWHERE]
    scene.transport.close()


@virtual_time
async def test_lookup_is_told_which_host_the_client_means(clock: VirtualClock) -> None:
    scene = _Scene()
    peer = _Peer(
        scene, Client(ClientConfig(IDENTITY, PSK, server_name=b"lwm2m.example"), Entropy("c")), ADDRESS
    )
    peer.connect()
    assert [asked.server_name for asked in scene.asked] == [b"lwm2m.example"]
    scene.transport.close()


class BrokenKeys(dict[bytes, bytes]):
    """A registry with a bug."""

    def get(self, *_: object) -> bytes:
        raise KeyError("broken")


@virtual_time
async def test_lookup_that_fails_is_the_end_of_its_handshake_only(clock: VirtualClock) -> None:
    scene = _Scene()
    scene.psks = BrokenKeys()
    peer = scene.client()
    peer.client.start(clock.monotonic())
    with pytest.raises(KeyError, match="broken"):
        peer.carry()
    scene.transport.flush()
    assert scene.transport.endpoint.handshake_count == 0
    scene.psks = {IDENTITY: PSK}
    other = scene.client(seed="other", address=ELSEWHERE)
    other.attempt()
    assert other.client.is_established
    scene.transport.close()


@virtual_time
async def test_timer_goes_on_after_a_listener_that_fails(clock: VirtualClock) -> None:
    scene = _Scene()
    reported: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    def fail(failure: HandshakeFailed) -> None:
        raise RuntimeError("broken")

    scene.transport._handlers[HandshakeFailed] = fail
    for seed, address in (("first", ADDRESS), ("second", ELSEWHERE)):
        peer = scene.client(seed=seed, address=address)
        peer.begin()
        await asyncio.sleep(10)
    await asyncio.sleep(120)
    assert len(reported) == 2, "each timed out and was reported"
    assert scene.transport.endpoint.handshake_count == 0
    scene.transport.close()


# Certificates and raw public keys

CERTIFIED = EndpointConfig(credential=credential_of(make("gateway")))


def connect_with(scene: _Scene, device: Issued, kind: CertificateType = CertificateType.X509) -> _Peer:
    config = ClientConfig(
        suites=(0xC0AE,),
        credential=credential_of(device),
        client_certificate_types=(kind,),
        server_certificate_types=(kind,),
    )
    peer = _Peer(scene, Client(config, Entropy(kind.name)), ADDRESS)
    peer.attempt()
    return peer


@virtual_time
async def test_judges_say_who_a_certificate_and_a_raw_public_key_are(clock: VirtualClock) -> None:
    scene = _Scene(CERTIFIED)
    scene.verdict = CredentialAccepted(b"meter-7")
    for number, kind in enumerate(CertificateType, 1):
        assert connect_with(scene, make("meter-7"), kind).client.is_established
        assert [session.identity for session in scene.established] == [b"meter-7"] * number
    assert [type(presented) for presented in scene.presented] == [CertificatePresented, RawPublicKeyPresented]


@virtual_time
async def test_who_refuses_tells_of_it_and_the_engine_does_not(clock: VirtualClock) -> None:
    scene = _Scene(CERTIFIED)
    scene.verdict = CredentialRefusal(CredentialFault.NO_DEVICE)
    assert not connect_with(scene, make("meter-7")).client.is_established
    assert len(scene.presented) == 1
    assert scene.failed == []


@virtual_time
async def test_judge_that_fails_is_the_end_of_its_handshake_only(clock: VirtualClock) -> None:
    for kind in CertificateType:
        scene = _Scene(CERTIFIED)
        del scene.verdict
        with pytest.raises(AttributeError, match="verdict"):
            connect_with(scene, make("meter-7"), kind)
        scene.transport.flush()
        assert scene.transport.endpoint.handshake_count == 0
        assert [alert for alert, _ in scene.take()], "the device hears of it"
        scene.verdict = CredentialAccepted(b"meter-7")
        assert connect_with(scene, make("meter-7"), kind).client.is_established


@virtual_time
async def test_without_judges_nobody_comes_with_a_certificate(clock: VirtualClock) -> None:
    scene = _Scene(CERTIFIED, is_judging=False)
    for kind in CertificateType:
        assert not connect_with(scene, make("meter-7"), kind).client.is_established
    assert scene.established == []


@virtual_time
async def test_what_the_engine_refuses_is_told_of(clock: VirtualClock) -> None:
    scene = _Scene(CERTIFIED)
    config = ClientConfig(suites=(0xC0AE,))
    peer = _Peer(scene, Client(config, Entropy("client")), ADDRESS)
    peer.attempt()
    assert [failure.fault for failure in scene.failed] == [CredentialFault.MISSING]
