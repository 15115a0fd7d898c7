"""A crash under load loses no acknowledged registration, and purges none early (docs/operations)."""

from __future__ import annotations

import select
import signal
import socket
from pathlib import Path

import aiocoap

from registry.administration import Administration
from registry.model import NewDevice, Security
from registry.sqlite import Database
from tests.support.serving import PlainDevice, Serving, import_devices, serving

DEVICES = 600
LIFETIME_S = 3600


def test_kill_9_under_a_register_storm_loses_no_acknowledged_registration(tmp_path: Path) -> None:
    database = tmp_path / "nodegate.db"
    import_devices(database, [NewDevice(f"storm-{n:04}", Security.NONE) for n in range(DEVICES)])
    with serving(database) as gateway:
        acknowledged = storm(gateway, kill_after=DEVICES // 3)
    assert DEVICES // 3 <= len(acknowledged) < DEVICES, "the crash must fall into the storm"

    with serving(database) as gateway, PlainDevice(gateway.port("coap")) as device:
        for node_id, location in acknowledged.items():
            assert device.update(location).code == aiocoap.CHANGED, node_id
        assert gateway.stop()[0] == 0
    with_its_lease = {
        view.device.node_id: view.expires_at_ms - view.registration.registered_at_ms
        for view in devices_of(database)
        if view.registration is not None and view.expires_at_ms is not None
    }
    assert acknowledged.keys() <= with_its_lease.keys()
    assert min(with_its_lease.values()) >= LIFETIME_S * 1000


def storm(gateway: Serving, kill_after: int) -> dict[str, tuple[str, ...]]:
    """Registers from many ports at once, and a crash in their midst: what was acknowledged, and where."""
    devices = [PlainDevice(gateway.port("coap")) for _ in range(50)]
    acknowledged: dict[str, tuple[str, ...]] = {}
    waiting: dict[socket.socket, tuple[PlainDevice, str]] = {}
    to_come = iter(range(DEVICES))

    def send_next(device: PlainDevice) -> None:
        number = next(to_come, None)
        if number is not None:
            node_id = f"storm-{number:04}"
            device.socket.send(device.register_datagram(node_id, LIFETIME_S))
            waiting[device.socket] = (device, node_id)

    for device in devices:
        send_next(device)
    while len(acknowledged) < kill_after:
        ready, _, _ = select.select(list(waiting), [], [], 20)
        assert ready, "the gateway stopped answering"
        for sock in ready:
            device, node_id = waiting.pop(sock)
            answer = aiocoap.Message.decode(sock.recv(2048))
            assert answer.code == aiocoap.CREATED
            acknowledged[node_id] = answer.opt.location_path
            send_next(device)
    gateway.process.send_signal(signal.SIGKILL)
    gateway.process.wait()
    # What had left before the crash was acknowledged too.
    for sock, (_, node_id) in waiting.items():
        sock.settimeout(0)
        try:
            answer = aiocoap.Message.decode(sock.recv(2048))
        except (BlockingIOError, ConnectionRefusedError):
            continue
        if answer.code == aiocoap.CREATED:
            acknowledged[node_id] = answer.opt.location_path
    for device in devices:
        device.socket.close()
    return acknowledged


def devices_of(database: Path) -> list:
    administration = Administration(Database.open(f"sqlite:///{database}"))
    try:
        return list(administration.list())
    finally:
        administration.close()
