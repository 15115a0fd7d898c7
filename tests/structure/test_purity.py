"""Protocol code knows no sockets, clocks, threads or entropy: these are arguments."""

from __future__ import annotations

import ast

import pytest

from tests.support.sources import Source, imports, sources

PURE = ("gateway.dtls", "gateway.lwm2m", "gateway.address")

FORBIDDEN_MODULES = {
    "asyncio": "the owner drives the protocol, not the other way round",
    "socket": "datagrams are arguments and results",
    "ssl": "every primitive comes from cryptography or hashlib",
    "threading": "one thread at a time, by contract",
    "sqlite3": "state at rest belongs to the registry",
    "aiocoap": "only messaging and site know it",
    "logging": "events tell what happened; the owner logs them",
    "structlog": "events tell what happened; the owner logs them",
    "random": "entropy is an argument",
    "secrets": "entropy is an argument",
    "os": "neither files nor entropy nor environment",
    "time": "now is an argument",
    "datetime": "now is an argument",
}
REGISTRY_VALUES = ("registry.model", "registry.events", "registry.errors")

pure_sources = pytest.mark.parametrize(
    "source",
    [source for source in sources() if any(source.is_in(package) for package in PURE)],
    ids=lambda source: source.name,
)


@pure_sources
def test_pure_packages_import_no_outside_world(source: Source) -> None:
    for line, name in imports(source):
        top = name.split(".")[0]
        assert top not in FORBIDDEN_MODULES, f"{source.path}:{line} imports {name}: {FORBIDDEN_MODULES[top]}"


@pure_sources
def test_pure_packages_see_only_the_values_of_the_registry(source: Source) -> None:
    for line, name in imports(source):
        if name.split(".")[0] == "registry":
            assert name.startswith(REGISTRY_VALUES), f"{source.path}:{line} imports {name}"


@pure_sources
def test_pure_packages_open_no_files(source: Source) -> None:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "print", "input"}, f"{source.path}:{node.lineno}"
