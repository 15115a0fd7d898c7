"""``nodegate serve`` up to the start of the gateway: flags become settings, faults stop it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.settings import GatewayConfig
from tests.support.command import Nodegate
from tools.admin import serve


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[GatewayConfig]:
    settings: list[GatewayConfig] = []
    monkeypatch.setattr(serve, "run", settings.append)
    return settings


@pytest.fixture
def nodegate(tmp_path: Path) -> Nodegate:
    nodegate = Nodegate(tmp_path)
    nodegate.environment["NODEGATE_DB"] = None
    return nodegate


def test_without_flags_everything_is_as_documented(nodegate: Nodegate, started: list[GatewayConfig]) -> None:
    assert nodegate("serve").status == 0
    assert started == [GatewayConfig()]


def test_flags_become_settings(nodegate: Nodegate, started: list[GatewayConfig]) -> None:
    flags = "--db sqlite:///a.db --host ::1 --coap-port 0 --coaps-port 1 --log-level debug --log-format json"
    assert (
        nodegate("serve", *flags.split(), "--set", "dtls.node=3", "--set", "coap.max_retransmit=1").status
        == 0
    )
    [settings] = started
    assert settings.db.url == "sqlite:///a.db"
    assert settings.server.host == ("::1",)
    assert (settings.server.coap_port, settings.server.coaps_port) == (0, 1)
    assert (settings.log.level, settings.log.format) == ("debug", "json")
    assert (settings.dtls.node, settings.coap.max_retransmit) == (3, 1)


def test_file_then_environment_then_flags(
    nodegate: Nodegate, started: list[GatewayConfig], tmp_path: Path
) -> None:
    file = tmp_path / "nodegate.toml"
    file.write_text('[db]\nurl = "sqlite:///file.db"\n[server]\ncoap_port = 1\ncoaps_port = 1\n')
    nodegate("serve", "--config", str(file), "--coap-port", "3", NODEGATE_SERVER__COAPS_PORT="2")
    [settings] = started
    assert (settings.server.coap_port, settings.server.coaps_port) == (3, 2)
    assert settings.db.url == f"sqlite:///{tmp_path}/file.db"


def test_variable_names_the_database(nodegate: Nodegate, started: list[GatewayConfig]) -> None:
    nodegate("serve", NODEGATE_DB="sqlite:///other.db")
    assert started[0].db.url == "sqlite:///other.db"


def test_every_fault_is_a_line_and_nothing_starts(
    nodegate: Nodegate, started: list[GatewayConfig], tmp_path: Path
) -> None:
    file = tmp_path / "nodegate.toml"
    file.write_text("[dtls]\nmax_sesions = 5\n")
    answer = nodegate(
        "serve",
        "--config",
        str(file),
        "--coap-port",
        "70000",
        "--set",
        "x",
        NODEGATE_COAP__MAX_RETRANSMIT="x",
    )
    assert answer.status == 1
    assert answer.out == ""
    assert answer.err.splitlines() == [
        "nodegate: --set x: write SECTION.KEY=VALUE, for example log.level=debug",
        "nodegate: --coap-port: '70000' is too large: at most 65535",
        f"nodegate: {file}: dtls.max_sesions: no such setting; did you mean dtls.max_sessions?",
        "nodegate: NODEGATE_COAP__MAX_RETRANSMIT: 'x' is not a whole number",
    ]
    assert started == []


def test_missing_file_of_settings(nodegate: Nodegate, started: list[GatewayConfig], tmp_path: Path) -> None:
    file = tmp_path / "none.toml"
    assert (
        nodegate("serve", "--config", str(file)).fault == f"{file}: cannot be read: No such file or directory"
    )
    assert started == []


@pytest.mark.parametrize(
    "flags", [("--coap-port", "x"), ("--log-level", "loud"), ("--http-port", "1"), ("extra",)]
)
def test_what_the_parser_refuses_ends_with_2(
    nodegate: Nodegate, started: list[GatewayConfig], flags: tuple[str, ...]
) -> None:
    assert nodegate("serve", *flags).status == 2
    assert started == []
