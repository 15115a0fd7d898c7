import re
import socket

import pytest

from tools.simulator.errors import SimulatorError
from tools.simulator.servers import Server, parse_server, parse_servers


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("coap://127.0.0.1", Server("coap", "127.0.0.1", 5683)),
        ("coaps://gateway.example", Server("coaps", "gateway.example", 5684)),
        ("coap://[::1]:7000", Server("coap", "::1", 7000)),
        ("COAPS://host:1/", Server("coaps", "host", 1)),
    ],
)
def test_servers_are_read_with_their_default_ports(uri, expected):
    assert parse_server(uri) == expected


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "127.0.0.1",
        "http://host",
        "coap://",
        "coap://host/rd",
        "coap://host?x",
        "coap://host#x",
        "coap://user@host",
        "coap://host:0",
        "coap://host:99999",
        "coap://host:port",
        "coap://[::1",
    ],
)
def test_other_uris_are_refused_by_name(uri):
    with pytest.raises(ValueError, match=r"^" + re.escape(uri) + ": ."):
        parse_server(uri)


def test_one_server_of_each_scheme():
    assert len(parse_servers(["coap://a", "coaps://b"])) == 2
    with pytest.raises(ValueError, match="only one"):
        parse_servers(["coap://a", "coap://b"])
    with pytest.raises(ValueError, match="name a server"):
        parse_servers([])


def test_server_reads_as_its_uri():
    assert str(parse_server("coap://[::1]")) == "coap://[::1]:5683"
    assert str(parse_server("coaps://host")) == "coaps://host:5684"
    assert parse_server("coaps://host").is_secure


def test_address_resolves_to_itself():
    assert parse_server("coap://127.0.0.1:7").resolve() == (socket.AF_INET, ("127.0.0.1", 7))


def test_name_that_does_not_resolve_is_named(monkeypatch):
    def fail(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(SimulatorError, match=r"coap://nowhere\.invalid:5683: cannot resolve"):
        parse_server("coap://nowhere.invalid").resolve()


def test_of_several_addresses_the_first_ipv4_one_is_taken(monkeypatch):
    found = [
        (socket.AF_INET6, None, None, "", ("::1", 7, 0, 0)),
        (socket.AF_INET, None, None, "", ("127.0.0.1", 7)),
        (socket.AF_INET, None, None, "", ("127.0.0.2", 7)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert parse_server("coap://localhost:7").resolve() == (socket.AF_INET, ("127.0.0.1", 7))
