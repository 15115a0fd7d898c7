"""The requests that a device makes: registration interface and Send (OMA Core TS 1.2 §6.2, §6.4)."""

from __future__ import annotations

from aiocoap.message import Message
from aiocoap.numbers.codes import Code

from tools.simulator.messages import new_message
from tools.simulator.settings import DeviceSettings

LINK_FORMAT = 40


def build_register(settings: DeviceSettings, lifetime_s: int, objects: str | None = None) -> Message:
    """Register, with its whole payload: *objects*, or those of the settings."""
    message = new_message(Code.POST, (settings.objects if objects is None else objects).encode())
    message.opt.uri_path = ("rd",)
    message.opt.content_format = LINK_FORMAT
    queries = [f"lwm2m={settings.lwm2m}", f"lt={lifetime_s}", *_binding(settings), *settings.parameters]
    if settings.has_ep:
        queries.insert(0, f"ep={settings.node_id}")
    message.opt.uri_query = tuple(queries)
    return message


def build_update(
    location: tuple[str, ...], lifetime_s: int | None = None, objects: str | None = None
) -> Message:
    """Update at *location*; without a lifetime and an object list it only renews."""
    message = new_message(Code.POST, (objects or "").encode())
    message.opt.uri_path = location
    if objects is not None:
        message.opt.content_format = LINK_FORMAT
    if lifetime_s is not None:
        message.opt.uri_query = (f"lt={lifetime_s}",)
    return message


def build_send(payload: bytes, content_format: int) -> Message:
    """Send: values that nobody asked for."""
    message = new_message(Code.POST, payload)
    message.opt.uri_path = ("dp",)
    message.opt.content_format = content_format
    return message


def build_deregister(location: tuple[str, ...]) -> Message:
    """De-register at *location*."""
    message = new_message(Code.DELETE)
    message.opt.uri_path = location
    return message


def _binding(settings: DeviceSettings) -> list[str]:
    """``b`` and ``Q``: 1.0 writes queue mode into the binding, later versions as a flag."""
    if settings.lwm2m == "1.0":
        binding = settings.binding or "U"
        if settings.is_queue_mode:
            return [f"b={binding}Q"]
        return [f"b={binding}"] if settings.binding else []
    queries = [f"b={settings.binding}"] if settings.binding else []
    return [*queries, "Q"] if settings.is_queue_mode else queries
