"""A changed trust folder: new anchors once, each fault once, and no change while it cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.credentials.trustfolder import TrustFolder, read_trust_folder
from gateway.dtls.trust import TrustAnchors
from gateway.workers.trust import TrustWatch
from tests.support.certificates import authority
from tests.support.registry import InlineExecutor

ONE, TWO = authority("CA 1"), authority("CA 2")


class Watched:
    def __init__(self, folder: Path, known: TrustFolder | None = None) -> None:
        self.used: list[TrustAnchors] = []
        self.watch = TrustWatch(
            folder, known or read_trust_folder(folder), self.used.append, executor=InlineExecutor()
        )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "trust"
    path.mkdir()
    (path / "one.pem").write_bytes(ONE.pem)
    return path


async def test_new_anchors_are_handed_over_once(folder: Path) -> None:
    watched = Watched(folder)
    await watched.watch.work()
    assert watched.used == []
    (folder / "two.pem").write_bytes(TWO.pem)
    await watched.watch.work()
    await watched.watch.work()
    assert watched.used == [TrustAnchors([ONE.der, TWO.der])]


async def test_folder_that_looks_the_same_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.workers.trust.find_signature", lambda path: (("settled",),))
    watched = Watched(folder, TrustFolder(TrustAnchors(), (), (("settled",),)))
    await watched.watch.work()
    assert watched.used == []
    watched = Watched(folder, TrustFolder(TrustAnchors(), (), (("older",),)))
    await watched.watch.work()
    assert watched.used == [TrustAnchors([ONE.der])]


async def test_each_unreadable_file_is_told_of_once(folder: Path) -> None:
    (folder / "bad.pem").write_bytes(b"nonsense")
    with capture_logs() as logs:
        watched = Watched(folder)
        await watched.watch.work()
        (folder / "worse.pem").write_bytes(b"nonsense")
        await watched.watch.work()
        await watched.watch.work()
    told = [entry["reason"].partition(":")[0] for entry in logs if entry["log_level"] == "warning"]
    assert told == [f"{folder}/bad.pem", f"{folder}/worse.pem"]


async def test_anchors_stay_while_the_folder_cannot_be_read(folder: Path, tmp_path: Path) -> None:
    watched = Watched(folder)
    os.rename(folder, tmp_path / "away")
    with capture_logs() as logs:
        await watched.watch.work()
        await watched.watch.work()
    assert [entry["log_level"] for entry in logs] == ["error"]
    assert watched.used == []
    os.rename(tmp_path / "away", folder)
    (folder / "one.pem").unlink()
    await watched.watch.work()
    assert watched.used == [TrustAnchors()]
