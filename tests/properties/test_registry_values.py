"""Names, secrets and encodings: a value or `InvalidValue`, and back again unchanged."""

import json

from hypothesis import given
from hypothesis import strategies as st

from registry.errors import InvalidValue, KeyUnusable
from registry.events import EVENT_DATA, EventType
from registry.identifiers import check_node_id, is_device_id, make_device_id, parse_secret
from registry.model import Device, ObjectLink, ObjectList, Security
from registry.outbox import encode_changed, encode_registered
from registry.refusals import clean
from registry.registrations import decode_objects, encode_objects
from registry.sealing import Sealer, parse_key
from tests.support.registry import make_registration

DEVICE = Device(1, "d-1", "n", Security.PSK, 0, 0)
LINKS = st.builds(
    ObjectLink,
    st.integers(0, 65_534),
    st.none() | st.integers(0, 65_534),
    st.none() | st.text(max_size=5),
)
OBJECT_LISTS = st.builds(
    ObjectList,
    st.lists(LINKS, max_size=6).map(tuple),
    st.text(max_size=8),
    st.lists(st.integers(0, 65_535), max_size=4).map(tuple),
)


@given(st.text())
def test_node_id_is_sound_or_refused_in_one_line(text):
    words = []
    try:
        check_node_id(text)
    except InvalidValue as refused:
        words.append(str(refused))
    if words:
        assert "\n" not in words[0]
    else:
        assert 1 <= len(text.encode()) <= 128
        assert not is_device_id(text)


@given(st.binary(min_size=10, max_size=10))
def test_device_ids_are_unlike_any_node_id(entropy):
    assert is_device_id(make_device_id(entropy))


@given(st.text() | st.binary(max_size=70).map(bytes.hex))
def test_secret_is_its_hex_or_refused(text):
    try:
        secret = parse_secret(text)
    except InvalidValue:
        return
    assert secret.hex() == text.lower()
    assert 8 <= len(secret) <= 64


@given(st.text() | st.binary(min_size=31, max_size=33).map(bytes.hex))
def test_key_is_its_hex_or_unusable(text):
    try:
        key = parse_key(text, "here")
    except KeyUnusable:
        return
    assert key.hex() == text.strip().lower()


@given(st.binary(min_size=32, max_size=32), st.binary(), st.text(), st.binary(min_size=12, max_size=12))
def test_sealed_secret_opens_unchanged(key, secret, device_id, nonce):
    device_id = device_id.encode("utf-8", "replace").decode()
    assert Sealer(key).unseal(Sealer(key).seal(secret, device_id, nonce), device_id) == secret


@given(st.binary(max_size=80))
def test_any_bytes_unseal_or_are_refused(sealed):
    try:
        Sealer(bytes(32)).unseal(sealed, "d-1")
    except KeyUnusable:
        return
    raise AssertionError("nobody sealed this")


@given(OBJECT_LISTS)
def test_object_lists_survive_their_encoding(objects):
    assert decode_objects(encode_objects(objects)) == objects


@given(OBJECT_LISTS, OBJECT_LISTS)
def test_encoding_is_canonical(first, second):
    assert (encode_objects(first) == encode_objects(second)) == (first == second)


@given(location=st.text(), address=st.text(), lwm2m=st.text(), binding=st.text(), lifetime_s=st.integers(0))
def test_written_out_json_is_json(**values):
    data = json.loads(
        encode_registered(make_registration(DEVICE, **(values | {"location": "x" + values["location"]})))
    )
    assert data == {
        "location": "/rd/x" + values["location"],
        "address": values["address"],
        "lwm2m": values["lwm2m"],
        "binding": values["binding"],
        "lifetime": values["lifetime_s"],
    }


@given(
    binding=st.sampled_from(["U", "UQ"]),
    lifetime_s=st.sampled_from([300, 301]),
    sms=st.none() | st.text(),
    parameters=st.lists(st.tuples(st.text(), st.text()), max_size=2).map(tuple),
)
def test_changed_fields_are_documented_ones_that_differ(**values):
    before = make_registration(DEVICE)
    after = before._replace(**values)
    changed = json.loads(encode_changed(before, after))
    assert set(changed) <= set(EVENT_DATA[EventType.REGISTRATION_CHANGED])
    assert (changed == {}) == (before == after)


@given(st.text(), st.integers(0, 300))
def test_texts_of_peers_become_storable_and_short(text, length):
    cleaned = clean(text, length)
    assert len(cleaned) <= length
    cleaned.encode()
    assert "\n" not in cleaned
