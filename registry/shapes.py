"""Values as the JSON that commands and applications see. One place, so that they cannot differ."""

from __future__ import annotations

import json

from registry.commands import Command
from registry.model import Created, DeviceView, EventRow, ObjectList, Registration
from registry.timestamps import format_ms


def describe_objects(objects: ObjectList) -> list[dict[str, object]]:
    """``[{"path", "version"}]``."""
    return [{"path": link.path, "version": link.version} for link in objects.links]


def describe_registration(registration: Registration, expires_at_ms: int | None) -> dict[str, object]:
    """What ``device show`` and the event ``registered`` say of a registration."""
    return {
        "location": f"/rd/{registration.location}",
        "address": registration.address,
        "lwm2m": registration.lwm2m,
        "binding": registration.binding,
        "lifetime": registration.lifetime_s,
        "objects": describe_objects(registration.objects),
        "registered_at": format_ms(registration.registered_at_ms),
        "expires_at": None if expires_at_ms is None else format_ms(expires_at_ms),
    }


def describe_device(view: DeviceView, *, with_refusals: bool) -> dict[str, object]:
    """``device show``, and without refusals an element of ``device list``."""
    device, registration, expires_at_ms = view.device, view.registration, view.expires_at_ms
    description: dict[str, object] = {
        "device_id": device.device_id,
        "node_id": device.node_id,
        "security": device.security.value,
        "state": view.state.value,
        "timeout": device.timeout_s,
        "created_at": format_ms(device.created_at_ms),
        "connected_at": None if device.connected_at_ms is None else format_ms(device.connected_at_ms),
        "certificate_sha256": _describe_sha256(device.certificate_sha256),
        "public_key_sha256": _describe_sha256(device.public_key_sha256),
        "registration": None if registration is None else describe_registration(registration, expires_at_ms),
    }
    if with_refusals:
        description["refused"] = [
            {"at": format_ms(refusal.at_ms), "address": refusal.address, "reason": refusal.reason}
            for refusal in view.refusals
        ]
    return description


def _describe_sha256(digest: bytes | None) -> str | None:
    return None if digest is None else digest.hex()


def describe_created(created: Created) -> dict[str, object]:
    """The answer of ``create`` and ``reset-secret``; holds the secret."""
    device = created.device
    return {
        "device_id": device.device_id,
        "node_id": device.node_id,
        "security": device.security.value,
        "secret": None if created.secret is None else created.secret.hex(),
        "timeout": device.timeout_s,
    }


def describe_event(event: EventRow) -> dict[str, object]:
    """An element of ``nodegate events``."""
    return {
        "id": event.id,
        "at": format_ms(event.at_ms),
        "type": event.type,
        "device_id": event.device_id,
        "node_id": event.node_id,
        "data": event.data,
    }


def describe_answer(command: Command) -> dict[str, object]:
    """What whoever asked gets to see."""
    result = command.result
    return {
        "command_id": command.id,
        "state": command.state.value,
        "code": result.code,
        "format": result.format,
        "values": None if result.values is None else json.loads(result.values),
        "links": None if result.links is None else json.loads(result.links),
        "error": result.error,
    }


def describe_command(command: Command) -> dict[str, object]:
    """``command show``, and an element of ``command list``."""
    return {
        **describe_answer(command),
        "node_id": command.node_id,
        "operation": command.operation,
        "paths": list(command.paths),
        "created_at": format_ms(command.created_at_ms),
        "expires_at": format_ms(command.expires_at_ms),
        "attempts": command.attempts,
    }
