"""Tells the service manager that the gateway is ready, or stops (``sd_notify(3)`` of systemd)."""

from __future__ import annotations

import os
import socket

READY = "READY=1"
STOPPING = "STOPPING=1"


def notify(state: str) -> None:
    """Send *state* to the socket that ``NOTIFY_SOCKET`` names; nothing where there is none."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    # An abstract socket is written with @ in the environment and begins with a zero byte.
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(state.encode(), address)
