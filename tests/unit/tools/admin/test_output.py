"""How answers look: JSON for scripts, tables for people."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.admin import output
from tools.admin.output import print_fields, print_json, print_json_array, print_table, to_json


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"\xab\x01", '"ab01"'),
        (float("nan"), '"NaN"'),
        (float("inf"), '"Infinity"'),
        (float("-inf"), '"-Infinity"'),
        (2**64, "18446744073709551616"),
        ([b"\x00", (1.5,)], '["00", [1.5]]'),
        ({"a": {"b": b"\x01"}}, '{"a": {"b": "01"}}'),
        (None, "null"),
        (True, "true"),
        ("a\x1b\x9b\u202e", '"a\\u001b\\u009b\\u202e"'),
    ],
)
def test_json_of_values(value: object, text: str) -> None:
    assert to_json(value) == text


@given(st.lists(st.text() | st.integers() | st.none()))
def test_json_is_one_line_and_comes_back(value: list[object]) -> None:
    assert "\n" not in to_json(value)
    assert json.loads(to_json(value)) == value


def test_json_value_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": 1})
    assert capsys.readouterr().out == '{"a": 1}\n'


@pytest.mark.parametrize("count", [0, 1, 3])
def test_array_is_one_json_value(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    print_json_array({"n": n} for n in range(count))
    assert json.loads(capsys.readouterr().out) == [{"n": n} for n in range(count)]


def test_array_is_written_while_it_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    def values():
        yield 1
        assert "1" in capsys.readouterr().out
        yield 2

    print_json_array(values())


def test_table_off_a_terminal_cuts_and_folds_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 300
    assert print_table(("NODE ID", "STATE"), [(long, "online"), ("b", None)]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[0].split() == ["NODE", "ID", "STATE"]
    assert lines[1].split() == [long, "online"]
    assert lines[2].split() == ["b", "-"]


@pytest.mark.parametrize("is_terminal", [False, True])
def test_long_table_has_one_heading(
    is_terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "CHUNK_ROWS", 2)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    monkeypatch.setenv("TERM", "dumb")
    assert print_table(("A",), ((str(n),) for n in range(5))) == 5
    assert capsys.readouterr().out.split() == ["A", "0", "1", "2", "3", "4"]


def test_columns_stand_under_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "B"), [("温度", "x"), ("long", "y"), ("ä", "z")])
    assert capsys.readouterr().out.splitlines() == ["A     B", "温度  x", "long  y", "ä     z"]


def test_table_on_a_terminal_folds_what_is_too_wide(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    print_table(("NODE ID", "STATE"), [("x" * 100, "online")])
    out = capsys.readouterr().out
    assert max(len(line) for line in out.splitlines()) <= 80
    assert out.count("x") == 100


def test_table_without_rows_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_table(("A",), []) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("is_terminal", [False, True])
@pytest.mark.parametrize("text", ["[red]x[/red]", "[/]", ":smile:", "[link=http://x]y"])
def test_markup_of_strangers_is_text(
    text: str, is_terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    monkeypatch.setenv("TERM", "dumb")
    print_table(("A",), [(text,)])
    print_fields([("name", text)])
    assert capsys.readouterr().out.count(text) == 2


def test_control_characters_of_strangers_are_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A",), [("a\x1b[2J\nb",)])
    print_fields([("name", "a\x1b[2J\nb")])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert out.count("a\\x1b[2J\\nb") == 2
