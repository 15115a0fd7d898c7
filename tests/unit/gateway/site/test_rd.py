from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from aiocoap import Message
from aiocoap.numbers.codes import Code

from gateway.address import Address
from gateway.lwm2m.registration import NosecBinding, Policy
from gateway.messaging.format import decode_request
from gateway.messaging.handling import Response
from gateway.messaging.pending import Pending
from gateway.site.rd import RegistrationDirectory, draw_locations
from registry.model import Security
from registry.outcomes import CommitFailure
from tests.support.fake_registry import FakeRegistry
from tests.support.requests import HOME, OBJECT_LIST, FakeRemote, answer_of, collect, request

VECTORS = json.loads((Path(__file__).parents[3] / "vectors/lwm2m/registration-requests.json").read_text())
NODE = "meter-7"
REGISTER = (f"ep={NODE}", "lwm2m=1.1", "lt=300")


class Clock:
    def monotonic(self) -> float:
        return 0.0

    def wall_ms(self) -> int:
        return 1_700_000_000_000


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def locations() -> Iterator[str]:
    return (f"location-{number}" for number in range(1, 100))


@pytest.fixture
def directory(registry: FakeRegistry, locations: Iterator[str]) -> RegistrationDirectory:
    return RegistrationDirectory(registry, Policy(), Clock(), lambda _: None, lambda: next(locations))


def send(directory: RegistrationDirectory, code: Code, path: str, *rest: object, **more: object) -> Message:
    return answer_of(directory.handle(request(code, path, *rest, **more)))


def register(directory: RegistrationDirectory, *queries: str, **more: object) -> Message:
    more.setdefault("payload", OBJECT_LIST)
    return send(directory, Code.POST, "rd", queries or REGISTER, **more)


def test_accepted_register_is_told_its_location(
    directory: RegistrationDirectory, registry: FakeRegistry
) -> None:
    device = registry.add(NODE)
    answer = register(directory)
    assert answer.code == Code.CREATED
    assert answer.opt.location_path == ("rd", "location-1")
    assert answer.payload == b""
    stored = registry.registrations["location-1"]
    assert (stored.device, stored.device_id, stored.node_id) == (device.number, device.device_id, NODE)
    assert (stored.address, stored.identity) == ("192.0.2.7:5683", None)
    assert (stored.lifetime_s, stored.registered_at_ms) == (300, 1_700_000_000_000)


def test_register_is_answered_after_its_commit_only(
    directory: RegistrationDirectory, registry: FakeRegistry
) -> None:
    registry.add(NODE)
    registry.is_deferred = True
    answers = collect(directory.handle(request(Code.POST, "rd", REGISTER, payload=OBJECT_LIST)))
    assert answers() == []
    registry.flush()
    assert [answer.code for answer in answers()] == [Code.CREATED]


def test_newest_register_wins_with_a_new_location(
    directory: RegistrationDirectory, registry: FakeRegistry
) -> None:
    registry.add(NODE)
    register(directory)
    register(directory)
    assert list(registry.registrations) == ["location-2"]


def test_session_without_ep_registers_its_identity(
    directory: RegistrationDirectory, registry: FakeRegistry
) -> None:
    registry.add(NODE, Security.PSK)
    assert register(directory, "lwm2m=1.1", identity=NODE).code == Code.CREATED
    assert registry.registrations["location-1"].identity == NODE


def test_location_is_132_random_bits_in_22_url_safe_characters() -> None:
    locations = set(islice(draw_locations(), 100))
    assert len(locations) == 100
    for location in locations:
        assert len(location) == 22
        assert location.replace("-", "").replace("_", "").isalnum()


def test_empty_update_renews_and_is_answered_at_once(
    directory: RegistrationDirectory, registry: FakeRegistry
) -> None:
    registry.add(NODE)
    register(directory)
    registry.is_deferred = True
    moved = Address("192.0.2.7", 40_000)
    answer = directory.handle(request(Code.POST, "rd/location-1", address=moved))
    assert answer == Response(Code.CHANGED)
    assert registry.calls[-1][0] == "renew 192.0.2.7:40000"


def test_update_that_repeats_what_is_known_is_no_change(
    directory: RegistrationDirectory, registry: FakeRegistry
) -> None:
    registry.add(NODE)
    register(directory)
    answer = send(directory, Code.POST, "rd/location-1", ["lt=300", "b=U"], payload=OBJECT_LIST)
    assert answer.code == Code.CHANGED
    assert registry.calls[-1][0].startswith("renew")


def test_update_that_changes_something_waits_for_its_commit(
    directory: RegistrationDirectory, registry: FakeRegistry
) -> None:
    registry.add(NODE)
    register(directory)
    registry.is_deferred = True
    answers = collect(directory.handle(request(Code.POST, "rd/location-1", ["lt=60"])))
    assert answers() == []
    registry.flush()
    assert [answer.code for answer in answers()] == [Code.CHANGED]
    assert registry.calls[-1] == ("change", registry.registrations["location-1"])
    assert registry.registrations["location-1"].lifetime_s == 60


def test_deregister_waits_for_its_commit(directory: RegistrationDirectory, registry: FakeRegistry) -> None:
    registry.add(NODE)
    register(directory)
    registry.is_deferred = True
    answers = collect(directory.handle(request(Code.DELETE, "rd/location-1")))
    assert answers() == []
    registry.flush()
    assert [answer.code for answer in answers()] == [Code.DELETED]
    assert registry.registrations == {}


@pytest.mark.parametrize("path", ["", "3/0", "dp", "bs", ".well-known/core", "RD", "rdx"])
@pytest.mark.parametrize("code", [Code.GET, Code.POST, Code.DELETE])
def test_other_paths_are_left_to_others(directory: RegistrationDirectory, code: Code, path: str) -> None:
    assert directory.handle(request(code, path)) is None


def test_renewal_goes_on_while_the_disk_does_not(
    directory: RegistrationDirectory, registry: FakeRegistry
) -> None:
    registry.add(NODE)
    register(directory)
    registry.is_overloaded = True
    registry.failure = CommitFailure.STORAGE
    assert send(directory, Code.POST, "rd/location-1").code == Code.CHANGED


def test_location_policy_lets_the_address_change(registry: FakeRegistry) -> None:
    registry.add(NODE)
    directory = RegistrationDirectory(
        registry, Policy(nosec_binding=NosecBinding.LOCATION), Clock(), lambda _: None, lambda: "location-1"
    )
    register(directory)
    elsewhere = Address("2001:db8::7", 5683)
    assert send(directory, Code.POST, "rd/location-1", address=elsewhere).code == Code.CHANGED


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["id"])
def test_captured_datagrams_are_served(
    directory: RegistrationDirectory, registry: FakeRegistry, vector: dict
) -> None:
    queries = dict(
        value.partition("=")[::2] for name, value in vector["expected"]["options"] if name == "Uri-Query"
    )
    node_id = queries.get("ep", NODE)
    registry.add(node_id, Security.PSK)
    register(directory, "lwm2m=1.2", "pid=6:27354b9a", identity=node_id)
    registry.registrations["5a3f"] = registry.registrations.pop("location-1")._replace(location="5a3f")
    request, _, _ = decode_request(bytes.fromhex(vector["hex"]), FakeRemote(node_id, HOME))
    expected = {"register": Code.CREATED, "update": Code.CHANGED, "deregister": Code.DELETED}
    operation = next(name for name in ("deregister", "register", "update") if name in vector["id"])
    assert answer_of(directory.handle(request)).code == expected[operation]


class TestProfiles:
    """Object lists by reference."""

    def test_profile_outlives_the_registration_that_told_it(
        self, directory: RegistrationDirectory, registry: FakeRegistry
    ) -> None:
        registry.add(NODE)
        register(directory, *REGISTER, "pid=6:12")
        send(directory, Code.DELETE, "rd/location-1")
        assert register(directory, *REGISTER, "pid=6:12", payload=b"").code == Code.CREATED
        assert [link.path for link in registry.registrations["location-2"].objects.links] == ["/1/0", "/3/0"]

    def test_list_beside_a_known_profile_is_added_to_it(
        self, directory: RegistrationDirectory, registry: FakeRegistry
    ) -> None:
        registry.add(NODE)
        register(directory, *REGISTER, "pid=6:12")
        register(directory, *REGISTER, "pid=6:12", payload=b"</4/0>")
        objects = registry.registrations["location-2"].objects
        assert [link.path for link in objects.links] == ["/1/0", "/3/0", "/4/0"]

    def test_update_tells_a_profile_too(
        self, directory: RegistrationDirectory, registry: FakeRegistry
    ) -> None:
        registry.add(NODE)
        register(directory)
        path = "rd/location-1"
        assert send(directory, Code.POST, path, ["pid=oma:a"]).code == Code.CONFLICT
        assert send(directory, Code.POST, path, ["pid=oma:a"], payload=b"</5/0>").code == Code.CHANGED
        assert register(directory, *REGISTER, "pid=oma:a", payload=b"").code == Code.CREATED
        assert [link.path for link in registry.registrations["location-2"].objects.links] == ["/5/0"]


class TestRefusals:
    """What the operator reads."""

    def test_stranger_is_reported_under_what_it_claims(
        self, directory: RegistrationDirectory, registry: FakeRegistry
    ) -> None:
        register(directory)
        assert registry.refusals == [(NODE, "192.0.2.7:5683", "unknown node ID")]

    def test_session_is_reported_under_what_it_proved(
        self, directory: RegistrationDirectory, registry: FakeRegistry
    ) -> None:
        registry.add("other", Security.PSK)
        register(directory, identity="other")
        assert registry.refusals == [
            ("other", "192.0.2.7:5683", "node ID is not that of the session: ep is meter-7")
        ]

    def test_ill_formed_register_is_reported_under_its_first_ep(
        self, directory: RegistrationDirectory, registry: FakeRegistry
    ) -> None:
        register(directory, f"ep={NODE}", "lt=1")
        register(directory, "lt=1")
        assert registry.refusals == [
            (NODE, "192.0.2.7:5683", "malformed request: lwm2m is missing"),
            ("", "192.0.2.7:5683", "malformed request: lwm2m is missing"),
        ]

    def test_refused_update_is_reported_under_the_device_of_its_location(
        self, directory: RegistrationDirectory, registry: FakeRegistry
    ) -> None:
        registry.add(NODE)
        register(directory)
        elsewhere = Address("198.51.100.1", 1)
        send(directory, Code.POST, "rd/location-1", address=elsewhere)
        send(directory, Code.DELETE, "rd/location-1", address=elsewhere)
        assert registry.refusals == 2 * [
            (
                NODE,
                "198.51.100.1:1",
                "registration belongs to another identity or address: registered from 192.0.2.7:5683",
            )
        ]

    def test_unknown_location_is_no_news(
        self, directory: RegistrationDirectory, registry: FakeRegistry
    ) -> None:
        send(directory, Code.POST, "rd/unknown")
        send(directory, Code.DELETE, "rd/unknown")
        assert registry.refusals == []

    def test_refused_register_leaves_nothing_behind(
        self, directory: RegistrationDirectory, registry: FakeRegistry
    ) -> None:
        registry.add(NODE)
        register(directory, *REGISTER, "pid=6:12", payload=b"")
        assert registry.calls == []
        assert registry.registrations == {}


def test_pending_answer_is_a_pending_of_the_message_layer(
    directory: RegistrationDirectory, registry: FakeRegistry
) -> None:
    registry.add(NODE)
    assert isinstance(directory.handle(request(Code.POST, "rd", REGISTER, payload=OBJECT_LIST)), Pending)
