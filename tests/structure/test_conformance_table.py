"""``docs/conformance.md`` gives the answers that the code gives."""

from __future__ import annotations

from collections import Counter

import pytest

from gateway.lwm2m.errors import RefusalReason
from gateway.lwm2m.send import SendRefusal
from gateway.site.respond import ANSWERS, Fault, Wrong
from tests.support.conformance import DOCUMENT, Row, rows

REASONS: dict[str, Wrong] = {reason.name: reason for reason in (*RefusalReason, *SendRefusal, *Fault)}


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.case)
def test_documented_answer_is_that_of_the_table_in_the_code(row: Row) -> None:
    code, max_age_s = ANSWERS[REASONS[row.reason]]
    expected = code.dotted if max_age_s is None else f"{code.dotted}, Max-Age {max_age_s}"
    assert row.answer == expected


def test_every_reason_is_documented_and_answered() -> None:
    assert {row.reason for row in rows()} == set(REASONS)
    assert set(ANSWERS) == set(REASONS.values())


def test_no_input_is_listed_twice() -> None:
    assert [case for case, count in Counter(row.case for row in rows()).items() if count > 1] == []


def test_fault_of_a_peer_is_4_xx_and_ours_5_03() -> None:
    ours = {Fault.OVERLOADED, Fault.STORAGE}
    for reason, (code, max_age_s) in ANSWERS.items():
        assert code.dotted.startswith("5.03" if reason in ours else "4.")
        assert (max_age_s is not None) == (reason in ours)


def test_sections_a_reader_looks_for_are_there() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for heading in ("Registration", "Answer to every bad input", "Not supported yet", "Foreign clients seen"):
        assert f"\n## {heading}\n" in text
