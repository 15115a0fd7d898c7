"""Log lines: both forms, levels, and what never stands in them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from gateway.logs import HIDDEN, configure, defer_to_logging


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def log_json(**fields: object) -> dict[str, object]:
    stream = io.StringIO()
    configure("debug", "json", stream)
    structlog.get_logger("gateway.test").info("device refused", **fields)
    line = stream.getvalue()
    assert line.endswith("\n")
    assert line.count("\n") == 1
    return json.loads(line)


def test_json_is_an_object_a_line_with_time_in_utc() -> None:
    line = log_json(node_id="meter-7")
    assert line["event"] == "device refused"
    assert line["level"] == "info"
    assert line["node_id"] == "meter-7"
    assert str(line["at"]).endswith("Z")


def test_text_is_one_line_with_time_in_utc() -> None:
    stream = io.StringIO()
    configure("info", "text", stream)
    structlog.get_logger().warning("device refused", node_id="meter-7", reason="wrong key")
    line = stream.getvalue()
    assert line.count("\n") == 1
    assert line.split(" ")[0].endswith("Z")
    assert "device refused" in line
    assert "node_id=meter-7" in line


def test_text_on_a_stream_that_is_no_terminal_has_no_colours() -> None:
    stream = io.StringIO()
    configure("info", "text", stream)
    structlog.get_logger().info("ready", port=5683)
    assert "\x1b" not in stream.getvalue()


def test_less_than_the_level_is_not_told() -> None:
    stream = io.StringIO()
    configure("warning", "json", stream)
    structlog.get_logger().info("quiet")
    structlog.get_logger().error("loud")
    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()


@pytest.mark.parametrize("field", ["secret", "psk", "key", "sealed_secret", "master_secret", "token"])
@pytest.mark.parametrize("value", [b"\x01\x02", "0102", bytearray(b"\x01\x02")])
def test_secrets_are_hidden(field: str, value: object) -> None:
    assert log_json(**{field: value})[field] == HIDDEN


def test_secrets_are_hidden_inside_values() -> None:
    line = log_json(device={"node_id": "a", "psk": b"\x01"}, devices=[{"secret": "x"}])
    assert line["device"] == {"node_id": "a", "psk": HIDDEN}
    assert line["devices"] == [{"secret": HIDDEN}]


def test_bytes_are_hex() -> None:
    assert log_json(cid=b"\xab\x01", parts=(b"\x02",))["cid"] == "ab01"
    assert log_json(parts=(b"\x02", 1))["parts"] == ["02", 1]


def test_control_characters_of_peers_do_not_reach_a_terminal() -> None:
    stream = io.StringIO()
    configure("info", "text", stream)
    structlog.get_logger().info("refused", node_id="a\x1b[2Jb\nforged line\x9b")
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()
    assert "\x9b" not in stream.getvalue()
    assert "x1b[2Jb" in stream.getvalue()


def test_traceback_keeps_its_lines_but_no_controls() -> None:
    stream = io.StringIO()
    configure("info", "text", stream)
    try:
        raise ValueError("a\x1bb")
    except ValueError:
        structlog.get_logger().exception("worker died")
    assert stream.getvalue().count("\n") > 2
    assert "\x1b" not in stream.getvalue()


def test_libraries_are_told_from_warning_on_in_the_same_form() -> None:
    stream = io.StringIO()
    configure("debug", "json", stream)
    logging.getLogger("coap-server").info("chatter")
    logging.getLogger("coap-server").warning("trouble with %s", "x")
    line = json.loads(stream.getvalue())
    assert line["event"] == "trouble with x"
    assert line["level"] == "warning"


def test_part_of_another_program_leaves_lines_to_its_handlers(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    structlog.reset_defaults()
    defer_to_logging()
    with caplog.at_level(logging.INFO, "gateway.test"):
        structlog.get_logger("gateway.test").info("device refused", node_id="\x1b[2J", secret=b"12345678")
        structlog.get_logger("gateway.test").debug("too fine")
    [record] = caplog.records
    assert (record.name, record.levelname) == ("gateway.test", "INFO")
    assert record.getMessage().startswith("device refused")
    assert "\x1b" not in record.getMessage()
    assert HIDDEN in record.getMessage()
    assert capsys.readouterr() == ("", "")


def test_program_that_configured_structlog_keeps_its_way() -> None:
    stream = io.StringIO()
    configure("info", "json", stream)
    defer_to_logging()
    structlog.get_logger("gateway.test").info("device refused")
    assert json.loads(stream.getvalue())["event"] == "device refused"
