"""The project's own Python files as syntax trees, for the structure tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("registry", "gateway", "tools")


@dataclass(frozen=True)
class Source:
    """One module: its dotted name, its path from the root, its tree."""

    name: str
    path: Path
    tree: ast.Module
    lines: int

    def is_in(self, package: str) -> bool:
        """Whether the module is *package* or lies below it."""
        return self.name == package or self.name.startswith(package + ".")


@cache
def sources() -> tuple[Source, ...]:
    """Every module of the product, sorted by name."""
    return tuple(_read(path) for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))


def imports(source: Source, *, at_run_time_only: bool = False) -> Iterator[tuple[int, str]]:
    """``(line, dotted name)`` of all that *source* imports; ``from a import b`` gives ``a.b`` too."""
    skipped = set(_type_checking_nodes(source.tree)) if at_run_time_only else set()
    for node in ast.walk(source.tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(source, node)
            yield node.lineno, base
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def functions(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions and methods, nested ones included."""
    return (
        node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def _read(path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Source(name, path.relative_to(ROOT), ast.parse(text), text.count("\n"))


def _absolute(source: Source, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = source.name.split(".")
    if source.path.name != "__init__.py":
        package = package[:-1]
    base = package[: len(package) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)


def _type_checking_nodes(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            yield from ast.walk(node)
