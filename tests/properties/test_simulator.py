"""Whatever a server sends, a simulated device answers; and no observation breaks its periods."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from aiocoap.numbers.codes import Code
from hypothesis import given
from hypothesis import strategies as st

from gateway.lwm2m.formats import Format
from gateway.lwm2m.path import parse_path
from tests.support.replies import reply
from tools.simulator.client.client import Client
from tools.simulator.client.contents import factory_contents
from tools.simulator.client.exchanges import Request
from tools.simulator.client.relations import Relation, begin, consider, make_rule, note_change, tell
from tools.simulator.device import Device
from tools.simulator.settings import DeviceSettings

SENSOR = parse_path("/3303/0/5700")
METHODS = [Code.GET, Code.POST, Code.PUT, Code.DELETE, Code.FETCH, Code.PATCH, Code.iPATCH]
PATHS = ["/", "0", "1/0", "1/0/1", "3", "3/0", "3/0/4", "3/0/7/0", "5/0/0", "5/0/1", "16", "16/0/0", "bs"]
QUERIES = ["pmin=1", "pmax=5", "gt=1", "lt=3", "st=1", "depth=2", "edge=1", "x", ""]
FORMATS = [None, 40, 99, *(format_.number for format_ in Format)]

requests = st.builds(
    Request,
    code=st.sampled_from(METHODS),
    path=st.sampled_from(PATHS).map(lambda path: tuple(filter(None, path.split("/")))),
    queries=st.lists(st.sampled_from(QUERIES), max_size=3).map(tuple),
    content_format=st.sampled_from(FORMATS),
    accept=st.sampled_from(FORMATS),
    observe=st.sampled_from([None, 0, 1]),
    token=st.binary(max_size=2),
    payload=st.one_of(
        st.binary(max_size=24),
        st.sampled_from([b"1", b"0", b"[]", b"\x80", b'[{"n":"/3/0/0"}]', b'[{"n":"/1/0/1","v":5}]']),
    ),
)


@given(st.sampled_from(["1.0", "1.1", "1.2"]), st.lists(requests, max_size=8))
def test_every_request_has_an_answer_and_leaves_objects_that_can_be_read(
    version: str, asked: list[Request]
) -> None:
    client = Client(factory_contents(version))
    for number, request in enumerate(asked):
        response = client.answer(request, float(number))
        assert 64 <= int(response.code) < 160
        client.poll(float(number))
    everything = client.answer(Request(Code.GET, ("3", "0")), 100.0)
    assert everything.code is Code.CONTENT
    assert client.describe_objects()


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_no_datagram_throws_a_device_off_its_feet(datagrams: list[bytes]) -> None:
    random = Random(1)
    settings = DeviceSettings("node", contents=factory_contents("1.2"))
    device = Device(settings, random.randbytes, random)
    device.start(0.0)
    (register,) = device.datagrams_to_send()
    device.receive_datagram(reply(register, Code.CREATED, location=("rd", "x")), 0.0)
    for datagram in datagrams:
        device.receive_datagram(datagram, 1.0)
    device.set_value(SENSOR, 30.0, 2.0)
    assert device.client.get(SENSOR) == 30.0


@given(
    st.integers(0, 20),
    st.integers(0, 40),
    st.dictionaries(st.integers(1, 200), st.integers(0, 5).map(float), max_size=30),
)
def test_notifications_keep_pmin_and_pmax(pmin: int, pmax: int, values: dict[int, float]) -> None:
    relation = Relation(b"t", (SENSOR,), None, False, None)
    relation.rules = (make_rule(SENSOR, {"pmin": pmin, "pmax": pmax}, 0, 0),)
    current = 0.0
    begin(relation, {SENSOR: current}, 0.0)
    told = [0.0]
    for now in range(1, 201):
        if now in values:
            note_change(relation, SENSOR, current, values[now])
            current = values[now]
            relation.due_at = now
        is_due = relation.due_at is not None and relation.due_at <= now
        if is_due and consider(relation, {SENSOR: current}, now):
            tell(relation, {SENSOR: current}, now)
            told.append(now)
    assert all(later - earlier >= pmin for earlier, later in pairwise(told))
    if pmax > 0 and pmax >= pmin:
        assert all(later - earlier <= pmax for earlier, later in pairwise([*told, 200]))
    if told[-1] + pmin <= 200:
        assert relation.told == {SENSOR: current}, "the newest value is told in the end"
