"""Text of strangers made safe to show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.visible import visible


@pytest.mark.parametrize("text", ["", "meter-7", "urn:imei:490154203237518", "Zähler 7", "温度"])
def test_printable_text_stays(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2J", "a\\x1b[2J"),
        ("a\nb\r", "a\\nb\\r"),
        ("\x9b", "\\x9b"),
        ("\u202eab", "\\u202eab"),
        ("\x00", "\\x00"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_result_is_always_printable(text: str) -> None:
    assert visible(text).isprintable()
