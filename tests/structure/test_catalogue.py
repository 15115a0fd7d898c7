"""Every case of the negative catalogue that concerns what is built has a test that bears its name."""

from __future__ import annotations

import ast
import re

import pytest

from tests.support.catalogue import (
    CASES,
    NOT_BUILT,
    case_of,
    catalogue_tests,
    documented,
    test_functions,
    where,
)


@pytest.mark.parametrize("case", [case for case in CASES if case not in NOT_BUILT])
def test_case_of_what_is_built_has_a_test(case: str) -> None:
    assert catalogue_tests().get(case), f"no test is named test_{case}_…"


def test_no_test_bears_the_name_of_another_case() -> None:
    strays = {
        case: tests
        for case, tests in catalogue_tests().items()
        if case not in CASES or (case in NOT_BUILT and any("/test_leaf_" not in test for test in tests))
    }
    assert not strays, "not in the catalogue, or listed there as not built"


def test_no_case_is_skipped_or_expected_to_fail() -> None:
    excused = [
        f"{path}:{function.name}"
        for path, function in test_functions()
        if case_of(function.name)
        and any(word in ast.unparse(each) for each in function.decorator_list for word in ("skip", "xfail"))
    ]
    assert not excused


@pytest.mark.parametrize("case", CASES)
def test_documented_case_names_the_tests_that_there_are(case: str) -> None:
    words, tests, result = documented()[case]
    assert (words, tests) == (CASES[case], where(case)), "python -m tests.catalogue writes the table anew"
    assert case in NOT_BUILT or re.fullmatch(r"\d+ passed", result)
