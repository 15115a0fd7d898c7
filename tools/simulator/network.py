"""A network that loses, doubles, delays and reorders datagrams, the same way for the same seed.

`Path` decides about single datagrams and serves real sockets as well; `Network` is a whole network
in memory, in the time of whatever schedules it: servers that listen, devices behind a NAT.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from gateway.address import Address
from tools.simulator.timers import Scheduler


@dataclass(frozen=True, slots=True)
class Impairment:
    """What one direction does to datagrams. Probabilities are of 1."""

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    "How likely a datagram is held back, so that later ones overtake it."

    delay_s: float = 0.0
    jitter_s: float = 0.0
    "Further delay, uniform up to this."

    hold_s: float = 0.3
    "How long a held-back datagram stays behind, at most."

    @property
    def is_clean(self) -> bool:
        """Whether every datagram arrives once, in order and at once."""
        return not (self.loss or self.duplicate or self.reorder or self.delay_s or self.jitter_s)


CLEAN = Impairment()


@dataclass(slots=True)
class PathCounters:
    """What a path has done."""

    sent: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0


class Path:
    """One direction of the network. Each datagram draws its fate from the given randomness."""

    __slots__ = ("_impairment", "_random", "counters")

    def __init__(self, impairment: Impairment, random: Random) -> None:
        self._impairment = impairment
        self._random = random
        self.counters = PathCounters()

    def plan(self) -> tuple[float, ...]:
        """Delays in seconds after which copies of the next datagram arrive; none when it is lost."""
        impairment, random, counters = self._impairment, self._random, self.counters
        counters.sent += 1
        if impairment.is_clean:
            return (0.0,)
        if random.random() < impairment.loss:
            counters.lost += 1
            return ()
        first = self._delay()
        if random.random() < impairment.duplicate:
            counters.duplicated += 1
            return (first, self._delay())
        return (first,)

    def _delay(self) -> float:
        impairment, random = self._impairment, self._random
        delay_s = impairment.delay_s + impairment.jitter_s * random.random()
        if random.random() < impairment.reorder:
            self.counters.reordered += 1
            delay_s += impairment.hold_s * random.uniform(0.1, 1)
        return delay_s


Receiver = Callable[[bytes, Address], None]


class Connection:
    """A device's socket behind a NAT: the server sees `outside`, which `rebind` replaces."""

    def __init__(
        self, network: Network, server: Address, outside: Address, receive: Callable[[bytes], None]
    ) -> None:
        self._network = network
        self.server = server
        self.outside = outside
        self.receive = receive
        self.is_silent = False
        "Cut off: nothing goes out or comes in."

    def send(self, datagram: bytes) -> None:
        """Towards the server."""
        if not self.is_silent:
            self._network.carry_up(datagram, self.outside, self.server)

    def rebind(self) -> None:
        """The NAT forgets the mapping: datagrams to the old outside address are lost."""
        self._network.rebind(self)


class Network:
    """Servers and devices joined in memory, deterministic for one seed.

    The only things that happen by themselves are deliveries, and those are calls of the scheduler.
    """

    def __init__(
        self, scheduler: Scheduler, *, seed: int = 0, uplink: Impairment = CLEAN, downlink: Impairment = CLEAN
    ) -> None:
        self._scheduler = scheduler
        random = Random(seed)
        self.uplink = Path(uplink, Random(random.getrandbits(64)))
        self.downlink = Path(downlink, Random(random.getrandbits(64)))
        self._servers: dict[Address, Receiver] = {}
        self._connections: dict[Address, Connection] = {}
        self._next_port = 10_000

    def listen(self, server: Address, receive: Receiver) -> Callable[[bytes, Address], None]:
        """Put a server at *server*; gives the function by which it sends to an address."""
        self._servers[server] = receive
        return self.carry_down

    def unlisten(self, server: Address) -> None:
        """Take the server away: datagrams to it are lost."""
        self._servers.pop(server, None)

    def connect(
        self, server: Address, receive: Callable[[bytes], None], host: str = "192.0.2.1"
    ) -> Connection:
        """A new device's socket, behind *host*."""
        connection = Connection(self, server, self._new_address(host), receive)
        self._connections[connection.outside] = connection
        return connection

    def carry_up(self, datagram: bytes, source: Address, server: Address) -> None:
        """From a device to a server."""
        for delay_s in self.uplink.plan():
            self._later(delay_s, self._deliver_up, datagram, source, server)

    def carry_down(self, datagram: bytes, destination: Address) -> None:
        """From a server to whoever has *destination* when the datagram arrives."""
        for delay_s in self.downlink.plan():
            self._later(delay_s, self._deliver_down, datagram, destination)

    def rebind(self, connection: Connection) -> None:
        """Give *connection* another outside port."""
        self._connections.pop(connection.outside, None)
        connection.outside = self._new_address(connection.outside.host)
        self._connections[connection.outside] = connection

    def _new_address(self, host: str) -> Address:
        self._next_port += 1
        return Address(host, self._next_port)

    def _later(self, delay_s: float, deliver: Callable[..., None], *args: object) -> None:
        self._scheduler.call_at(self._scheduler.time() + delay_s, deliver, *args)

    def _deliver_up(self, datagram: bytes, source: Address, server: Address) -> None:
        receive = self._servers.get(server)
        if receive is not None:
            receive(datagram, source)

    def _deliver_down(self, datagram: bytes, destination: Address) -> None:
        connection = self._connections.get(destination)
        if connection is not None and not connection.is_silent:
            connection.receive(datagram)
