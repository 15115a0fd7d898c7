"""Which files of the trust folder are anchors, which are named, and when it counts as changed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from gateway.credentials.errors import CredentialError
from gateway.credentials.trustfolder import find_signature, read_trust_folder
from gateway.dtls.trust import TrustAnchors
from tests.support.certificates import authority, make

ONE, TWO, THREE = (authority(f"CA {number}") for number in range(3))


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Minutes have passed since anything was written."""
    now_ns = time.time_ns
    monkeypatch.setattr("gateway.credentials.trustfolder.time.time_ns", lambda: now_ns() + 10**11)


def test_every_ca_certificate_of_pem_and_crt_files_is_an_anchor(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_bytes(ONE.pem + TWO.pem + make("leaf").pem)
    (tmp_path / "b.crt").write_bytes(THREE.der)
    (tmp_path / "c.txt").write_bytes(authority("another").pem)
    folder = read_trust_folder(tmp_path)
    assert folder.anchors == TrustAnchors([ONE.der, TWO.der, THREE.der])
    assert folder.faults == ()


def test_empty_folder_trusts_nobody(tmp_path: Path) -> None:
    assert len(read_trust_folder(tmp_path).anchors) == 0


def test_unreadable_files_are_named_and_skipped(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_bytes(b"nonsense")
    (tmp_path / "b.pem").write_bytes(ONE.pem)
    (tmp_path / "c.pem").mkdir()
    (tmp_path / "d.pem").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "e.pem")
    (tmp_path / "f.pem").write_bytes(make("leaf").pem)
    folder = read_trust_folder(tmp_path)
    assert folder.anchors == TrustAnchors([ONE.der])
    assert list(folder.faults) == [
        f"{tmp_path}/a.pem: skipped: no certificate, or one that cannot be read",
        f"{tmp_path}/c.pem: skipped: Is a directory",
        f"{tmp_path}/d.pem: skipped: No such file or directory",
        f"{tmp_path}/e.pem: skipped: not a file",
        f"{tmp_path}/f.pem: no CA certificate in it",
    ]


def test_folder_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    fault = r"dtls\.trust_dir .*none: cannot be read: No such file .*; name a folder"
    with pytest.raises(CredentialError, match=fault):
        read_trust_folder(tmp_path / "none")


@pytest.mark.usefixtures("later")
def test_signature_tells_every_change(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_bytes(ONE.pem)
    seen = {find_signature(tmp_path)}
    (tmp_path / "b.pem").write_bytes(TWO.pem)
    seen.add(find_signature(tmp_path))
    (tmp_path / "b.pem").rename(tmp_path / "c.pem")
    seen.add(find_signature(tmp_path))
    (tmp_path / "a.pem").write_bytes(TWO.pem + THREE.pem)
    seen.add(find_signature(tmp_path))
    (tmp_path / "d.pem").symlink_to(tmp_path / "nowhere")
    seen.add(find_signature(tmp_path))
    assert len(seen) == 5
    (tmp_path / "e.txt").write_bytes(b"")
    assert find_signature(tmp_path) in seen


def test_what_was_written_just_now_cannot_be_told_from_what_comes_next(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_bytes(ONE.pem)
    assert find_signature(tmp_path) == ()
    assert read_trust_folder(tmp_path).signature == ()
