"""A reader keeps a module and a function in the head; exceptions are listed with their reason."""

from __future__ import annotations

import pytest

from tests.support.sources import ROOT, Source, functions, sources

MODULE_LINES = 600
FUNCTION_LINES = 60

LONG_MODULES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}
"module:function → reason"


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_modules_are_short(source: Source) -> None:
    assert source.lines <= MODULE_LINES or source.name in LONG_MODULES, f"{source.path}: {source.lines} lines"


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_functions_are_short(source: Source) -> None:
    for function in functions(source):
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        is_listed = f"{source.name}:{function.name}" in LONG_FUNCTIONS
        assert length <= FUNCTION_LINES or is_listed, (
            f"{source.path}:{function.lineno} {function.name}: {length} lines"
        )


def test_no_exception_outlives_its_reason() -> None:
    names = {source.name for source in sources()}
    assert set(LONG_MODULES) <= names
    assert {key.split(":")[0] for key in LONG_FUNCTIONS} <= names


@pytest.mark.parametrize("word", ["util", "utils", "misc", "manager", "helper", "helpers", "common"])
def test_no_module_is_named_after_nothing(word: str) -> None:
    assert not [source.path for source in sources() if source.path.stem == word or word in source.path.parts]


def test_every_module_says_what_it_knows() -> None:
    import ast

    silent = [str(source.path) for source in sources() if source.lines and not ast.get_docstring(source.tree)]
    assert not silent, silent


def test_unit_tests_mirror_the_source() -> None:
    modules = {source.path.with_suffix("").as_posix() for source in sources()}
    strays = []
    for test in (ROOT / "tests" / "unit").rglob("test_*.py"):
        folder = test.parent.relative_to(ROOT / "tests" / "unit").as_posix()
        subject = f"{folder}/{test.stem.removeprefix('test_')}"
        if (
            folder.split("/")[0] != "support"
            and subject not in modules
            and f"{subject}/__init__" not in modules
        ):
            strays.append(test.relative_to(ROOT).as_posix())
    assert not strays, f"these name no module of the product: {strays}"
