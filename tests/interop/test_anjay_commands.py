"""Anjay's demo client, asked by stored commands of the command line; it dies and comes back."""

from __future__ import annotations

import pytest

from tests.support.foreign import Gateway, Program, require

pytestmark = pytest.mark.interop

REGISTERED = rb"registration successful, location = /rd/"


def demo(gateway: Gateway, node_id: str) -> Program:
    """The demo, killed when its context is left."""
    return Program([require("demo"), "-e", node_id, "-u", gateway.coap, "-s", "nosec", "-l", "120"])


def test_observation_and_commands_find_the_demo_again_after_its_reboot(gateway: Gateway) -> None:
    node_id = gateway.take(secure=False).node_id
    with demo(gateway, node_id) as client:
        client.expect(REGISTERED)
        assert gateway.ask("observe", node_id, "/3/0/13")["state"] == "answered"
    before = gateway.ask("values", node_id, "/3/0/13")[0]
    # The gateway takes it for being there still, and sends this to where nobody is.
    waiting = gateway.ask("write", node_id, "/3/0/14", "+05:00", "--wait", "0")["command_id"]
    with demo(gateway, node_id) as client:
        client.expect(REGISTERED)
        assert gateway.ask("read", node_id, "/3/0/14")["values"] == {"/3/0/14": "+05:00"}
        assert gateway.ask("command", "show", str(waiting))["code"] == "2.04"
        # It was set up anew, before anything else was asked.
        after = gateway.ask("values", node_id, "/3/0/13")[0]
        assert (after["origin"], after["time"] > before["time"]) == ("notify", True)


def test_demo_is_read_written_executed_and_discovered_by_the_command_line(gateway: Gateway) -> None:
    node_id = gateway.take(secure=False).node_id
    with demo(gateway, node_id) as client:
        client.expect(REGISTERED)
        assert gateway.ask("write", node_id, "/3/0/13", "-7")["code"] == "2.04"
        (seconds,) = gateway.ask("read", node_id, "/3/0/13")["values"].values()
        assert -7 <= seconds < 60
        assert gateway.ask("create", node_id, "/33605/4", "{}")["links"] == [
            {"path": "/33605/4", "attributes": {}}
        ]
        assert gateway.ask("execute", node_id, "/33605/4/2")["code"] == "2.04"
        assert gateway.ask("read", node_id, "/33605/4/1")["values"] == {"/33605/4/1": 1}
        assert gateway.ask("attributes", node_id, "/33605/4/1", "pmin=5")["code"] == "2.04"
        found = gateway.ask("discover", node_id, "/33605/4/1")["links"]
        assert {"path": "/33605/4/1", "attributes": {"pmin": "5"}} in found
        assert gateway.ask("delete", node_id, "/33605/4")["code"] == "2.02"
