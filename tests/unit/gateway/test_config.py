"""Sources of settings: which wins, and what is said about what cannot be used."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.config import ConfigError, Override, load


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("NODEGATE_"):
            monkeypatch.delenv(name)


@pytest.fixture
def write(tmp_path: Path):
    def write_file(text: str) -> Path:
        file = tmp_path / "nodegate.toml"
        file.write_text(text)
        return file

    return write_file


def faults(file: Path | None = None, *sets: str, flags: Sequence[Override] = ()) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(file, sets, flags)
    return caught.value.faults


def test_nothing_given_is_the_defaults() -> None:
    assert load().server.coap_port == 5683


def test_later_source_wins_key_by_key(write, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write("[dtls]\nnode = 1\nmax_sessions = 1\nmax_handshakes = 1")
    monkeypatch.setenv("NODEGATE_DTLS__NODE", "2")
    monkeypatch.setenv("NODEGATE_DTLS__MAX_SESSIONS", "2")
    dtls = load(file, ["dtls.node=3"]).dtls
    assert (dtls.node, dtls.max_sessions, dtls.max_handshakes) == (3, 2, 1)


def test_flag_of_its_own_given_last_wins_over_set() -> None:
    config = load(None, ["server.coap_port=1"], [Override("server.coap_port", "2", "--coap-port")])
    assert config.server.coap_port == 2


def test_text_becomes_what_the_setting_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODEGATE_SERVER__HOST", "127.0.0.1,::1")
    monkeypatch.setenv("NODEGATE_REGISTRATION__ALLOW_UNLIMITED", "true")
    config = load(None, ["dtls.retransmit_initial_s=0.5"])
    assert config.server.host == ("127.0.0.1", "::1")
    assert config.registration.allow_unlimited is True
    assert config.dtls.retransmit_initial_s == 0.5


def test_variables_are_read_without_regard_to_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("nodegate_dtls__node", "9")
    assert load().dtls.node == 9


def test_database_and_key_have_variables_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODEGATE_DB", "sqlite:////srv/a.db")
    monkeypatch.setenv("NODEGATE_KEY", "ab" * 32)
    monkeypatch.setenv("NODEGATE_KEY_FILE", "keys/a")
    db = load().db
    assert db.url == "sqlite:////srv/a.db"
    assert db.key is not None
    assert db.key.get_secret_value() == "ab" * 32
    assert db.key_file == Path("keys/a")


def test_empty_variable_counts_as_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODEGATE_DB", "")
    monkeypatch.setenv("NODEGATE_DTLS__NODE", "")
    config = load()
    assert config.db.url == "sqlite:///nodegate.db"
    assert config.dtls.node == 0


@pytest.mark.parametrize(
    "name", ["NODEGATE_PORT", "NODEGATE_SERVICE_HOST", "NODEGATE_PORT_5683_UDP", "NODEGATE_DTLS"]
)
def test_variables_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "udp://10.0.0.1:5683")
    assert load().server.coap_port == 5683


def test_variable_with_one_underscore_too_few_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODEGATE_LOG_LEVEL", "debug")
    assert faults() == (
        "NODEGATE_LOG_LEVEL: no such setting; did you mean NODEGATE_LOG__LEVEL, with two underscores?",
    )


def test_relative_paths_of_a_file_count_from_its_folder(write, tmp_path: Path) -> None:
    text = '[db]\nurl = "sqlite:///data/a.db"\nkey_file = "a.key"\n[dtls]\ntrust_dir = "cas"'
    config = load(write(text))
    assert config.dtls.trust_dir == tmp_path / "cas"
    db = config.db
    assert db.url == f"sqlite:///{tmp_path}/data/a.db"
    assert db.key_file == tmp_path / "a.key"


def test_absolute_paths_of_a_file_stay(write) -> None:
    db = load(write('[db]\nurl = "sqlite:////srv/a.db"\nkey_file = "/srv/a.key"')).db
    assert db.url == "sqlite:////srv/a.db"
    assert db.key_file == Path("/srv/a.key")


def test_database_of_another_kind_is_not_resolved(write) -> None:
    assert load(write('[db]\nurl = "postgresql://host/db"')).db.url == "postgresql://host/db"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[dtls]\nmax_sesions = 5", "dtls.max_sesions: no such setting; did you mean dtls.max_sessions?"),
        (
            "[dtls]\nzzzzzzzzzzzzz = 5",
            "dtls.zzzzzzzzzzzzz: no such setting; docs/configuration.md names them all",
        ),
        ("[dlts]\nnode = 5", "dlts: no such section; did you mean dtls?"),
        ("node = 5", "node: no such section; docs/configuration.md names them all"),
        ("_env_file = 'x'", "_env_file: no such section; docs/configuration.md names them all"),
        ("dtls = 5", "dtls: 5 is not a table of settings"),
        ("[dtls]\nnode = 'many'", "dtls.node: 'many' is not a whole number"),
        ("[dtls]\nnode = 1.5", "dtls.node: 1.5 is not a whole number"),
        ("[dtls]\nnode = [1]", "dtls.node: [1] is not a whole number"),
        ("[dtls]\nnode = 256", "dtls.node: 256 is too large: at most 255"),
        ("[dtls]\nnode = -1", "dtls.node: -1 is too small: at least 0"),
        ("[dtls]\nretransmit_initial_s = 0", "dtls.retransmit_initial_s: 0 is too small: at least 0.01 s"),
        ("[dtls]\nretransmit_initial_s = nan", "dtls.retransmit_initial_s: nan is not a number"),
        ("[dtls]\nretransmit_initial_s = 'x'", "dtls.retransmit_initial_s: 'x' is not a number"),
        (
            "[registration]\nallow_unlimited = 'perhaps'",
            "registration.allow_unlimited: 'perhaps' is neither true nor false",
        ),
        ("[log]\nlevel = 'loud'", "log.level: 'loud' is none of 'debug', 'info', 'warning' or 'error'"),
        ("[server]\nhost = []", "server.host: at least one is needed"),
        (
            "[server]\nhost = 'gateway'",
            "server.host: 'gateway' is not an IP address (every interface: 0.0.0.0 and ::)",
        ),
        ("[server]\nhost = 5", "server.host: 5: Input should be a valid tuple"),
        (
            "[registration]\nmin_lifetime_s = 9\nmax_lifetime_s = 8",
            "registration: min_lifetime_s is above max_lifetime_s: no lifetime would be accepted",
        ),
        (
            "[dtls]\ncbc = 'off'\nsuites = 'TLS_PSK_WITH_AES_128_CBC_SHA256'",
            "dtls: cbc is off and suites names CBC suites only: no handshake would succeed",
        ),
    ],
)
def test_fault_in_a_file_names_the_file_the_key_and_the_remedy(write, text: str, expected: str) -> None:
    file = write(text)
    assert faults(file) == (f"{file}: {expected}",)


def test_fault_in_the_environment_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODEGATE_DTLS__NODE", "x")
    monkeypatch.setenv("NODEGATE_DTLS__NODES", "1")
    monkeypatch.setenv("NODEGATE_DLTS__NODE", "1")
    assert faults() == (
        "NODEGATE_DLTS__NODE: no such section; did you mean dtls?",
        "NODEGATE_DTLS__NODE: 'x' is not a whole number",
        "NODEGATE_DTLS__NODES: no such setting; did you mean dtls.node?",
    )


def test_fault_in_a_flag_names_the_flag() -> None:
    assert faults(
        None, "dtls.node=x", "nowhere.x=1", flags=[Override("server.coap_port", "70000", "--coap-port")]
    ) == (
        "--set nowhere.x: no such section; docs/configuration.md names them all",
        "--coap-port: '70000' is too large: at most 65535",
        "--set dtls.node: 'x' is not a whole number",
    )


def test_a_fault_is_blamed_on_the_source_that_won(write, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write("[dtls]\nnode = 1")
    monkeypatch.setenv("NODEGATE_DTLS__NODE", "x")
    assert faults(file) == ("NODEGATE_DTLS__NODE: 'x' is not a whole number",)


def test_faults_of_all_sources_are_told_at_once(write, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write("[log]\nlevel = 'loud'\n[coap]\nmax_retransmit = 99")
    monkeypatch.setenv("NODEGATE_LOG_FORMAT", "json")
    assert len(faults(file, "dtls.node=x")) == 4


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "none.toml"
    assert faults(file) == (f"{file}: cannot be read: No such file or directory",)


def test_folder_is_no_file(tmp_path: Path) -> None:
    assert faults(tmp_path) == (f"{tmp_path}: cannot be read: Is a directory",)


def test_file_that_is_not_toml_says_where(write) -> None:
    file = write("[dtls\n")
    (fault,) = faults(file)
    assert fault.startswith(f"{file}: not valid TOML: ")
    assert "line 1" in fault


def test_file_that_is_not_text_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(b"\xff\xfe")
    assert faults(file)[0].startswith(f"{file}: not valid TOML: ")


def test_key_by_value_is_refused_in_a_file_and_on_the_command_line(write) -> None:
    key = "ab" * 32
    file = write(f'[db]\nkey = "{key}"')
    told = faults(file, f"db.key={key}")
    assert told == (
        "--set db.key: db.key is a secret: give it in NODEGATE_KEY, or a file that holds it in db.key_file",
        f"{file}: db.key is a secret: give it in NODEGATE_KEY, or a file that holds it in db.key_file",
    )


def test_set_may_have_spaces_and_an_equals_sign_in_its_value() -> None:
    config = load(None, [" dtls.node = 3 ", "db.url=sqlite:///a=b"])
    assert config.dtls.node == 3
    assert config.db.url == "sqlite:///a=b"


def test_of_two_sets_for_one_key_the_later_holds() -> None:
    assert load(None, ["dtls.node=3", "dtls.node=4"]).dtls.node == 4


def test_every_ill_formed_set_is_named_beside_other_faults() -> None:
    told = faults(None, "node=3", "dtls.node", "=", "dtls.node=x")
    assert [fault.partition(":")[0] for fault in told] == [
        "--set node=3",
        "--set dtls.node",
        "--set =",
        "--set dtls.node",
    ]


def test_variable_nested_too_deep_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODEGATE_DTLS__NODE__X", "1")
    assert faults() == ("NODEGATE_DTLS__NODE: {'x': '1'} is not a whole number",)
