"""The JSON shapes of devices, registrations and events, as scripts rely on them.

Values of the registry in, plain dicts out; `tools.admin.output` writes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.administration import Created, DeviceView, EventRow
from registry.model import Device, Registration
from tools.admin.output import rfc3339

Shape = dict[str, Any]


def created_shape(created: Created) -> Shape:
    """The answer of ``create`` and ``reset-secret``: the one place where a secret is shown."""
    device = created.device
    return {
        "device_id": device.device_id,
        "node_id": device.node_id,
        "security": device.security.value,
        "secret": created.secret,
        "timeout": device.timeout_s,
    }


def deleted_shape(device: Device) -> Shape:
    """The answer of ``delete``."""
    return {"device_id": device.device_id, "node_id": device.node_id}


def device_shape(view: DeviceView) -> Shape:
    """An element of ``list``."""
    device = view.device
    return {
        "device_id": device.device_id,
        "node_id": device.node_id,
        "security": device.security.value,
        "state": view.state.value,
        "timeout": device.timeout_s,
        "created_at": rfc3339(device.created_at_ms),
        "connected_at": rfc3339(device.connected_at_ms),
        "registration": view.registration and registration_shape(view.registration, view.expires_at_ms),
    }


def shown_shape(view: DeviceView) -> Shape:
    """The answer of ``show``: as in ``list``, with the last refusals."""
    refused = [
        {"at": rfc3339(refusal.at_ms), "address": refusal.address, "reason": refusal.reason}
        for refusal in view.refusals
    ]
    return {**device_shape(view), "refused": refused}


def registration_shape(registration: Registration, expires_at_ms: int | None) -> Shape:
    """A device's place; *expires_at_ms* as of the last snapshot, None if it never ends."""
    return {
        "location": f"/rd/{registration.location}",
        "address": registration.address,
        "lwm2m": registration.lwm2m,
        "binding": registration.binding,
        "lifetime": registration.lifetime_s,
        "objects": [{"path": link.path, "version": link.version} for link in registration.objects.links],
        "registered_at": rfc3339(registration.registered_at_ms),
        "expires_at": rfc3339(expires_at_ms),
    }


def event_shape(event: EventRow) -> Shape:
    """A line of ``events``."""
    return {
        "id": event.id,
        "at": rfc3339(event.at_ms),
        "type": event.type,
        "device_id": event.device_id,
        "node_id": event.node_id,
        "data": event.data,
    }
