"""UDP sockets on the event loop: read in batches, answered from the address that was asked.

Knows sockets and addresses. Knows nothing of what a datagram says. Nothing here makes a task, a timer
or a log line for a datagram; what is dropped is counted.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from gateway.address import Address
from gateway.transport.binding import enable_packet_info, is_wildcard

DRAIN_LIMIT = 64
"Datagrams read in one wake-up: long enough to amortise it, short enough to let timers run."

MAX_DATAGRAM_BYTES = 16_384
"""Longer datagrams are dropped. CoAP over UDP stays below 1.5 KB; but a client that leaves fragmentation to
IP sends its flight in one datagram, a certificate chain of 8 KB in it."""

_PACKET_INFO_SPACE = 64
_MAX_KNOWN_LOCALS = 1024
_IP_PKTINFO = 8
_IPV6_PKTINFO = getattr(socket, "IPV6_PKTINFO", 50)

OnDatagram = Callable[[bytes, Address], None]

# A named tuple's own constructor is a function in Python, twice as slow.
_make_address = tuple.__new__


@dataclass(slots=True)
class UdpCounters:
    """What happened to datagrams, as running totals."""

    received: int = 0
    sent: int = 0
    dropped_too_long: int = 0
    dropped_multicast: int = 0
    dropped_receive_error: int = 0
    dropped_send_buffer_full: int = 0
    dropped_send_error: int = 0

    def as_dict(self) -> dict[str, int]:
        """Name → total."""
        return asdict(self)


class UdpSocket:
    """One bound, non-blocking socket, read between `start` and `stop`; `send` works until `close`."""

    def __init__(
        self, sock: socket.socket, *, counters: UdpCounters | None = None, own_end: bytes = b""
    ) -> None:
        """*own_end* becomes `Address.local` of what comes in, on a socket that is bound to one address."""
        self.counters = counters or UdpCounters()
        self._own_end = own_end
        self._socket = sock
        self._on_datagram: OnDatagram = _ignore
        self._on_drained: Callable[[], None] = _ignore
        self._is_ipv6 = sock.family == socket.AF_INET6
        self._has_packet_info = enable_packet_info(sock)
        self._packet_info = (
            (socket.IPPROTO_IPV6, _IPV6_PKTINFO) if self._is_ipv6 else (socket.IPPROTO_IP, _IP_PKTINFO)
        )
        self._locals: dict[bytes, bytes | None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False

    def start(
        self,
        on_datagram: OnDatagram,
        on_drained: Callable[[], None],
        *,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Read on *loop*, the running one by default.

        Each datagram goes to *on_datagram*; after each batch *on_drained* is called, whatever happened.
        """
        self._on_datagram = on_datagram
        self._on_drained = on_drained
        self._loop = loop or asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._read_batch)

    @property
    def address(self) -> Address:
        """What the socket is bound to."""
        name = self._socket.getsockname()
        return Address(name[0], name[1], name[3] if self._is_ipv6 else 0)

    def send(self, data: bytes, address: Address) -> None:
        """Send *data* from the local address that *address* came in by.

        A full buffer or an error of the network drops it: whatever must arrive is sent again by the
        protocols above.
        """
        target = (address.host, address.port, 0, address.scope) if self._is_ipv6 else address[:2]
        try:
            if self._has_packet_info and address.local:
                level, kind = self._packet_info
                self._socket.sendmsg((data,), ((level, kind, address.local),), 0, target)
            else:
                self._socket.sendto(data, target)
        except BlockingIOError:
            self.counters.dropped_send_buffer_full += 1
        except OSError:
            self.counters.dropped_send_error += 1
        else:
            self.counters.sent += 1

    def stop(self) -> None:
        """Read no more. Harmless when repeated."""
        if self._loop is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._loop = None

    def close(self) -> None:
        """Stop reading and close the socket. Harmless when repeated."""
        self.stop()
        self._is_closed = True
        self._socket.close()

    def _read_batch(self) -> None:
        try:
            if self._has_packet_info:
                self._drain_with_packet_info()
            else:
                self._drain()
        finally:
            self._on_drained()

    def _drain(self) -> None:
        receive = self._socket.recvfrom
        on_datagram = self._on_datagram
        own_end, is_ipv6, make_address = self._own_end, self._is_ipv6, _make_address
        for _ in range(DRAIN_LIMIT):
            try:
                data, source = receive(MAX_DATAGRAM_BYTES + 1)
            except BlockingIOError:
                return
            except OSError:
                # On Linux a late ICMP error of one peer: it says nothing of the next datagram.
                if self._is_closed:
                    return
                self.counters.dropped_receive_error += 1
                continue
            if len(data) > MAX_DATAGRAM_BYTES:
                self.counters.dropped_too_long += 1
                continue
            self.counters.received += 1
            scope = source[3] if is_ipv6 else 0
            on_datagram(data, make_address(Address, (source[0], source[1], scope, own_end)))

    def _drain_with_packet_info(self) -> None:
        receive = self._socket.recvmsg
        on_datagram = self._on_datagram
        known, is_ipv6, make_address = self._locals, self._is_ipv6, _make_address
        for _ in range(DRAIN_LIMIT):
            try:
                data, ancillary, _flags, source = receive(MAX_DATAGRAM_BYTES + 1, _PACKET_INFO_SPACE)
            except BlockingIOError:
                return
            except OSError:
                if self._is_closed:
                    return
                self.counters.dropped_receive_error += 1
                continue
            if len(data) > MAX_DATAGRAM_BYTES:
                self.counters.dropped_too_long += 1
                continue
            raw = ancillary[0][2] if ancillary else b""
            local = known[raw] if raw in known else self._learn_local(raw)
            if local is None:
                self.counters.dropped_multicast += 1
                continue
            self.counters.received += 1
            scope = source[3] if is_ipv6 else 0
            on_datagram(data, make_address(Address, (source[0], source[1], scope, local)))

    def _learn_local(self, raw: bytes) -> bytes | None:
        """Turn received packet information into what `sendmsg` wants; None for a multicast destination."""
        if len(self._locals) >= _MAX_KNOWN_LOCALS:
            self._locals.clear()
        local = local_end_ipv6(raw) if self._is_ipv6 else local_end_ipv4(raw)
        self._locals[raw] = local
        return local


def local_end_ipv4(packet_info: bytes) -> bytes | None:
    """An ``in_pktinfo`` as received → one that sends from the same address.

    None when the datagram was sent to a group or a broadcast address: nothing is answered there. The
    interface is left to routing, which need not be the one it came in by. Anything else than the
    structure gives ``b""``: no preference.
    """
    if len(packet_info) != 12:
        return b""
    _interface, own, destination = struct.unpack("=i4s4s", packet_info)
    if own != destination:
        return None
    return struct.pack("=i4s4s", 0, own, bytes(4))


def local_end_ipv6(packet_info: bytes) -> bytes | None:
    """An ``in6_pktinfo`` as received → one that sends from the same address; None for a group.

    The interface stays only with a link-local address, which means nothing without it.
    """
    if len(packet_info) != 20:
        return b""
    if packet_info[0] == 0xFF:
        return None
    is_link_local = packet_info[0] == 0xFE and packet_info[1] & 0xC0 == 0x80
    return packet_info if is_link_local else packet_info[:16] + bytes(4)


class UdpListener:
    """The sockets of one scheme, as one thing: bound first, started when there is somebody to answer."""

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        """Takes *sockets* over: wildcards, at most one of each family, or any number of single addresses."""
        self.counters = UdpCounters()
        self._readers: list[UdpSocket] = []
        self._by_family: dict[bool, UdpSocket] = {}
        self._by_own_end: dict[bytes, UdpSocket] = {}
        for sock in sockets:
            own_end = b"" if is_wildcard(sock) else _own_end(sock)
            reader = UdpSocket(sock, counters=self.counters, own_end=own_end)
            self._readers.append(reader)
            self._by_family.setdefault(sock.family == socket.AF_INET6, reader)
            if own_end:
                self._by_own_end[own_end] = reader
        self.send: Callable[[bytes, Address], None] = (
            self._readers[0].send if len(self._readers) == 1 else self._send_by_family
        )
        "Sends a datagram by the socket that its address came in by; without a fitting one it is dropped."

    def start(
        self,
        on_datagram: OnDatagram,
        on_drained: Callable[[], None] | None = None,
        *,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Read all sockets (`UdpSocket.start`)."""
        for reader in self._readers:
            reader.start(on_datagram, on_drained or _ignore, loop=loop)

    def stop(self) -> None:
        """Read no more; what is under way can still be answered. Harmless when repeated."""
        for reader in self._readers:
            reader.stop()

    @property
    def addresses(self) -> tuple[Address, ...]:
        """What is listened on, in the order of the sockets."""
        return tuple(reader.address for reader in self._readers)

    @property
    def port(self) -> int:
        """The port, as the system chose it where 0 was asked for."""
        return self.addresses[0].port

    def close(self) -> None:
        """Close the sockets. Harmless when repeated."""
        for reader in self._readers:
            reader.close()

    def _send_by_family(self, data: bytes, address: Address) -> None:
        reader = self._by_own_end.get(address.local) or self._by_family.get(":" in address.host)
        if reader is None:
            self.counters.dropped_send_error += 1
        else:
            reader.send(data, address)


def _own_end(sock: socket.socket) -> bytes:
    """The address *sock* is bound to, packed."""
    return socket.inet_pton(sock.family, sock.getsockname()[0])


def _ignore(*_: object) -> None:
    """Before `UdpSocket.start` says whom to call."""
