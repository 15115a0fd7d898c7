import pytest

from tools.simulator.requests import build_deregister, build_register, build_update
from tools.simulator.settings import DeviceSettings


def queries(**settings):
    return list(build_register(DeviceSettings("node", **settings), 60).opt.uri_query)


def test_register_names_endpoint_version_and_lifetime():
    message = build_register(DeviceSettings("node", objects="</1/0>"), 60)
    assert message.opt.uri_path == ("rd",)
    assert message.opt.content_format == 40
    assert message.payload == b"</1/0>"
    assert queries() == ["ep=node", "lwm2m=1.1", "lt=60"]


def test_endpoint_may_be_left_to_the_identity():
    assert queries(has_ep=False) == ["lwm2m=1.1", "lt=60"]


def test_further_parameters_come_last():
    assert queries(parameters=("x=1", "y"))[-2:] == ["x=1", "y"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"lwm2m": "1.0"}, []),
        ({"lwm2m": "1.0", "binding": "U"}, ["b=U"]),
        ({"lwm2m": "1.0", "is_queue_mode": True}, ["b=UQ"]),
        ({"lwm2m": "1.1", "binding": "UT"}, ["b=UT"]),
        ({"lwm2m": "1.2", "is_queue_mode": True}, ["Q"]),
        ({"lwm2m": "1.1", "binding": "U", "is_queue_mode": True}, ["b=U", "Q"]),
    ],
)
def test_queue_mode_is_part_of_the_binding_in_1_0_and_a_flag_later(settings, expected):
    assert queries(**settings)[3:] == expected


def test_update_goes_to_the_location_and_names_the_lifetime_only_if_new():
    assert build_update(("rd", "x")).opt.uri_path == ("rd", "x")
    assert build_update(("rd", "x")).opt.uri_query == ()
    assert build_update(("rd", "x"), 30).opt.uri_query == ("lt=30",)


def test_deregister_goes_to_the_location():
    message = build_deregister(("rd", "x"))
    assert (str(message.code), message.opt.uri_path) == ("DELETE", ("rd", "x"))
