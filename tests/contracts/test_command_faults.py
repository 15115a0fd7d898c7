"""Each fault an administrator can cause: one line, what was wrong and what to do, nothing half-written."""

from __future__ import annotations

import os
import pwd
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from registry.schema import LATEST
from tests.support.command import Nodegate
from tests.support.sources import ROOT

KEY = "0f" * 32
OTHER_KEY = "f0" * 32


@pytest.fixture
def nodegate(tmp_path: Path) -> Nodegate:
    return Nodegate(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (
            ("a", "--secret", "xyz"),
            "the secret is not hex: give an even number of digits 0-9 and a-f",
        ),
        (("a", "--secret", "abc"), "the secret is not hex: give an even number of digits 0-9 and a-f"),
        (("a", "--secret", "00" * 7), "the secret has 7 bytes; 8 to 64 are allowed"),
        (("a", "--secret", "00" * 65), "the secret has 65 bytes; 8 to 64 are allowed"),
        (("a", "--secret", ""), "the secret has 0 bytes; 8 to 64 are allowed"),
        (
            ("a", "--security", "none", "--secret", "00" * 16),
            "a device with security none has no secret; leave it out",
        ),
        (("a", "--timeout", "-1"), "the timeout -1 is negative; give seconds, or 0 for none"),
        (
            ("a", "--timeout", "9999999999"),
            "the timeout 9999999999 is above 316224000 seconds; give 0 for none",
        ),
        (("",), "the node ID is empty"),
        (("x" * 129,), "the node ID has 129 bytes; at most 128 are allowed"),
        (("ä" * 65,), "the node ID has 130 bytes; at most 128 are allowed"),
        (("a\x1b[2Jb",), "the node ID 'a\\x1b[2Jb' holds a control character"),
        (("a\x9bb",), "the node ID 'a\\x9bb' holds a control character"),
        (
            ("d-abcdefghijklmnop",),
            "d-abcdefghijklmnop has the form of a device ID; choose another node ID",
        ),
    ],
)
def test_device_that_cannot_be_made_is_refused_in_one_line(
    nodegate: Nodegate, arguments: tuple[str, ...], fault: str
) -> None:
    assert nodegate("device", "create", *arguments).fault == fault
    assert nodegate("device", "list", "--json").out == "[]\n"


def test_longest_node_id_and_the_bounds_of_a_secret_are_accepted(nodegate: Nodegate) -> None:
    assert nodegate("device", "create", "x" * 128, "--secret", "00" * 8).status == 0
    assert nodegate("device", "create", "ä" * 64, "--secret", "00" * 64).status == 0


def test_bad_secret_is_never_repeated(nodegate: Nodegate) -> None:
    assert "deadbee" not in nodegate("device", "create", "a", "--secret", "deadbee").fault
    assert "deadbee" not in nodegate("device", "create", "a", "--secret", "-", text="deadbee\n").fault


def test_node_id_that_is_taken_is_refused_and_its_device_unchanged(nodegate: Nodegate) -> None:
    nodegate("device", "create", "a")
    before = nodegate("device", "show", "a", "--json").out
    fault = nodegate("device", "create", "a", "--security", "none").fault
    assert fault == "a exists already; delete it first or choose another node ID"
    assert nodegate("device", "show", "a", "--json").out == before


@pytest.mark.parametrize("command", ["show", "delete", "freeze", "unfreeze", "reset-secret"])
def test_device_that_nobody_made_is_named_in_the_fault(nodegate: Nodegate, command: str) -> None:
    nodegate("device", "create", "a")
    assert nodegate("device", command, "b").fault == "no device has the node ID or device ID b"


def test_secret_of_a_device_without_one_is_not_reset(nodegate: Nodegate) -> None:
    nodegate("device", "create", "a", "--security", "none")
    assert nodegate("device", "reset-secret", "a").fault == "a has no secret: its security is none"


def test_control_characters_of_a_command_line_are_not_repeated_raw(nodegate: Nodegate) -> None:
    nodegate("device", "create", "a")
    assert nodegate("device", "show", "b\x1b[2J\nforged").fault.endswith("b\\x1b[2J\\nforged")
    answer = nodegate("device", "create", "a", "--security", "\x1b[2Jx")
    assert answer.status == 2
    assert "\x1b" not in answer.err


def test_file_that_is_no_database_is_refused_and_unchanged(nodegate: Nodegate) -> None:
    nodegate.database.write_bytes(b"once upon a time\n" * 1000)
    assert "is not a Nodegate database" in nodegate("device", "list").fault
    assert nodegate.database.read_bytes().startswith(b"once upon")


def test_database_of_another_program_is_refused_and_unchanged(nodegate: Nodegate) -> None:
    connection = sqlite3.connect(nodegate.database)
    connection.execute("CREATE TABLE precious (x)")
    connection.commit()
    connection.close()
    before = nodegate.database.read_bytes()
    fault = nodegate("device", "create", "a").fault
    assert fault == f"{nodegate.database} is not a Nodegate database; name another with --db or NODEGATE_DB"
    assert nodegate.database.read_bytes() == before


def test_database_of_a_newer_version_asks_for_an_upgrade(nodegate: Nodegate) -> None:
    nodegate("device", "create", "a")
    connection = sqlite3.connect(nodegate.database)
    connection.execute(f"PRAGMA user_version = {LATEST + 1}")
    connection.close()
    fault = nodegate("device", "list").fault
    assert "is from a newer version of Nodegate" in fault
    assert "upgrade the program" in fault


def test_damaged_database_is_told_as_such(nodegate: Nodegate) -> None:
    nodegate("device", "create", "a")
    damaged = bytearray(nodegate.database.read_bytes())
    damaged[100:] = b"\xff" * (len(damaged) - 100)
    nodegate.database.write_bytes(damaged)
    assert "damaged" in nodegate("device", "list").fault


def test_locked_database_is_refused_until_it_is_free(
    nodegate: Nodegate, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodegate("device", "create", "a")
    monkeypatch.setattr("registry.sqlite.BUSY_TIMEOUT_S", 0.01)
    connection = sqlite3.connect(nodegate.database, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        fault = nodegate("device", "create", "b", "--security", "none").fault
    finally:
        connection.close()
    assert fault == f"{nodegate.database} is locked by another program; try again when that has finished"
    assert nodegate("device", "create", "b", "--security", "none").status == 0


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("postgresql://host/db", "postgresql is not supported"),
        ("sqlite://nodegate.db", "one slash is missing"),
        ("sqlite:///", "names no file"),
        ("sqlite:////nowhere/at/all/a.db", "does not exist"),
        ("sqlite:////", "is not a file"),
    ],
)
def test_url_that_names_no_usable_file_is_refused_with_the_reason(
    nodegate: Nodegate, url: str, part: str
) -> None:
    assert part in nodegate("device", "create", "a", "--db", url).fault


def test_missing_key_stops_what_needs_it_and_is_not_made_anew(nodegate: Nodegate) -> None:
    nodegate("device", "create", "a")
    key = nodegate.folder / "nodegate.db.key"
    key.unlink()
    fault = nodegate("device", "create", "b").fault
    assert "key is missing" in fault
    assert f"restore {key} or set NODEGATE_KEY or NODEGATE_KEY_FILE" in fault
    assert not key.exists()
    assert "key is missing" in nodegate("device", "reset-secret", "a").fault
    assert nodegate("device", "create", "c", "--security", "none").status == 0


def test_wrong_key_is_refused_and_not_repeated(nodegate: Nodegate) -> None:
    nodegate("device", "create", "a", NODEGATE_KEY=KEY)
    fault = nodegate("device", "create", "b", NODEGATE_KEY=OTHER_KEY).fault
    assert "sealed with another key" in fault
    assert "NODEGATE_KEY" in fault
    assert OTHER_KEY not in fault
    assert nodegate("device", "create", "b", NODEGATE_KEY=KEY).status == 0
    assert not (nodegate.folder / "nodegate.db.key").exists()


@pytest.mark.parametrize("text", ["secret", KEY[:-1], KEY + "00", "zz" * 32])
def test_malformed_key_is_not_repeated(nodegate: Nodegate, text: str) -> None:
    fault = nodegate("device", "create", "a", NODEGATE_KEY=text).fault
    assert fault == "NODEGATE_KEY does not hold a key: 64 hex digits are expected"


def test_key_is_taken_from_the_file_that_is_named(nodegate: Nodegate) -> None:
    file = nodegate.folder / "key"
    assert "does not exist" in nodegate("device", "create", "a", NODEGATE_KEY_FILE=str(file)).fault
    file.write_text(KEY + "\n")
    assert nodegate("device", "create", "a", NODEGATE_KEY_FILE=str(file)).status == 0
    file.write_text("not a key")
    fault = nodegate("device", "create", "b", NODEGATE_KEY_FILE=str(file)).fault
    assert fault == f"the key file {file} does not hold a key: 64 hex digits are expected"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


@contextmanager
def as_a_plain_user() -> Iterator[None]:
    """For root, who may write everything: be the user nobody for a while."""
    if os.geteuid() != 0:
        yield
        return
    if not hasattr(os, "setresuid"):
        pytest.skip("root may write everything, and this system cannot change users for a while")
    nobody = pwd.getpwnam("nobody").pw_uid
    os.setresuid(nobody, nobody, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_database_that_is_not_writable_names_its_owner(open_folder: Path) -> None:
    nodegate = Nodegate(open_folder)
    nodegate("device", "create", "a", "--security", "none")
    nodegate.database.chmod(0o444)
    with as_a_plain_user():
        fault = nodegate("device", "create", "b", "--security", "none").fault
    owner = nodegate.database.owner()
    assert fault == (
        f"{nodegate.database} is not writable by this user: it belongs to {owner}; run the command as {owner}"
    )


def test_own_database_that_is_read_only_says_so(open_folder: Path) -> None:
    nodegate = Nodegate(open_folder)
    # Everything is loaded once before, for the other user may not read it.
    nodegate("device", "create", "a", "--db", str(open_folder / "other.db"))
    open_folder.chmod(0o777)
    with as_a_plain_user():
        nodegate("device", "create", "a", "--security", "none")
        nodegate.database.chmod(0o444)
        fault = nodegate("device", "create", "b", "--security", "none").fault
    assert fault == (
        f"{nodegate.database} is not writable: it is this user's, but read-only;"
        f" let its owner write to {nodegate.database}"
    )


def test_folder_that_is_not_writable_names_its_owner(open_folder: Path) -> None:
    nodegate = Nodegate(open_folder)
    # Everything is loaded once before, for the other user may not read it.
    nodegate("device", "create", "a", "--security", "none")
    open_folder.chmod(0o555)
    with as_a_plain_user():
        fault = nodegate("device", "create", "a", "--db", str(open_folder / "new.db")).fault
    assert "new.db is not writable by this user" in fault
    assert f"its folder {open_folder} belongs to {open_folder.owner()}" in fault


def test_a_bug_of_ours_is_one_line_as_well() -> None:
    program = (
        "import sys; from tools.admin import device, main\n"
        "def fail(*_, **__): raise ZeroDivisionError('a\\x1bb')\n"
        "device.open_if_there = fail\n"
        "sys.argv = ['nodegate', 'device', 'list']; main.main()"
    )
    environment = {name: text for name, text in os.environ.items() if not name.startswith("NODEGATE_")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 1
    assert done.stderr.startswith("nodegate: internal error: ZeroDivisionError: a\\x1bb")
    assert done.stderr.count("\n") == 1
    told = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "PYTHONPATH": str(ROOT), "NODEGATE_TRACEBACK": "1"},
    )
    assert "Traceback" in told.stderr
