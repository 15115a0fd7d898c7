"""Simulated devices that a report counts, without a network."""

from __future__ import annotations

from random import Random

from tools.simulator.device import Device
from tools.simulator.report import Report
from tools.simulator.settings import DeviceSettings


def device(node_id: str = "a", psk: bytes | None = None) -> Device:
    """One that has done nothing yet."""
    return Device(DeviceSettings(node_id, psk=psk), Random(1).randbytes, Random(1))


def started(*devices: Device) -> Report:
    """A report that expects *devices*, which have begun."""
    report = Report()
    for one in devices:
        report.expect(one.settings.node_id, one.settings.scheme)
        report.count_start(one)
    return report
