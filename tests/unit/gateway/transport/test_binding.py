"""Listening sockets: both families on one port, and one helpful line when it cannot be."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs

from gateway.transport import binding
from gateway.transport.binding import bind_sockets, enable_packet_info, is_wildcard
from gateway.transport.errors import BindError

has_ipv6 = pytest.mark.skipif(not binding._has_ipv6(), reason="this machine has no IPv6")


@contextmanager
def _bound(host: str | None, port: int = 0, **options: int) -> Iterator[list[socket.socket]]:
    sockets = bind_sockets(host, port, **options)
    try:
        yield sockets
    finally:
        for sock in sockets:
            sock.close()


@has_ipv6
def test_wildcards_share_the_port_the_system_chose() -> None:
    with _bound(None) as sockets:
        assert [sock.family for sock in sockets] == [socket.AF_INET6, socket.AF_INET]
        ports = {sock.getsockname()[1] for sock in sockets}
        assert len(ports) == 1
        assert ports != {0}
        assert all(is_wildcard(sock) for sock in sockets)
        assert all(not sock.getblocking() for sock in sockets)
        assert sockets[0].getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1


def test_machine_without_ipv6_listens_on_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binding, "_has_ipv6", lambda: False)
    with _bound(None) as sockets:
        assert [sock.family for sock in sockets] == [socket.AF_INET]


def test_specific_address_gets_one_socket() -> None:
    with _bound("127.0.0.1") as (sock,):
        assert sock.getsockname()[0] == "127.0.0.1"
        assert not is_wildcard(sock)
        assert not enable_packet_info(sock)


@has_ipv6
def test_specific_ipv6_address_gets_one_socket() -> None:
    with _bound("::1") as (sock,):
        assert sock.getsockname()[0] == "::1"


@has_ipv6
def test_interface_of_an_address_may_be_a_name_or_a_number() -> None:
    _, name = socket.if_nameindex()[0]
    assert binding._parse_host(f"fe80::1%{name}") == (
        socket.AF_INET6,
        "fe80::1",
        socket.if_nametoindex(name),
    )
    assert binding._parse_host("fe80::1%7") == (socket.AF_INET6, "fe80::1", 7)


def test_port_in_use_is_named_with_what_to_do() -> None:
    with _bound("127.0.0.1") as (sock,):
        port = sock.getsockname()[1]
        with pytest.raises(BindError) as caught:
            bind_sockets("127.0.0.1", port)
    text = str(caught.value)
    assert f"port {port} is in use" in text
    assert "choose another port" in text
    assert "\n" not in text


@has_ipv6
def test_wildcard_port_in_use_is_named_and_leaves_no_socket_open(monkeypatch: pytest.MonkeyPatch) -> None:
    real = binding._bind
    opened: list[socket.socket] = []

    def bind(family: socket.AddressFamily, host: str, scope: int, port: int) -> socket.socket:
        opened.append(real(family, host, scope, port))
        return opened[-1]

    monkeypatch.setattr(binding, "_bind", bind)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", 0))
        port = taken.getsockname()[1]
        with pytest.raises(BindError, match=f"port {port} is in use"):
            bind_sockets(None, port)
    assert [sock.fileno() for sock in opened] == [-1]


def test_port_of_the_system_that_is_taken_in_the_other_family_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempts = []

    def taken(port: int) -> list[socket.socket]:
        attempts.append(port)
        return [] if len(attempts) < 3 else [socket.socket(socket.AF_INET, socket.SOCK_DGRAM)]

    monkeypatch.setattr(binding, "_bind_wildcard_pair", taken)
    with _bound(None):
        assert attempts == [0, 0, 0]
    attempts.clear()
    monkeypatch.setattr(binding, "PORT_ATTEMPTS", 2)
    with pytest.raises(BindError, match="no UDP port is free"):
        bind_sockets(None, 0)


@has_ipv6
def test_pair_is_given_up_when_the_chosen_port_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    real = binding._bind

    def bind(family: socket.AddressFamily, host: str, scope: int, port: int) -> socket.socket:
        if family == socket.AF_INET:
            raise BindError("taken") from OSError(errno.EADDRINUSE, "taken")
        return real(family, host, scope, port)

    monkeypatch.setattr(binding, "_bind", bind)
    assert binding._bind_wildcard_pair(0) == []


@pytest.mark.parametrize(
    ("host", "port", "text"),
    [
        pytest.param("example.org", 0, "is not an IP address", id="name"),
        pytest.param("", 0, "is not an IP address", id="empty"),
        pytest.param("192.0.2.1", 0, "no address 192.0.2.1", id="foreign-address"),
        pytest.param("127.0.0.1", 70_000, "choose one from 0 to 65535", id="port-too-high"),
        pytest.param("fe80::1%nowhere", 0, "does not exist", id="no-such-interface"),
    ],
)
def test_what_cannot_be_listened_on_is_one_helpful_line(host: str, port: int, text: str) -> None:
    with pytest.raises(BindError, match=text) as caught:
        bind_sockets(host, port)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.EACCES, "CAP_NET_BIND_SERVICE"),
        (errno.EPERM, "above 1023"),
        (errno.ENODEV, r"cannot listen on UDP \[2001:db8::1\]:80"),
    ],
)
def test_refusals_of_the_system_are_explained(number: int, text: str) -> None:
    with pytest.raises(BindError, match=text):
        raise BindError(binding._explain(OSError(number, "refused"), "2001:db8::1", 80))


def test_small_receive_buffer_is_warned_of_once_with_the_sysctl() -> None:
    binding._warn_of_small_buffer.cache_clear()
    with capture_logs() as logs:
        for _ in range(2):
            binding._warn_of_small_buffer(425_984, 4_194_304)
    (entry,) = logs
    assert entry["log_level"] == "warning"
    assert (entry["granted_bytes"], entry["wanted_bytes"]) == (425_984, 4_194_304)
    assert entry["remedy"] == "sysctl -w net.core.rmem_max=4194304"


def test_receive_buffer_is_as_large_as_asked_or_warned_of() -> None:
    binding._warn_of_small_buffer.cache_clear()
    with capture_logs() as logs, _bound("127.0.0.1") as (sock,):
        granted = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    assert (granted >= binding.RECEIVE_BUFFER_BYTES) is not bool(logs)


@pytest.mark.parametrize("host", ["127.0.0.1", None])
def test_receive_buffer_of_each_socket_is_asked_for_by_its_size(host: str | None) -> None:
    granted = []
    for wanted_bytes in (32_768, 65_536):
        with _bound(host, receive_buffer_bytes=wanted_bytes) as sockets:
            granted.append([sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) for sock in sockets])
    small, large = granted
    assert all(size >= 32_768 for size in small)
    assert large == [2 * size for size in small]


def test_platform_without_packet_information_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binding, "_HAS_PACKET_INFO", False)
    with _bound("0.0.0.0") as (sock,):
        assert not enable_packet_info(sock)
        assert is_wildcard(sock)


def test_platform_that_refuses_the_buffer_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binding, "_HAS_PACKET_INFO", False)

    class Refusing(socket.socket):
        def setsockopt(self, *_: object) -> None:
            raise OSError(errno.ENOBUFS, "too large")

    with capture_logs() as logs, Refusing(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        binding._enlarge_receive_buffer(sock, 1 << 30)
    assert logs == []
