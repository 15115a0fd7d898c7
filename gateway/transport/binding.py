"""Bound UDP sockets for one listening port.

Knows addresses, ports and socket options. Knows no event loop and reads nothing.
"""

from __future__ import annotations

import errno
import functools
import ipaddress
import socket
import sys

import structlog

from gateway.transport.errors import BindError

RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
PORT_ATTEMPTS = 16

_SO_RCVBUFFORCE = 33
_HAS_PACKET_INFO = sys.platform == "linux"
# Missing from the socket module of some Python versions; the number is Linux's.
_IP_PKTINFO = 8

_log = structlog.get_logger("gateway.transport")


def bind_sockets(
    host: str | None, port: int, receive_buffer_bytes: int = RECEIVE_BUFFER_BYTES
) -> list[socket.socket]:
    """Bind non-blocking sockets for *host* and *port*.

    *host* None means every address of the machine: an IPv6-only and an IPv4 socket on the same port
    (one of them where the machine lacks the other family). Port 0 lets the system choose one port for
    both. *receive_buffer_bytes* is asked for each; one warning tells when the kernel did not grant it.

    Raises:
        BindError: with the address, the port and what to do.
    """
    sockets = _bind_wildcards(port) if host is None else [_bind(*_parse_host(host), port)]
    for sock in sockets:
        _enlarge_receive_buffer(sock, receive_buffer_bytes)
    return sockets


def enable_packet_info(sock: socket.socket) -> bool:
    """Ask for the local address of each datagram, if *sock* listens on a wildcard.

    Returns whether datagrams will carry it. A socket on one address needs none, and platforms other
    than Linux go without: their answers leave from the address that the routing table picks.
    """
    if not _HAS_PACKET_INFO or not is_wildcard(sock):
        return False
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    return True


def is_wildcard(sock: socket.socket) -> bool:
    """Whether *sock* is bound to all addresses of its family."""
    return str(sock.getsockname()[0]) in ("0.0.0.0", "::")


def _bind_wildcards(port: int) -> list[socket.socket]:
    for _ in range(PORT_ATTEMPTS):
        sockets = _bind_wildcard_pair(port)
        if sockets:
            return sockets
    raise BindError("no UDP port is free for both IPv4 and IPv6: name one that is")


def _bind_wildcard_pair(port: int) -> list[socket.socket]:
    """Both families on one port; empty when a port that the system chose for one is taken on the other."""
    sockets: list[socket.socket] = []
    if _has_ipv6():
        sockets.append(_bind(socket.AF_INET6, "::", 0, port))
    chosen = sockets[0].getsockname()[1] if sockets else port
    try:
        sockets.append(_bind(socket.AF_INET, "0.0.0.0", 0, chosen))
    except BindError as error:
        for sock in sockets:
            sock.close()
        is_taken = isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE
        if port == 0 and is_taken:
            return []
        raise
    return sockets


@functools.cache
def _has_ipv6() -> bool:
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True


def _parse_host(host: str) -> tuple[socket.AddressFamily, str, int]:
    """Family, address and scope id of an IP address given as text, with an optional ``%interface``."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise BindError(
            f"{host!r} is not an IP address: give one of this machine, or none to listen on all"
        ) from None
    if isinstance(address, ipaddress.IPv4Address):
        return socket.AF_INET, str(address), 0
    scope = address.scope_id
    if scope is None:
        return socket.AF_INET6, str(address), 0
    try:
        index = int(scope) if scope.isdecimal() else socket.if_nametoindex(scope)
    except OSError as error:
        raise BindError(f"{host!r} names no interface of this machine: {scope!r} does not exist") from error
    return socket.AF_INET6, str(address).partition("%")[0], index


def _bind(family: socket.AddressFamily, host: str, scope: int, port: int) -> socket.socket:
    try:
        sock = socket.socket(family, socket.SOCK_DGRAM)
    except OSError as error:
        raise BindError(f"cannot open a socket for {host}: {error.strerror}") from error
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((host, port, 0, scope))
        else:
            sock.bind((host, port))
    except OverflowError as error:
        sock.close()
        raise BindError(f"port {port} does not exist: choose one from 0 to 65535") from error
    except OSError as error:
        sock.close()
        raise BindError(_explain(error, host, port)) from error
    return sock


def _explain(error: OSError, host: str, port: int) -> str:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    match error.errno:
        case errno.EADDRINUSE:
            return f"UDP port {port} is in use ({where}): stop the program that has it or choose another port"
        case errno.EACCES | errno.EPERM:
            return (
                f"not allowed to listen on UDP port {port} ({where}): choose one above 1023 "
                "or grant CAP_NET_BIND_SERVICE"
            )
        case errno.EADDRNOTAVAIL:
            return f"this machine has no address {host}: give one that it has, or none to listen on all"
    return f"cannot listen on UDP {where}: {error.strerror or error}"


def _enlarge_receive_buffer(sock: socket.socket, wanted_bytes: int) -> None:
    """A burst waits here: the default holds about 250 small datagrams. The kernel clamps silently."""
    if _HAS_PACKET_INFO:
        try:
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, wanted_bytes)
        except PermissionError:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted_bytes)
    else:
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted_bytes)
        except OSError:
            return
    granted_bytes = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    if granted_bytes < wanted_bytes:
        _warn_of_small_buffer(granted_bytes, wanted_bytes)


@functools.cache
def _warn_of_small_buffer(granted_bytes: int, wanted_bytes: int) -> None:
    _log.warning(
        "receive buffer is smaller than asked for; bursts of datagrams may be lost",
        granted_bytes=granted_bytes,
        wanted_bytes=wanted_bytes,
        remedy=f"sysctl -w net.core.rmem_max={wanted_bytes}",
    )
