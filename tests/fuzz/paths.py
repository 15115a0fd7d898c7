"""Targets above the decoders: a walk through an endpoint's states, and two roles on a wire that lies.

Each input is a datagram that no honest peer or network made so, or one that stands where none may.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from random import Random

from gateway.dtls.client import Client, ClientState
from gateway.dtls.events import (
    ClientClosed,
    ClientData,
    ClientEstablished,
    ClientFailed,
    CredentialAccepted,
)
from gateway.dtls.extensions import CertificateType
from gateway.dtls.refusal import CredentialFault, CredentialRefusal
from gateway.dtls.settings import CbcPolicy, ClientConfig, EndpointConfig
from gateway.dtls.suites import PREFERRED_SUITES, SUITES
from tests.fuzz import recorded
from tests.fuzz.credentials import DEVICE, DEVICE_IDENTITY, GATEWAY
from tests.fuzz.mutation import mutate
from tests.fuzz.target import Escape, Target, Tried
from tests.fuzz.walk import FREQUENT, LIMITS, STORED, Broken, Walk
from tests.support.dtls_pair import IDENTITY, PSK, Pair, Server

STEPS_A_WALK = 150

_CERTIFICATE_TYPES = (
    (CertificateType.X509,),
    (CertificateType.RAW_PUBLIC_KEY,),
    (CertificateType.RAW_PUBLIC_KEY, CertificateType.X509),
)

_ENDPOINTS = LIMITS, STORED, STORED, EndpointConfig(cid_length=1), EndpointConfig(cid_length=0)
_CLIENT_EVENTS = (ClientEstablished, ClientData, ClientFailed, ClientClosed)


def targets() -> list[Target]:
    """Both."""
    return [EndpointStates(), LyingWire()]


class EndpointStates:
    """See `walk`."""

    name = "endpoint states"
    weight = 220

    def run(self, random: Random, inputs: int) -> Tried:
        outcomes: Counter[str] = Counter()
        tried = 0
        while tried < inputs:
            walk = Walk(random.choice(_ENDPOINTS))
            self._go(walk, random)
            tried += walk.inputs
            outcomes["sessions"] += walk.server.count("handshakes_completed")
        return Tried(tried, outcomes)

    def try_corpus(self) -> Tried:
        return self.run(Random(1), 1)

    def _go(self, walk: Walk, random: Random) -> None:
        for _ in range(STEPS_A_WALK):
            kind = random.choice(FREQUENT)
            try:
                walk.step(kind, random)
            except Exception as error:
                raise Escape(walk.sent[-1], f"step {kind}: {type(error).__name__}: {error}") from error


class LyingWire:
    """A client and an endpoint of ours, on a wire that changes, drops, doubles and invents datagrams.

    However bad it was: nothing is raised, nobody is told what was not said, and on an honest wire
    the next client of that endpoint connects.
    """

    name = "lying wire"
    weight = 150

    def run(self, random: Random, inputs: int) -> Tried:
        outcomes: Counter[str] = Counter()
        tried = 0
        while tried < inputs:
            wire = _Wire(random)
            try:
                outcomes["established" if wire.live() else "not established"] += 1
            except Exception as error:
                raise Escape(wire.last, f"{type(error).__name__}: {error}") from error
            tried += wire.inputs
        return Tried(tried, outcomes)

    def try_corpus(self) -> Tried:
        return self.run(Random(1), 1)


class _Wire:
    """One life of a client, perhaps a second one that resumes the first, and what comes after it."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.badness = random.choice((0.05, 0.15, 0.4))
        self.inputs = 0
        self.last = b""
        self.said: set[bytes] = set()
        self.server = Server(_endpoint_config(random), is_resuming=random.random() < 0.8)
        if random.random() < 0.2:
            refusal = CredentialRefusal(random.choice(list(CredentialFault)))
            self.server.judge = lambda presented: refusal
        else:
            self.server.judge = lambda presented: CredentialAccepted(DEVICE_IDENTITY)

    def live(self) -> bool:
        """Connect, talk, leave; gives whether it came to a session."""
        config = _client_config(self.random)
        client = self._live(config)
        if client.resumable is not None and self.random.random() < 0.5:
            self._live(replace(config, resumable=client.resumable))
        return client.resumable is not None or client.state is not ClientState.FAILED

    def _live(self, config: ClientConfig) -> Client:
        random = self.random
        pair = Pair(config, server=self.server, seed=str(random.random()))
        pair.to_server = self._lie(recorded.datagrams("c2s"))
        pair.to_client = self._lie(recorded.datagrams("s2c"))
        pair.start()
        for _ in range(random.randrange(4, 12)):
            pair.exchange()
            if pair.client.is_established:
                data = random.randbytes(random.randrange(1, 40))
                self.said.add(data)
                pair.client.send(data, pair.now)
                pair.exchange()
            for session in pair.server.sessions:
                pair.server.send(session, b"answer")
            pair.pass_time(random.choice((0.1, 1.1, 5.0)))
        if pair.client.is_established and random.random() < 0.5:
            pair.client.close(pair.now)
            pair.exchange()
        self._check(pair)
        return pair.client

    def _check(self, pair: Pair) -> None:
        for event in pair.client_events:
            _require(isinstance(event, _CLIENT_EVENTS), f"a client was told of {event!r}")
        _require(set(self.server.received) <= self.said, "the server was told what nobody said")
        _require(set(pair.client_received) <= {b"answer"}, "the client was told what nobody said")
        self.said.add(b"after")
        after = Pair(ClientConfig(IDENTITY, PSK), server=self.server, address=pair.address, seed="after")
        after.handshake()
        after.say(b"after")
        _require(self.server.received[-1:] == [b"after"], "an honest client is not heard")

    def _lie(self, foreign: tuple[bytes, ...]) -> Callable[[bytes], Iterable[bytes]]:
        earlier: list[bytes] = [b"\x16"]

        def lie(datagram: bytes) -> Iterable[bytes]:
            random = self.random
            earlier.append(datagram)
            arriving = [datagram]
            if random.random() < self.badness:
                changed = mutate(datagram, random, earlier)
                arriving = random.choice(([changed], [changed, datagram], [datagram, changed]))
                self.inputs += 1
            if random.random() < self.badness / 2:
                arriving.append(mutate(random.choice(random.choice((earlier, foreign))), random, earlier))
                self.inputs += 1
            if random.random() < self.badness / 4:
                arriving = arriving[1:]
            for each in arriving:
                self.last = each
                yield each

        return lie


def _client_config(random: Random) -> ClientConfig:
    """Any client that the engine can be."""
    # A public key operation costs as much as ten inputs: most clients do without.
    cheap = [number for number in PREFERRED_SUITES if not SUITES[number].key_exchange.is_ephemeral]
    suites = cheap if random.random() < 0.7 else PREFERRED_SUITES
    types = random.choice(_CERTIFICATE_TYPES), random.choice(_CERTIFICATE_TYPES)
    return ClientConfig(
        IDENTITY,
        PSK if random.random() < 0.9 else b"wrong",
        suites=tuple(random.sample(suites, random.randrange(1, len(suites) + 1))),
        credential=random.choice((None, DEVICE, DEVICE)),
        client_certificate_types=types[0],
        server_certificate_types=types[1],
        server_name=random.choice((None, b"gateway.example")),
        encrypt_then_mac=random.random() < 0.5,
        cid=random.choice((None, b"", b"c", b"client-id")),
        return_routability=random.random() < 0.5,
        extended_master_secret=random.random() < 0.8,
        max_fragment_length=random.choice((None, None, 512)),
        record_size_limit=random.choice((None, None, 64, 600)),
        mtu_bytes=random.choice((256, 1_200)),
    )


def _endpoint_config(random: Random) -> EndpointConfig:
    return EndpointConfig(
        cid_length=random.choice((0, 1, 8)),
        cbc=random.choice(list(CbcPolicy)),
        credential=random.choice((None, GATEWAY, GATEWAY)),
        mtu_bytes=random.choice((256, 1_200)),
    )


def _require(is_so: bool, what: str) -> None:
    if not is_so:
        raise Broken(what)
