"""The endpoint as a state machine: hypothesis picks the steps, and shortens the way to what goes wrong."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.dtls.events import ApplicationData
from tests.fuzz.walk import FREQUENT, LIMITS, STEPS, STORED, Walk
from tests.support.dtls_pair import only


class EndpointMachine(RuleBasedStateMachine):
    """Any step may follow any other; what must hold is checked after each."""

    config = LIMITS

    def __init__(self) -> None:
        super().__init__()
        self.walk = Walk(self.config)

    @rule(kind=st.sampled_from(sorted(STEPS)), seed=st.integers(0, 1 << 32))
    def step(self, kind: str, seed: int) -> None:
        self.walk.step(kind, Random(seed))

    @rule(seed=st.integers(0, 1 << 32))
    def live_on(self, seed: int) -> None:
        random = Random(seed)
        for _ in range(10):
            self.walk.step(random.choice(FREQUENT), random)

    @invariant()
    def promises_hold(self) -> None:
        self.walk.check()

    def teardown(self) -> None:
        """Whatever happened, honest clients connect once the others have fallen silent."""
        walk = self.walk
        # A record that is held until then would make its session a young one.
        walk.store_all()
        walk.server.pass_time(walk.config.stale_s + 1)
        walk.check()
        walk.server.is_answering = True
        for number in range(walk.config.max_sessions):
            client = walk.new_client_at(number)
            client.hello = replace(client.hello, random=bytes((200 + number,)) * 32)
            # What its forerunners were still told: sessions that make room are closed.
            walk.server.take(client.address)
            client.connect()
            events = client.say(b"still served")
            walk.store_all()
            assert only(ApplicationData, [*events, *walk.server.events])


class CrashingEndpointMachine(EndpointMachine):
    """The same with sessions that outlive the process, which ends now and then."""

    config = STORED


TestEndpointMachine: Any = EndpointMachine.TestCase
TestEndpointMachine.settings = settings(max_examples=100, stateful_step_count=30)
TestCrashingEndpointMachine: Any = CrashingEndpointMachine.TestCase
TestCrashingEndpointMachine.settings = TestEndpointMachine.settings
