from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.address import Address
from gateway.lwm2m.errors import DecodeError, RefusalReason, UnsupportedFormat
from gateway.lwm2m.objectlinks import decode_object_links
from gateway.lwm2m.registration import (
    EMPTY_UPDATE,
    Accepted,
    Changed,
    NosecBinding,
    Peer,
    Policy,
    Refused,
    Removed,
    Renewed,
    decide_deregister,
    decide_register,
    decide_update,
    decode_register,
    decode_update,
    find_node_id,
    find_objection,
)
from registry.model import Device, Registration, Security

VECTORS = json.loads((Path(__file__).parents[3] / "vectors/lwm2m/registration-requests.json").read_text())
REGISTERS = [
    vector
    for vector in VECTORS["vectors"]
    if vector["expected"]["code"] == "0.02" and "register" in vector["id"]
]

HOME = Address("192.0.2.7", 5683)
NODE = "meter-7"
PLAIN = Device(1, "d-aaaaaaaaaaaaaaaa", NODE, Security.NONE, 0, 0)
SECURE = replace(PLAIN, security=Security.PSK)
PLAIN_PEER = Peer(None, str(HOME))
SECURE_PEER = Peer(NODE, str(HOME))
POLICY = Policy()
LIST = b"</1/0>,</3/0>"
OBJECTS = decode_object_links(LIST)
PROFILE = decode_object_links(b"</5/0>")


def register(
    *queries: str,
    payload: bytes = LIST,
    peer: Peer = PLAIN_PEER,
    device: Device | None = PLAIN,
    policy: Policy = POLICY,
    **rest: Any,
) -> Accepted | Refused:
    return decide_register(decode_register(queries, 40, payload), peer, device, policy, **rest)


def accepted(*queries: str, **rest: Any) -> Registration:
    decision = register(*queries, **rest)
    assert isinstance(decision, Accepted), decision
    return decision.create_registration("location", 1000)


def reason(decision: object) -> RefusalReason:
    assert isinstance(decision, Refused), decision
    return decision.reason


HELD = accepted(f"ep={NODE}", "lwm2m=1.1", "lt=300", "sms=1", "x=1")


def update(
    *queries: str,
    payload: bytes = b"",
    peer: Peer = PLAIN_PEER,
    registration: Registration | None = HELD,
    device: Device | None = PLAIN,
    policy: Policy = POLICY,
    **rest: Any,
) -> Changed | Renewed | Refused:
    return decide_update(decode_update(queries, 40, payload), peer, registration, device, policy, **rest)


def changes(*queries: str, **rest: Any) -> dict[str, object]:
    before = rest.get("registration", HELD)
    decision = update(*queries, **rest)
    assert isinstance(decision, Changed), decision
    return {
        name: value
        for name in Registration._fields
        if (value := getattr(decision.registration, name)) != getattr(before, name)
    }


class TestRegister:
    def test_everything_sent_is_kept(self) -> None:
        assert accepted(
            f"ep={NODE}", "lwm2m=1.2", "lt=300", "b=U", "Q", "sms=49171", "pid=6:27354b9a", "x=1", "y"
        ) == Registration(
            device=1,
            device_id=PLAIN.device_id,
            node_id=NODE,
            location="location",
            identity=None,
            address="192.0.2.7:5683",
            lwm2m="1.2",
            binding="UQ",
            lifetime_s=300,
            objects=OBJECTS,
            registered_at_ms=1000,
            sms="49171",
            profile_id="6:27354b9a",
            parameters=(("x", "1"), ("y", "")),
        )

    def test_what_is_not_sent_has_its_default(self) -> None:
        registration = accepted(f"ep={NODE}", "lwm2m=1.0")
        assert registration.lifetime_s == 86_400
        assert registration.binding == "U"
        assert registration.sms is registration.profile_id is None
        assert registration.parameters == ()

    def test_empty_sms_is_none(self) -> None:
        assert accepted(f"ep={NODE}", "lwm2m=1.0", "sms=").sms is None

    def test_missing_ep_is_the_identity_of_the_session(self) -> None:
        registration = accepted("lwm2m=1.1", peer=SECURE_PEER, device=SECURE)
        assert registration.node_id == registration.identity == NODE

    def test_version_is_kept_as_sent_and_a_later_minor_has_the_bindings_of_1_2(self) -> None:
        registration = accepted(f"ep={NODE}", "lwm2m=1.3", "b=UMH")
        assert (registration.lwm2m, registration.binding) == ("1.3", "UMH")

    @pytest.mark.parametrize("vector", REGISTERS, ids=lambda vector: vector["id"])
    def test_captured_registers_are_accepted(self, vector: dict) -> None:
        options = vector["expected"]["options"]
        queries = [value for name, value in options if name == "Uri-Query"]
        content_format = next((value for name, value in options if name == "Content-Format"), None)
        payload = vector["expected"]["payload_text"].encode()
        request = decode_register(queries, content_format, payload)
        node_id = request.parameters.node_id or "from-the-session"
        peer = Peer(node_id, str(HOME))
        device = replace(SECURE, node_id=node_id)
        decision = decide_register(request, peer, device, POLICY, known_objects=PROFILE)
        assert isinstance(decision, Accepted), decision
        assert decision.create_registration("x", 0).is_queue_mode is any(
            query in {"Q", "b=UQ"} for query in queries
        )

    def test_queries_may_come_in_any_order(self) -> None:
        queries = [f"ep={NODE}", "lwm2m=1.1", "lt=300", "b=U"]
        assert accepted(*queries) == accepted(*reversed(queries))

    @pytest.mark.parametrize("content_format", [None, 40])
    def test_missing_content_format_is_link_format(self, content_format: int | None) -> None:
        assert decode_register(["lwm2m=1.1"], content_format, LIST).payload == LIST

    @pytest.mark.parametrize("content_format", [0, 60, 110, 11542])
    def test_other_formats_are_refused(self, content_format: int) -> None:
        with pytest.raises(UnsupportedFormat):
            decode_register(["lwm2m=1.1"], content_format, LIST)
        with pytest.raises(UnsupportedFormat):
            decode_update([], content_format, LIST)

    def test_content_format_of_nothing_says_nothing(self) -> None:
        assert decode_update(["lt=60"], 0, b"").parameters.lifetime_s == 60

    def test_missing_version_is_ill_formed(self) -> None:
        with pytest.raises(DecodeError, match="lwm2m"):
            decode_register([f"ep={NODE}"], 40, LIST)

    @pytest.mark.parametrize(
        ("peer", "device", "queries", "expected"),
        [
            (PLAIN_PEER, None, [], RefusalReason.NO_NODE_ID),
            (PLAIN_PEER, None, ["ep=stranger"], RefusalReason.UNKNOWN_DEVICE),
            (PLAIN_PEER, SECURE, [f"ep={NODE}"], RefusalReason.WRONG_SECURITY),
            (PLAIN_PEER, replace(PLAIN, is_frozen=True), [f"ep={NODE}"], RefusalReason.FROZEN),
            (SECURE_PEER, None, [], RefusalReason.UNKNOWN_DEVICE),
            (SECURE_PEER, None, ["ep=other"], RefusalReason.FOREIGN_IDENTITY),
            (SECURE_PEER, PLAIN, ["ep=other"], RefusalReason.FOREIGN_IDENTITY),
            (SECURE_PEER, replace(SECURE, is_frozen=True), [], RefusalReason.FROZEN),
            (SECURE_PEER, PLAIN, [], RefusalReason.WRONG_SECURITY),
        ],
    )
    def test_strangers_are_refused_before_anything_is_read(
        self, peer: Peer, device: Device | None, queries: list[str], expected: RefusalReason
    ) -> None:
        decision = register("lwm2m=9.9", "lt=0", *queries, peer=peer, device=device, payload=b"\xff")
        assert reason(decision) is expected

    def test_node_id_is_ep_or_else_the_identity(self) -> None:
        request = decode_register(["lwm2m=1.1"], None, b"")
        assert find_node_id(request, SECURE_PEER) == NODE
        assert find_node_id(request, PLAIN_PEER) is None
        assert find_node_id(decode_register(["lwm2m=1.1", "ep=x"], None, b""), SECURE_PEER) == "x"

    @pytest.mark.parametrize(
        ("queries", "payload", "expected"),
        [
            (["lwm2m=2.0"], LIST, RefusalReason.UNSUPPORTED_VERSION),
            (["lwm2m=0.9"], LIST, RefusalReason.UNSUPPORTED_VERSION),
            (["lwm2m=1.0", "lt=0"], LIST, RefusalReason.LIFETIME_OUT_OF_BOUNDS),
            (["lwm2m=1.0", "lt=315360001"], LIST, RefusalReason.LIFETIME_OUT_OF_BOUNDS),
            (["lwm2m=1.0", "b=T"], LIST, RefusalReason.MALFORMED),
            (["lwm2m=1.0"], b"/1/0", RefusalReason.MALFORMED),
            (["lwm2m=1.0"], b" " * 20_000, RefusalReason.TOO_LARGE),
            (["lwm2m=1.0"], b"", RefusalReason.NO_OBJECT_LIST),
            (["lwm2m=1.2", "pid=6:12"], b"", RefusalReason.UNKNOWN_PROFILE),
        ],
    )
    def test_content_is_refused(self, queries: list[str], payload: bytes, expected: RefusalReason) -> None:
        assert reason(register(f"ep={NODE}", *queries, payload=payload)) is expected

    @pytest.mark.parametrize("lifetime_s", [1, 315_360_000])
    def test_bounds_of_the_lifetime_are_inside(self, lifetime_s: int) -> None:
        assert accepted(f"ep={NODE}", "lwm2m=1.0", f"lt={lifetime_s}").lifetime_s == lifetime_s

    def test_unlimited_lifetime_is_taken_by_setting_only(self) -> None:
        policy = Policy(min_lifetime_s=60, allow_unlimited=True)
        assert accepted(f"ep={NODE}", "lwm2m=1.0", "lt=0", policy=policy).lifetime_s == 0
        assert reason(register(f"ep={NODE}", "lwm2m=1.0", "lt=59", policy=policy)) is (
            RefusalReason.LIFETIME_OUT_OF_BOUNDS
        )

    def test_default_lifetime_is_not_clamped_either(self) -> None:
        decision = register(f"ep={NODE}", "lwm2m=1.0", policy=Policy(max_lifetime_s=3600))
        assert reason(decision) is RefusalReason.LIFETIME_OUT_OF_BOUNDS

    def test_known_profile_replaces_the_list(self) -> None:
        registration = accepted(f"ep={NODE}", "lwm2m=1.2", "pid=6:12", payload=b"", known_objects=PROFILE)
        assert registration.objects is PROFILE

    def test_known_profile_and_list_are_united(self) -> None:
        registration = accepted(f"ep={NODE}", "lwm2m=1.2", "pid=6:12", known_objects=PROFILE)
        assert [link.path for link in registration.objects.links] == ["/1/0", "/3/0", "/5/0"]

    def test_list_that_the_profile_says_already_stays_the_shared_one(self) -> None:
        registration = accepted(f"ep={NODE}", "lwm2m=1.2", "pid=6:12", known_objects=OBJECTS)
        assert registration.objects is OBJECTS

    def test_list_is_all_without_a_profile(self) -> None:
        assert accepted(f"ep={NODE}", "lwm2m=1.2", known_objects=PROFILE).objects is OBJECTS

    def test_refusal_tells_the_operator_what_was_wrong(self) -> None:
        decision = register(f"ep={NODE}", "lwm2m=1.0", "lt=0")
        assert isinstance(decision, Refused)
        assert decision.text == "lifetime out of bounds: 0 s, allowed are 1 to 315360000 s"
        assert Refused(RefusalReason.FROZEN).text == "device is frozen"


class TestStanding:
    """Who may touch a registration."""

    @pytest.mark.parametrize(
        ("binding", "address", "may"),
        [
            (NosecBinding.IP, HOME, True),
            (NosecBinding.IP, Address("192.0.2.7", 40_000), True),
            (NosecBinding.IP, Address("192.0.2.70", 5683), False),
            (NosecBinding.IP, Address("2001:db8::7", 5683), False),
            (NosecBinding.IP_PORT, HOME, True),
            (NosecBinding.IP_PORT, Address("192.0.2.7", 40_000), False),
            (NosecBinding.LOCATION, Address("198.51.100.1", 1), True),
        ],
    )
    def test_plain_registration_is_held_by_location_and_source(
        self, binding: NosecBinding, address: Address, may: bool
    ) -> None:
        objection = find_objection(Peer(None, str(address)), HELD, PLAIN, Policy(nosec_binding=binding))
        assert (objection is None) is may
        assert may or reason(objection) is RefusalReason.FOREIGN_PEER

    def test_ports_of_ipv6_peers_may_change_too(self) -> None:
        held = HELD._replace(address=str(Address("2001:db8::7", 5683)))
        assert find_objection(Peer(None, str(Address("2001:db8::7", 1))), held, PLAIN, POLICY) is None
        stranger = Peer(None, str(Address("2001:db8::8", 5683)))
        assert reason(find_objection(stranger, held, PLAIN, POLICY)) is RefusalReason.FOREIGN_PEER

    @pytest.mark.parametrize(
        ("identity", "came", "may"),
        [(NODE, NODE, True), (NODE, "other", False), (NODE, None, False), (None, NODE, False)],
    )
    def test_secure_registration_is_held_by_its_identity_from_anywhere(
        self, identity: str | None, came: str | None, may: bool
    ) -> None:
        held = HELD._replace(identity=identity)
        objection = find_objection(Peer(came, str(Address("198.51.100.1", 1))), held, SECURE, POLICY)
        assert (objection is None) is may

    @pytest.mark.parametrize(
        ("registration", "device"),
        [
            (None, None),
            (None, PLAIN),
            (HELD, None),
            (HELD, replace(PLAIN, is_frozen=True)),
            (HELD, replace(PLAIN, number=2)),
        ],
    )
    def test_registration_without_its_device_is_none(
        self, registration: Registration | None, device: Device | None
    ) -> None:
        assert reason(find_objection(PLAIN_PEER, registration, device, POLICY)) is (
            RefusalReason.UNKNOWN_REGISTRATION
        )
        decision = update("lt=1", registration=registration, device=device)
        assert reason(decision) is RefusalReason.UNKNOWN_REGISTRATION

    def test_deregister_needs_standing_only(self) -> None:
        assert decide_deregister(PLAIN_PEER, HELD, PLAIN, POLICY) is Removed.REMOVED
        stranger = Peer(None, str(Address("198.51.100.1", 1)))
        assert reason(decide_deregister(stranger, HELD, PLAIN, POLICY)) is RefusalReason.FOREIGN_PEER


class TestUpdate:
    def test_empty_update_renews(self) -> None:
        assert decode_update([], None, b"") is EMPTY_UPDATE
        assert update() is Renewed.RENEWED

    @pytest.mark.parametrize(
        ("queries", "payload"),
        [
            (["lt=300"], b""),
            (["b=U"], b""),
            (["sms=1", "x=1"], b""),
            ([f"ep={NODE}", "lwm2m=1.1"], b""),
            ([""], b""),
            ([], LIST),
            (["lt=300", "b=U"], LIST),
        ],
    )
    def test_update_that_says_what_is_known_renews(self, queries: list[str], payload: bytes) -> None:
        assert update(*queries, payload=payload) is Renewed.RENEWED

    @pytest.mark.parametrize(
        ("queries", "expected"),
        [
            (["lt=60"], {"lifetime_s": 60}),
            (["b=UT"], {"binding": "UT"}),
            (["Q"], {"binding": "UQ"}),
            (["sms=2"], {"sms": "2"}),
            (["sms="], {"sms": None}),
            (["x=2"], {"parameters": (("x", "2"),)}),
            (["y=2"], {"parameters": (("x", "1"), ("y", "2"))}),
            (["lt=60", "b=U", "sms=2"], {"lifetime_s": 60, "sms": "2"}),
        ],
    )
    def test_update_changes_only_what_it_carries(
        self, queries: list[str], expected: dict[str, object]
    ) -> None:
        assert changes(*queries) == expected

    def test_list_is_complete(self) -> None:
        assert changes(payload=b"</5/0>") == {"objects": PROFILE}

    def test_change_brings_the_address_along(self) -> None:
        moved = Peer(None, str(Address("192.0.2.7", 40_000)))
        assert changes("lt=60", peer=moved) == {"lifetime_s": 60, "address": "192.0.2.7:40000"}

    def test_profile_is_replaced_with_what_it_stands_for(self) -> None:
        assert changes("pid=6:12", known_objects=PROFILE) == {"profile_id": "6:12", "objects": PROFILE}
        assert changes("pid=6:12", payload=LIST) == {"profile_id": "6:12"}
        assert reason(update("pid=6:12")) is RefusalReason.UNKNOWN_PROFILE

    @pytest.mark.parametrize(
        ("queries", "payload", "expected"),
        [
            (["lt=0"], b"", RefusalReason.LIFETIME_OUT_OF_BOUNDS),
            (["b=M"], b"", RefusalReason.MALFORMED),
            (["ep=other"], b"", RefusalReason.MALFORMED),
            (["lwm2m=1.2"], b"", RefusalReason.MALFORMED),
            (["lt=60"], b"</70000>", RefusalReason.MALFORMED),
            ([f"y{number}" for number in range(16)], b"", RefusalReason.MALFORMED),
        ],
    )
    def test_refused_part_refuses_all(
        self, queries: list[str], payload: bytes, expected: RefusalReason
    ) -> None:
        assert reason(update(*queries, payload=payload)) is expected

    def test_version_1_0_says_all_in_b(self) -> None:
        held = HELD._replace(lwm2m="1.0", binding="UQ")
        assert changes("b=U", registration=held) == {"binding": "U"}
        assert update("b=U", registration=held._replace(lwm2m="1.1")) is Renewed.RENEWED
