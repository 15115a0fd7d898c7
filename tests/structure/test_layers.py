"""Imports go downwards only (docs/architecture.md, “Layers”)."""

from __future__ import annotations

import pytest

from tests.support.sources import Source, imports, sources

LAYERS: tuple[tuple[str, ...], ...] = (
    ("gateway.embedding",),
    ("gateway.app",),
    ("gateway.wiring",),
    ("gateway.resolved",),
    ("gateway.site", "gateway.workers", "gateway.persistence"),
    ("gateway.messaging",),
    ("gateway.transport",),
    ("gateway.credentials",),
    ("gateway.lwm2m",),
    ("gateway.dtls",),
    ("gateway.address",),
)
"Top first. What stands in one row or above is forbidden to what stands in it, its own package excepted."

COMPOSITION = ("gateway.embedding.gateway", "gateway.app", "gateway.wiring", "gateway.resolved")

SETTINGS = ("gateway.config", "gateway.settings", "gateway.logs")
"Resolved in the composition root into a value per package; no layer sees the whole tree."

FORBIDDEN: dict[tuple[str, str], str] = {
    ("registry", "gateway"): "the registry stands alone: it knows no protocol",
    ("registry", "tools"): "nothing imports the tools",
    ("gateway", "tools"): "nothing imports the tools",
    ("gateway.site", "gateway.dtls"): "a resource sees an identity, not a session",
    ("gateway.site", "gateway.transport"): "a resource answers a message; it does not know sockets",
    ("gateway.messaging", "registry"): "messages are exchanged without knowing what they mean",
    ("gateway.transport", "registry"): "a transport asks a callback for keys",
}
"(who, whom) → why."

AIOCOAP_HOMES = ("gateway.messaging", "gateway.site", "tools.simulator", "tools.bench")


def _layer(name: str) -> int | None:
    for level, packages in enumerate(LAYERS):
        if any(name == package or name.startswith(package + ".") for package in packages):
            return level
    return None


def _package(name: str) -> str:
    return ".".join(name.split(".")[:2])


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_imports_go_downwards_only(source: Source) -> None:
    level = _layer(source.name)
    if level is None:
        return
    for line, name in imports(source):
        target = _layer(name)
        if target is not None and _package(name) != _package(source.name):
            assert target > level, f"{source.path}:{line} imports {name}, which stands beside or above it"


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_forbidden_imports_are_not_made(source: Source) -> None:
    for line, name in imports(source):
        for (who, whom), why in FORBIDDEN.items():
            is_crossing = source.is_in(who) and (name == whom or name.startswith(whom + "."))
            assert not is_crossing, f"{source.path}:{line} imports {name}: {why}"


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_settings_are_read_in_the_composition_root_only(source: Source) -> None:
    if not source.is_in("gateway") or source.name in COMPOSITION + SETTINGS:
        return
    for line, name in imports(source):
        assert not name.startswith(("gateway.config", "gateway.settings")), (
            f"{source.path}:{line}: app.py hands each package its own value"
        )


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_aiocoap_stays_in_its_rooms(source: Source) -> None:
    if any(source.is_in(home) for home in AIOCOAP_HOMES):
        return
    for line, name in imports(source):
        assert name.split(".")[0] != "aiocoap", f"{source.path}:{line} imports {name}"


def test_no_import_cycles_at_run_time() -> None:
    names = {source.name for source in sources()}
    graph = {
        source.name: {name for _, name in imports(source, at_run_time_only=True) if name in names}
        - {source.name}
        for source in sources()
    }
    # `from package import module` names the package as well; a package that imports nothing is no cycle.
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join([*trail[trail.index(name) :], name])
        if name not in done:
            for target in graph[name]:
                visit(target, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())
