"""What the service manager is told."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from gateway import readiness


def test_nothing_is_told_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("no socket is needed")

    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setattr(socket, "socket", refuse)
    readiness.notify(readiness.READY)


@pytest.mark.parametrize("is_abstract", [False, True])
def test_state_goes_to_the_socket_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_abstract: bool
) -> None:
    path = str(tmp_path / "notify")
    if is_abstract and not hasattr(socket, "AF_NETLINK"):
        pytest.skip("abstract sockets are Linux's")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + path if is_abstract else path)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + path if is_abstract else path)
        readiness.notify(readiness.READY)
        assert manager.recv(64) == b"READY=1"
