"""``nodegate device import``: all or none, every bad line named, generated secrets kept safe first."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.support.command import Nodegate

SECRET = bytes(range(16)).hex()
FLEET = f"node_id,security,secret,timeout\na,psk,{SECRET},60\nb,,,\nc,none,,\n"


@pytest.fixture
def nodegate(tmp_path: Path) -> Nodegate:
    return Nodegate(tmp_path)


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    file = tmp_path / "fleet.csv"
    file.write_text(FLEET)
    return file


def listed(nodegate: Nodegate) -> list[str]:
    return [device["node_id"] for device in nodegate("device", "list", "--json").json]


def test_json_answer_holds_every_device_as_create_answers(nodegate: Nodegate, fleet: Path) -> None:
    answer = nodegate("device", "import", str(fleet), "--json").json
    assert list(answer) == ["created", "devices"]
    assert answer["created"] == 3
    given, generated, plain = answer["devices"]
    assert given == {
        "device_id": given["device_id"],
        "node_id": "a",
        "security": "psk",
        "secret": SECRET,
        "timeout": 60,
    }
    assert len(generated["secret"]) == 32
    assert (plain["security"], plain["secret"]) == ("none", None)
    for device in answer["devices"]:
        assert nodegate("device", "show", device["device_id"], "--json").json["node_id"] == device["node_id"]


def test_generated_secrets_go_to_a_file_in_the_import_format(
    nodegate: Nodegate, fleet: Path, tmp_path: Path
) -> None:
    out = tmp_path / "secrets.csv"
    answer = nodegate("device", "import", str(fleet), "--secrets-out", str(out))
    assert answer.status == 0
    assert "created 3 devices" in answer.out
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    header, line = out.read_text().splitlines()
    assert header == "node_id,security,secret,timeout"
    node_id, security, secret, timeout = line.split(",")
    assert (node_id, security, len(bytes.fromhex(secret)), timeout) == ("b", "psk", 16, "0")
    assert secret not in answer.out
    other = Nodegate(tmp_path, NODEGATE_DB=f"sqlite:///{tmp_path / 'other.db'}")
    assert other("device", "import", str(out), "--json").json["devices"][0]["secret"] == secret


def test_with_a_file_the_json_answer_holds_no_secret(nodegate: Nodegate, fleet: Path, tmp_path: Path) -> None:
    out = tmp_path / "secrets.csv"
    answer = nodegate("device", "import", str(fleet), "--secrets-out", str(out), "--json").json
    assert [device["secret"] for device in answer["devices"]] == [None, None, None]


def test_import_that_would_lose_secrets_is_refused(nodegate: Nodegate, fleet: Path) -> None:
    fault = nodegate("device", "import", str(fleet)).fault
    assert fault == "secrets would be generated and lost; say where to with --secrets-out FILE, or use --json"
    assert not nodegate.database.exists()


def test_import_that_generates_nothing_needs_no_file_and_makes_none(
    nodegate: Nodegate, tmp_path: Path
) -> None:
    file = tmp_path / "a.csv"
    file.write_text("node_id,security\na,none\n")
    out = tmp_path / "secrets.csv"
    answer = nodegate("device", "import", str(file), "--secrets-out", str(out))
    assert answer.out == "created 1 device\n"
    assert not out.exists()


def test_import_reads_stdin(nodegate: Nodegate) -> None:
    assert nodegate("device", "import", "-", "--json", text="node_id\na\n").json["created"] == 1


def test_byte_order_mark_and_windows_line_ends_are_tolerated(nodegate: Nodegate) -> None:
    text = b"\xef\xbb\xbfnode_id,security\r\na,none\r\n"
    assert nodegate("device", "import", "-", "--json", text=text).json["created"] == 1


def test_every_bad_line_is_named_and_nothing_is_done(nodegate: Nodegate, tmp_path: Path) -> None:
    nodegate("device", "create", "taken", "--security", "none")
    file = tmp_path / "bad.csv"
    file.write_text(
        "node_id,security,secret,timeout\na,psk,zz,\ntaken,none,,\nb,none,,-1\nc,none,,\nc,none,,\n"
    )
    answer = nodegate("device", "import", str(file), "--json")
    assert answer.status == 1
    assert answer.out == ""
    assert answer.err.splitlines() == [
        f"nodegate: {file}, line 2: the secret is not hex: give an even number of digits 0-9 and a-f",
        f"nodegate: {file}, line 3: taken exists already; delete it first or choose another node ID",
        f"nodegate: {file}, line 4: the timeout -1 is negative; give seconds, or 0 for none",
        f"nodegate: {file}, line 6: node ID c stands on line 5 already",
        "nodegate: nothing was imported",
    ]
    assert listed(nodegate) == ["taken"]


def test_taken_node_ids_are_named_by_their_lines(nodegate: Nodegate, fleet: Path, tmp_path: Path) -> None:
    nodegate("device", "create", "c")
    out = tmp_path / "secrets.csv"
    answer = nodegate("device", "import", str(fleet), "--secrets-out", str(out))
    assert answer.err.splitlines()[0].startswith(f"nodegate: {fleet}, line 4: c exists already")
    assert listed(nodegate) == ["c"]
    assert not out.exists()


def test_bad_file_makes_no_registry(nodegate: Nodegate) -> None:
    assert nodegate("device", "import", "-", text="").status == 1
    assert not nodegate.database.exists()


def test_missing_file_is_named(nodegate: Nodegate, tmp_path: Path) -> None:
    file = tmp_path / "none.csv"
    assert nodegate("device", "import", str(file)).fault == f"{file}: No such file or directory"


def test_secrets_file_that_is_there_is_not_overwritten(
    nodegate: Nodegate, fleet: Path, tmp_path: Path
) -> None:
    out = tmp_path / "secrets.csv"
    out.write_text("precious")
    fault = nodegate("device", "import", str(fleet), "--secrets-out", str(out)).fault
    assert fault == f"{out} is there already and may hold secrets; name a new file"
    assert out.read_text() == "precious"
    assert listed(nodegate) == []


def test_secrets_lie_on_the_disk_before_the_commit(
    nodegate: Nodegate, fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "secrets.csv"

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device", str(out))

    nodegate("device", "create", "first")
    monkeypatch.setattr("tools.admin.csvformat.os.fsync", fail)
    fault = nodegate("device", "import", str(fleet), "--secrets-out", str(out)).fault
    assert fault == f"{out}: No space left on device"
    assert not out.exists()
    assert listed(nodegate) == ["first"]


def test_events_tell_of_every_imported_device(nodegate: Nodegate, fleet: Path) -> None:
    nodegate("device", "import", str(fleet), "--json")
    lines = nodegate("events", "--type", "device_created", "--json").out.splitlines()
    assert len(lines) == 3
