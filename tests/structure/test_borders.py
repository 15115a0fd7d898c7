"""Broad excepts stand at the named borders only; tasks have owners."""

from __future__ import annotations

import ast

import pytest

from tests.support.sources import Source, sources

BROAD_EXCEPTS = {
    "gateway.messaging.exchange": "the CoAP request: a bug of ours must not end the others",
}
"module → the border it is: worker loop, CoAP request, or the command's last line of defence"


def _is_broad(handler: ast.ExceptHandler) -> bool:
    names = ast.walk(handler.type) if handler.type else ()
    return handler.type is None or any(
        isinstance(node, ast.Name) and node.id in {"Exception", "BaseException"} for node in names
    )


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_broad_excepts_stand_at_named_borders(source: Source) -> None:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler) and _is_broad(node):
            assert source.name in BROAD_EXCEPTS, f"{source.path}:{node.lineno}"


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_every_task_has_an_owner(source: Source) -> None:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr in {"create_task", "ensure_future"}:
            is_group = isinstance(node.value, ast.Name) and node.value.id in {"group", "tasks"}
            assert is_group, f"{source.path}:{node.lineno}: tasks start in app.py's TaskGroup"


def test_borders_name_modules_that_have_one() -> None:
    with_one = {
        source.name
        for source in sources()
        if any(isinstance(node, ast.ExceptHandler) and _is_broad(node) for node in ast.walk(source.tree))
    }
    assert set(BROAD_EXCEPTS) <= with_one
