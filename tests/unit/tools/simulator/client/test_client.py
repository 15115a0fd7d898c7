import pytest
from aiocoap.numbers.codes import Code

from gateway.lwm2m.formats import Format, decode
from gateway.lwm2m.path import ROOT, parse_path
from gateway.lwm2m.records import Context
from gateway.lwm2m.values import Unfit
from tools.simulator.client.client import Client
from tools.simulator.client.contents import factory_contents
from tools.simulator.client.exchanges import Request

SENSOR = parse_path("/3303/0/5700")


@pytest.fixture
def client():
    return Client(factory_contents("1.1"))


def observe(client, *, now=0.0, token=b"t", accept=112):
    client.answer(Request(Code.GET, ("3303", "0", "5700"), accept=accept, observe=0, token=token), now)


def records(response):
    context = Context(SENSOR, lambda path: None)
    return [(one.value, one.time_s) for one in decode(Format.SENML_CBOR, response.payload, context).records]


def test_measured_value_moves_the_extremes_of_its_sensor(client):
    for value in (25.0, 18.0, 20):
        client.set(SENSOR, value, 0.0)
    assert [client.get(parse_path(f"/3303/0/{id_}")) for id_ in (5700, 5601, 5602)] == [20.0, 18.0, 25.0]


def test_value_that_is_none_of_the_type_is_refused(client):
    with pytest.raises(Unfit):
        client.set(SENSOR, "warm", 0.0)
    assert client.get(SENSOR) == 21.5


def test_send_carries_the_values_at_its_paths(client):
    payload = client.build_send((SENSOR, parse_path("/3/0/0")))
    decoded = decode(Format.SENML_CBOR, payload, Context(ROOT))
    assert {str(one.path): one.value for one in decoded.records} == {
        "/3303/0/5700": 21.5,
        "/3/0/0": "Nodegate",
    }


@pytest.mark.parametrize(
    ("version", "mute", "may"), [("1.0", False, False), ("1.1", True, False), ("1.2", False, True)]
)
def test_sending_needs_1_1_and_a_server_that_does_not_mute_it(version, mute, may):
    client = Client(factory_contents(version))
    client.tree.put(parse_path("/1/0/23"), mute)
    assert client.may_send is may


def test_new_registration_starts_without_observations(client):
    observe(client)
    client.forget_server()
    client.set(SENSOR, 30.0, 1.0)
    assert client.poll(1.0) == []


def test_what_happens_out_of_reach_is_told_on_return(client):
    observe(client)
    client.set(SENSOR, 22.0, 10.0)
    client.set(SENSOR, 23.0, 11.0)
    assert client.poll(11.0, is_reachable=False) == []
    assert client.poll(12.0) == []
    client.observations.catch_up(20.0)
    (told,) = client.poll(20.0)
    assert records(told.response) == [(23.0, None)]


def test_server_that_wants_nothing_stored_hears_of_the_next_change_only(client):
    client.tree.put(parse_path("/1/0/6"), False)
    observe(client)
    client.set(SENSOR, 22.0, 10.0)
    client.poll(10.0, is_reachable=False)
    client.observations.catch_up(20.0)
    assert client.poll(20.0) == []


def test_samples_up_to_hqmax_are_told_with_their_times(client):
    client.answer(Request(Code.PUT, ("3303", "0", "5700"), ("hqmax=2",)), 0.0)
    observe(client)
    for now in (10.0, 20.0, 30.0):
        client.set(SENSOR, now, now)
        assert client.poll(now, is_reachable=False) == []
    client.observations.catch_up(60.0)
    (told,) = client.poll(60.0)
    assert records(told.response) == [(20.0, -40), (30.0, -30), (30.0, None)]
    client.set(SENSOR, 5.0, 70.0)
    assert records(client.poll(70.0)[0].response) == [(5.0, None)]


def test_formats_without_times_tell_the_newest_value_only(client):
    client.answer(Request(Code.PUT, ("3303", "0", "5700"), ("hqmax=2",)), 0.0)
    observe(client, accept=0)
    client.set(SENSOR, 10.0, 10.0)
    client.poll(10.0, is_reachable=False)
    client.observations.catch_up(60.0)
    assert client.poll(60.0)[0].response.payload == b"10.0"


@pytest.mark.parametrize(
    ("version", "query", "default", "is_confirmable", "expected"),
    [
        ("1.1", None, None, False, False),
        ("1.1", None, None, True, True),
        ("1.1", "con=1", None, False, True),
        ("1.2", None, 1, False, True),
        ("1.2", None, 0, True, False),
    ],
)
def test_who_says_whether_a_notification_is_confirmable(version, query, default, is_confirmable, expected):
    client = Client(factory_contents(version), is_confirmable=is_confirmable)
    client.tree.put(parse_path("/1/0/26"), default)
    if query:
        client.answer(Request(Code.PUT, ("3303", "0", "5700"), (query,)), 0.0)
    observe(client)
    client.set(SENSOR, 1.0, 1.0)
    assert client.poll(1.0)[0].is_confirmable is expected


def test_once_a_day_a_notification_is_confirmable(client):
    observe(client)
    told = []
    for now in (80_000.0, 90_000.0, 100_000.0):
        client.set(SENSOR, now, now)
        told += client.poll(now)
    assert [one.is_confirmable for one in told] == [False, True, False]
