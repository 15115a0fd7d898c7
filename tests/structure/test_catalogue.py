"""Every case of the negative catalogue that concerns what is built has a test that bears its name.

The cases are lettered by theme: A cookies and hellos, B parsing, C fragments and order, D record
protection, E identity and resources, F CoAP. A test names its case first: ``test_A1_…``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from tests.support.sources import ROOT

CASES = {"A": 16, "B": 15, "C": 20, "D": 20, "E": 14, "F": 14}
"Theme → how many cases it has."

NOT_BUILT = {
    "A12": "certificates",
    "B5": "elliptic curves",
    "B6": "certificates",
    "B7": "certificates",
    "B8": "ECDHE_PSK",
    "B14": "server_name is not looked at",
    "B15": "signature algorithms and groups",
    "C8": "certificates",
    "C9": "certificates",
    "C10": "certificates",
    "D16": "CBC suites",
    "D18": "sessions that outlive the process",
    "E9": "sessions that outlive the process",
    "E11": "certificates",
}
"Case → what it is about. No handshake comes to it; what a decoder alone can judge may be tested already."

EXPECTED = {f"{theme}{number}" for theme, count in CASES.items() for number in range(1, count + 1)} - set(
    NOT_BUILT
)

_NAME = re.compile(r"test_([A-F]\d+)_")


@cache
def catalogue_tests() -> dict[str, list[str]]:
    """Case → the tests that bear its name, as ``path:function``."""
    found: dict[str, list[str]] = {}
    for path, function in _test_functions():
        match = _NAME.match(function.name)
        if match:
            found.setdefault(match[1], []).append(f"{path}:{function.name}")
    return found


def _test_functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path.relative_to(ROOT).as_posix(), node


@pytest.mark.parametrize("case", sorted(EXPECTED, key=lambda case: (case[0], int(case[1:]))))
def test_case_of_what_is_built_has_a_test(case: str) -> None:
    assert catalogue_tests().get(case), f"no test is named test_{case}_…"


def test_no_test_bears_the_name_of_another_case() -> None:
    strays = {
        case: tests
        for case, tests in catalogue_tests().items()
        if case not in EXPECTED and not (case in NOT_BUILT and all("/test_leaf_" in test for test in tests))
    }
    assert not strays, "not in the catalogue, or listed here as not built"


def test_no_case_is_skipped_or_expected_to_fail() -> None:
    excused = [
        f"{path}:{function.name}"
        for path, function in _test_functions()
        if _NAME.match(function.name)
        and any(word in ast.unparse(each) for each in function.decorator_list for word in ("skip", "xfail"))
    ]
    assert not excused
