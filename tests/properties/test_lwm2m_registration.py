"""Register and Update: any input is a value or a `DecodeError`; decisions keep their promises."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.address import Address
from gateway.lwm2m.binding import check_binding, register_binding, update_binding
from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.nodeid import find_malformed_urn
from gateway.lwm2m.parameters import decode_parameters
from gateway.lwm2m.profiles import decode_profile_ids
from gateway.lwm2m.registration import (
    Accepted,
    Changed,
    Peer,
    Policy,
    Refused,
    Renewed,
    decide_register,
    decide_update,
    decode_register,
    decode_update,
)
from gateway.lwm2m.versions import Version, decode_version
from registry.model import Device, Security

POLICY = Policy()
HOME = Address("192.0.2.7", 5683)

names = st.sampled_from(["ep", "lt", "lwm2m", "b", "Q", "sms", "pid", "x", "", "et"])
values = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["1.0", "1.1", "1.2", "1.7", "2.0", "U", "UQ", "SUN", "60", "0", "6:1234abcd", "meter"]),
)
queries = st.lists(st.builds("{}={}".format, names, values) | names | st.text(max_size=20), max_size=8)
payloads = st.sampled_from([b"", b"</1/0>,</3/0>", b"</5/0>", b"broken"]) | st.binary(max_size=30)
content_formats = st.none() | st.sampled_from([40, 0, 110])
peers = st.builds(
    Peer,
    st.none() | st.just("meter"),
    st.sampled_from([HOME, HOME._replace(port=1), Address("2001:db8::1", 1)]).map(str),
)
devices = st.none() | st.builds(
    Device,
    number=st.integers(1, 2),
    device_id=st.just("d-1"),
    node_id=st.just("meter"),
    security=st.sampled_from([Security.NONE, Security.PSK]),
    timeout_s=st.just(0),
    created_at_ms=st.just(0),
    is_frozen=st.booleans(),
)


@given(queries)
def test_any_queries_are_parameters_or_a_decode_error(sent: list[str]) -> None:
    try:
        parameters = decode_parameters(sent)
    except DecodeError:
        return
    assert parameters.node_id != ""
    assert (parameters.version is None) == (parameters.lwm2m is None)


@given(
    st.dictionaries(st.sampled_from(["et", "x", "vendor"]), st.text("abc=1", max_size=9)),
    st.integers(0, 10**10 - 1),
)
def test_parameters_survive_being_sent(vendor: dict[str, str], lifetime_s: int) -> None:
    sent = [f"lt={lifetime_s}", *(f"{name}={value}" for name, value in vendor.items())]
    parameters = decode_parameters(sent)
    assert parameters.lifetime_s == lifetime_s
    assert dict(parameters.vendor) == vendor


@given(st.text(max_size=40) | st.from_regex(r"urn:(imei|uuid|dev:os|nai|extid):.{0,20}", fullmatch=True))
def test_any_text_is_a_node_id_or_names_its_form(text: str) -> None:
    prefix = find_malformed_urn(text)
    assert prefix is None or text.lower().startswith(prefix)


@given(st.text("0123456789.-v", max_size=12))
def test_any_text_is_a_version_or_a_decode_error(text: str) -> None:
    try:
        version = decode_version(text)
    except DecodeError:
        return
    assert tuple(map(int, text.split("."))) == version


@given(st.text('"0123456789abcdef:,omav-', max_size=20))
def test_any_text_is_profile_ids_or_a_decode_error(text: str) -> None:
    try:
        ids = decode_profile_ids(text)
    except DecodeError:
        return
    assert ",".join(ids) == text.strip('"')


@given(st.text("UTSNMHQX", max_size=8), st.booleans(), st.integers(0, 4))
def test_stored_bindings_stay_well_formed(binding: str, is_queue_mode: bool, minor: int) -> None:
    version = Version(1, minor)
    try:
        stored = register_binding(binding, is_queue_mode, version)
    except DecodeError:
        return
    check_binding(stored, version)
    assert ("Q" in stored) == (is_queue_mode or "Q" in binding)
    assert update_binding(stored, None, False, version) == stored


@given(queries, content_formats, payloads, peers, devices)
def test_only_a_device_of_its_own_identity_and_security_is_accepted(
    sent: list[str], content_format: int | None, payload: bytes, peer: Peer, device: Device | None
) -> None:
    try:
        request = decode_register(sent, content_format, payload)
    except DecodeError:
        return
    if request.parameters.node_id not in (None, "meter"):
        device = None
    decision = decide_register(request, peer, device, POLICY)
    if isinstance(decision, Refused):
        return
    assert isinstance(decision, Accepted)
    assert device is not None
    assert not device.is_frozen
    assert (device.security is Security.NONE) == (peer.identity is None)
    assert request.parameters.node_id in (peer.identity, "meter")
    registration = decision.create_registration("location", 0)
    assert registration.identity == peer.identity
    assert POLICY.min_lifetime_s <= registration.lifetime_s <= POLICY.max_lifetime_s


@given(queries, content_formats, payloads, peers, devices)
def test_update_changes_something_or_nothing_and_says_which(
    sent: list[str], content_format: int | None, payload: bytes, peer: Peer, device: Device | None
) -> None:
    home = Device(1, "d-1", "meter", Security.NONE, 0, 0)
    accepted = decide_register(
        decode_register(["ep=meter", "lwm2m=1.1"], 40, b"</1/0>,</3/0>"), Peer(None, str(HOME)), home, POLICY
    )
    assert isinstance(accepted, Accepted)
    held = accepted.create_registration("location", 0)
    try:
        request = decode_update(sent, content_format, payload)
    except DecodeError:
        return
    decision = decide_update(request, peer, held, device, POLICY)
    if isinstance(decision, Refused):
        return
    assert device is not None
    assert device.number == held.device
    assert peer.identity is None
    assert peer.address.startswith(f"{HOME.host}:")
    if isinstance(decision, Changed):
        again = decide_update(request, peer, decision.registration, device, POLICY)
        assert again is Renewed.RENEWED
        assert decision.registration.location == held.location
        assert decision.registration.node_id == held.node_id
