"""``nodegate device``: shapes, states, exit statuses (docs/operations/administration.md)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from registry.administration import Administration
from registry.model import Security
from registry.sqlite import Database
from tests.support.command import Nodegate

SECRET = bytes(range(16)).hex()
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
DEVICE_ID = r"d-[a-z2-7]{16}"


@pytest.fixture
def nodegate(tmp_path: Path) -> Nodegate:
    return Nodegate(tmp_path)


def test_create_answers_with_a_generated_secret(nodegate: Nodegate) -> None:
    answer = nodegate("device", "create", "meter-7", "--json").json
    assert list(answer) == ["device_id", "node_id", "security", "secret", "timeout"]
    assert re.fullmatch(DEVICE_ID, answer["device_id"])
    assert re.fullmatch(r"[0-9a-f]{32}", answer["secret"])
    assert (answer["node_id"], answer["security"], answer["timeout"]) == ("meter-7", "psk", 0)


def test_create_takes_what_is_given(nodegate: Nodegate) -> None:
    answer = nodegate("device", "create", "a", "--secret", SECRET.upper(), "--timeout", "60", "--json").json
    assert answer["secret"] == SECRET
    assert answer["timeout"] == 60


@pytest.mark.parametrize("text", [SECRET, SECRET + "\n", f"  {SECRET}\r\n"])
def test_secret_may_come_from_stdin(nodegate: Nodegate, text: str) -> None:
    assert nodegate("device", "create", "a", "--secret", "-", "--json", text=text).json["secret"] == SECRET
    assert (
        nodegate("device", "reset-secret", "a", "--secret", "-", "--json", text=text).json["secret"] == SECRET
    )


def test_device_without_security_has_no_secret(nodegate: Nodegate) -> None:
    assert nodegate("device", "create", "a", "--security", "none", "--json").json["secret"] is None


def test_node_id_may_begin_with_a_minus_behind_two(nodegate: Nodegate) -> None:
    assert nodegate("device", "create", "--json", "--", "-a").json["node_id"] == "-a"


def test_secret_is_shown_once(nodegate: Nodegate) -> None:
    secret = nodegate("device", "create", "a", "--json").json["secret"]
    for arguments in (("show", "a"), ("show", "a", "--json"), ("list",), ("list", "--json"), ("freeze", "a")):
        assert secret not in nodegate("device", *arguments).out
    assert secret not in nodegate("events", "--json").out
    assert bytes.fromhex(secret) not in nodegate.database.read_bytes()


def test_text_of_create_says_that_the_secret_is_shown_once(nodegate: Nodegate) -> None:
    out = nodegate("device", "create", "a", "--secret", SECRET).out
    assert SECRET in out
    assert "shown this once" in out
    assert "shown this once" not in nodegate("device", "create", "b", "--security", "none").out


def test_new_device_is_shown_inactive(nodegate: Nodegate) -> None:
    created = nodegate("device", "create", "a", "--timeout", "60", "--json").json
    shown = nodegate("device", "show", "a", "--json").json
    assert re.fullmatch(TIME, shown.pop("created_at"))
    assert shown == {
        "device_id": created["device_id"],
        "node_id": "a",
        "security": "psk",
        "state": "inactive",
        "timeout": 60,
        "connected_at": None,
        "certificate_sha256": None,
        "public_key_sha256": None,
        "registration": None,
        "refused": [],
    }


def test_device_id_is_accepted_where_a_node_id_is_asked(nodegate: Nodegate) -> None:
    device_id = nodegate("device", "create", "a", "--json").json["device_id"]
    for command in ("show", "freeze", "unfreeze"):
        assert nodegate("device", command, device_id, "--json").json["node_id"] == "a"
    assert nodegate("device", "reset-secret", device_id, "--json").json["node_id"] == "a"
    assert nodegate("device", "delete", device_id, "--json").json == {"device_id": device_id, "node_id": "a"}


def test_freeze_and_unfreeze_answer_as_show(nodegate: Nodegate) -> None:
    nodegate("device", "create", "a")
    frozen = nodegate("device", "freeze", "a", "--json").json
    assert frozen["state"] == "frozen"
    assert frozen == nodegate("device", "show", "a", "--json").json
    unfrozen = nodegate("device", "unfreeze", "a", "--json").json
    assert unfrozen["state"] == "inactive"
    assert unfrozen == nodegate("device", "show", "a", "--json").json


def test_reset_secret_answers_as_create(nodegate: Nodegate) -> None:
    created = nodegate("device", "create", "a", "--json").json
    reset = nodegate("device", "reset-secret", "a", "--json").json
    assert reset.pop("secret") != created.pop("secret")
    assert reset == created


def test_delete_asks_nothing_off_a_terminal(nodegate: Nodegate) -> None:
    nodegate("device", "create", "a")
    assert nodegate("device", "delete", "a").status == 0
    assert nodegate("device", "show", "a").status == 1


def test_list_is_ordered_by_node_id_and_has_no_refusals(nodegate: Nodegate) -> None:
    for node_id in ("b", "a", "C"):
        nodegate("device", "create", node_id, "--security", "none")
    listed = nodegate("device", "list", "--json").json
    assert [device["node_id"] for device in listed] == ["C", "a", "b"]
    shown = nodegate("device", "show", "a", "--json").json
    del shown["refused"]
    assert listed[1] == shown


def test_list_comes_in_pages(nodegate: Nodegate) -> None:
    for number in range(5):
        nodegate("device", "create", f"n{number}", "--security", "none")
    seen: list[str] = []
    after: tuple[str, ...] = ()
    while page := nodegate("device", "list", "--limit", "2", *after, "--json").json:
        assert len(page) <= 2
        seen += [device["node_id"] for device in page]
        after = ("--after", seen[-1])
    assert seen == ["n0", "n1", "n2", "n3", "n4"]


def test_list_filters_by_state_and_security(nodegate: Nodegate) -> None:
    nodegate("device", "create", "a")
    nodegate("device", "create", "b", "--security", "none")
    nodegate("device", "freeze", "b")

    def listed(*arguments: str) -> list[str]:
        return [device["node_id"] for device in nodegate("device", "list", *arguments, "--json").json]

    assert listed("--state", "frozen") == ["b"]
    assert listed("--state", "inactive") == ["a"]
    assert listed("--security", "psk") == ["a"]
    assert listed("--security", "psk", "--state", "frozen") == []


def test_empty_list_is_a_list(nodegate: Nodegate) -> None:
    nodegate("device", "create", "a")
    nodegate("device", "delete", "a")
    assert nodegate("device", "list", "--json").json == []
    assert nodegate("device", "list").out == "no devices\n"


@pytest.mark.parametrize("command", [("device", "list"), ("events",)])
def test_looking_where_no_registry_is_says_so_and_makes_none(
    nodegate: Nodegate, command: tuple[str, ...]
) -> None:
    answer = nodegate(*command, "--json")
    assert answer.status == 0
    assert answer.out in {"[]\n", ""}
    assert "does not exist yet" in answer.err
    assert not nodegate.database.exists()


@pytest.mark.parametrize("command", ["show", "delete", "freeze", "unfreeze", "reset-secret"])
def test_changing_what_is_in_no_registry_makes_none(nodegate: Nodegate, command: str) -> None:
    assert "does not exist" in nodegate("device", command, "a").fault
    assert not nodegate.database.exists()


@pytest.mark.parametrize("place", ["option", "variable"])
def test_registry_is_named_by_option_or_variable(nodegate: Nodegate, place: str) -> None:
    other = f"sqlite:///{nodegate.folder / 'other.db'}"
    if place == "option":
        nodegate("device", "create", "a", "--db", other)
    else:
        nodegate("device", "create", "a", NODEGATE_DB=other)
    assert not nodegate.database.exists()
    assert [device["node_id"] for device in nodegate("device", "list", "--db", other, "--json").json] == ["a"]


def test_registry_lies_in_the_working_directory_by_default(
    nodegate: Nodegate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(nodegate.folder)
    nodegate.environment["NODEGATE_DB"] = None
    nodegate("device", "create", "a", "--security", "none")
    assert (nodegate.folder / "nodegate.db").exists()


def test_key_is_made_beside_the_database_for_its_owner_alone(nodegate: Nodegate) -> None:
    nodegate("device", "create", "a", "--security", "none")
    key = nodegate.folder / "nodegate.db.key"
    assert not key.exists()
    nodegate("device", "create", "b")
    assert re.fullmatch(r"[0-9a-f]{64}", key.read_text().strip())
    assert key.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("node_id", ["[red]x[/red]", "[/]", "a:smile:b", "Zähler", "a b"])
def test_node_ids_are_shown_as_they_are(nodegate: Nodegate, node_id: str) -> None:
    assert nodegate("device", "create", node_id, "--json").json["node_id"] == node_id
    for command in (("list",), ("show", node_id)):
        assert node_id in nodegate("device", *command).out


def test_long_list_is_not_folded_off_a_terminal(nodegate: Nodegate) -> None:
    node_id = "x" * 128
    nodegate("device", "create", node_id)
    assert node_id in nodegate("device", "list").out.splitlines()[1]


def test_refusals_are_shown_with_time_address_and_reason(nodegate: Nodegate) -> None:
    with Administration(Database.open(nodegate.database)) as administration:
        administration.create("a", Security.NONE)
    with Database.open(nodegate.database) as database, database.transaction() as connection:
        connection.execute(
            "INSERT INTO refusal (node_id, at_ms, address, reason) VALUES (?, ?, ?, ?)",
            ("a", 1_700_000_000_123, "[::1]:5", "wrong key"),
        )
    assert nodegate("device", "show", "a", "--json").json["refused"] == [
        {"at": "2023-11-14T22:13:20.123Z", "address": "[::1]:5", "reason": "wrong key"}
    ]
    assert "[::1]:5" in nodegate("device", "show", "a").out


@pytest.mark.parametrize(
    "arguments",
    [
        ("device", "create", "a", "--security", "tls"),
        ("device", "create", "a", "--timeout", "soon"),
        ("device", "create"),
        ("device", "create", "a", "b"),
        ("device", "create", "a", "--colour"),
        ("device", "list", "--state", "asleep"),
        ("device", "list", "--limit", "0"),
        ("device", "rename", "a"),
        ("device",),
        ("events", "--type", "nothing"),
        ("serve", "--http-port", "8080"),
        ("--db", "sqlite:///a.db", "device", "list"),
        (),
    ],
)
def test_command_line_that_is_not_understood_ends_with_2(
    nodegate: Nodegate, arguments: tuple[str, ...]
) -> None:
    answer = nodegate(*arguments)
    assert answer.status == 2
    assert "Traceback" not in answer.err
    assert not nodegate.database.exists()


def test_what_was_not_understood_is_one_line(nodegate: Nodegate) -> None:
    answer = nodegate("device", "create", "a", "--security", "tls")
    assert answer.out == ""
    assert answer.err == (
        "nodegate: Invalid value for '--security': 'tls' is not one of 'none', 'psk', 'x509', 'rpk'; "
        "see 'nodegate device create --help'\n"
    )


@pytest.mark.parametrize(
    "command",
    [
        ("device", name)
        for name in ("create", "list", "show", "delete", "reset-secret", "freeze", "unfreeze", "import")
    ]
    + [("events",), ("serve",)],
)
def test_help_has_examples(nodegate: Nodegate, command: tuple[str, ...]) -> None:
    answer = nodegate(*command, "--help")
    assert answer.status == 0
    assert "Examples:" in answer.out
    assert f"nodegate {' '.join(command)}" in answer.out


def test_json_of_every_command_is_one_value(nodegate: Nodegate) -> None:
    for command in ("create", "show", "freeze", "unfreeze", "reset-secret", "delete"):
        assert json.loads(nodegate("device", command, "a", "--json").out)["node_id"] == "a"
    assert json.loads(nodegate("device", "list", "--json").out) == []
