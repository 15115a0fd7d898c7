"""Where the settings come from: a TOML file, then the environment, then flags; the later one wins.

Gives the one frozen tree (`gateway.settings`) or every fault of every source at once. Only the
composition root sees the tree, and only this module the environment.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, TomlConfigSettingsSource

from gateway.settings import NESTING, PREFIX, SECTIONS, SQLITE, GatewayConfig, find_unit, setting_names

SHORT_VARIABLES = {"NODEGATE_DB": "db.url", "NODEGATE_KEY": "db.key", "NODEGATE_KEY_FILE": "db.key_file"}
"Variables with a name of their own; every other setting is ``NODEGATE_<SECTION>__<KEY>``."

FROM_THE_ENVIRONMENT_ONLY = frozenset({"db.key"})
"Secrets by value: a file is copied and committed, a command line is seen by everyone on the machine."


class ConfigError(Exception):
    """The settings cannot be used. `faults` has a line for each thing that is wrong."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Override:
    """A setting given by a flag of its own, or by ``--set``."""

    key: str
    "``section.key``"

    value: str
    flag: str
    "What the user wrote it behind, for messages: ``--set``, ``--host`` …"


class EnvironmentSource(EnvSettingsSource):
    """The environment, short names included; what has no `NESTING` is somebody else's variable.

    (Kubernetes puts ``NODEGATE_PORT`` and its like into every container beside a service of that name.)
    """

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        short = {name.lower(): _variable(key).lower() for name, key in SHORT_VARIABLES.items()}
        self.env_vars = {
            short.get(name, name): value
            for name, value in self.env_vars.items()
            if value and (name in short or (name.startswith(PREFIX.lower()) and NESTING in name))
        }


@dataclass(frozen=True, slots=True)
class _Layer:
    """What one source says, and what to call it in a message about one of its keys."""

    values: Mapping[str, Any]
    origins: Mapping[str, str]
    "``section.key`` → origin"

    origin: str = ""
    "of keys that have none of their own"

    def has(self, section: str, key: str | None) -> bool:
        table = self.values.get(section)
        return table is not None if key is None else isinstance(table, Mapping) and key in table

    def origin_of(self, section: str, key: str | None = None) -> str:
        """How a message about the key, or else the section, begins."""
        name = f"{section}.{key}" if key else section
        own = next((text for known, text in self.origins.items() if f"{known}.".startswith(f"{name}.")), None)
        return own or f"{self.origin}: {name}"


def load(
    file: Path | None = None, sets: Iterable[str] = (), overrides: Iterable[Override] = ()
) -> GatewayConfig:
    """Resolve the settings: defaults < *file* < environment < *sets* < *overrides*.

    *sets* are texts ``SECTION.KEY=VALUE``; of two for one key the later one holds.

    A relative path in the file counts from the file's folder, elsewhere from the working directory.

    Raises:
        ConfigError: with every fault of every source.
    """
    faults: list[str] = []
    layers = [
        _read_overrides([*_parse_sets(sets, faults), *overrides], faults),
        _read_environment(faults),
        _read_file(file, faults) if file else _Layer({}, {}),
    ]
    merged = _merge(reversed(layers), faults)
    try:
        config = GatewayConfig(**merged)
    except ValidationError as error:
        raise ConfigError([*faults, *(_describe(detail, layers) for detail in error.errors())]) from None
    if faults:
        raise ConfigError(faults)
    return config


def _parse_sets(texts: Iterable[str], faults: list[str]) -> Iterator[Override]:
    for text in texts:
        name, equals, value = text.partition("=")
        section, _, key = name.strip().partition(".")
        if equals and section and key:
            yield Override(f"{section}.{key}", value.strip(), "--set")
        else:
            faults.append(f"--set {text}: write SECTION.KEY=VALUE, for example log.level=debug")


def _merge(layers: Iterable[_Layer], faults: list[str]) -> dict[str, Any]:
    """Lay each of *layers* over the ones before it, key by key."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for section, table in layer.values.items():
            if section not in SECTIONS:
                faults.append(f"{layer.origin_of(section)}: no such section{_suggest(section, SECTIONS)}")
            elif isinstance(table, Mapping) and isinstance(merged.get(section, {}), Mapping):
                merged[section] = {**merged.get(section, {}), **table}
            else:
                merged[section] = table
    return merged


def _read_overrides(overrides: Iterable[Override], faults: list[str]) -> _Layer:
    values: dict[str, dict[str, str]] = {}
    origins: dict[str, str] = {}
    for override in overrides:
        section, _, key = override.key.partition(".")
        origins[override.key] = override.flag if override.flag != "--set" else f"--set {override.key}"
        if override.key in FROM_THE_ENVIRONMENT_ONLY:
            faults.append(_refuse_secret(origins[override.key], override.key))
        else:
            values.setdefault(section, {})[key] = override.value
    return _Layer(values, origins)


def _read_environment(faults: list[str]) -> _Layer:
    values = EnvironmentSource(GatewayConfig)()
    origins = {
        f"{section}.{key}": _variable(f"{section}.{key}") for section in values for key in values[section]
    }
    origins |= {name: variable for variable, name in SHORT_VARIABLES.items() if os.environ.get(variable)}
    near = {_variable(name).replace(NESTING, "_"): _variable(name) for name in setting_names()}
    for variable in sorted(os.environ):
        name = variable.upper()
        if name in SHORT_VARIABLES or not name.startswith(PREFIX):
            continue
        section, nested, _ = name.removeprefix(PREFIX).lower().partition(NESTING)
        if nested and section not in SECTIONS:
            faults.append(f"{variable}: no such section{_suggest(section, SECTIONS)}")
        elif not nested and name in near:
            faults.append(f"{variable}: no such setting; did you mean {near[name]}, with two underscores?")
    return _Layer(values, origins)


def _read_file(file: Path, faults: list[str]) -> _Layer:
    try:
        # The library passes over a file that is not there.
        file.open("rb").close()
        values = TomlConfigSettingsSource(GatewayConfig, file)()
    except OSError as error:
        raise ConfigError([f"{file}: cannot be read: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"{file}: not valid TOML: {error}"]) from None
    table = values.get("db")
    if isinstance(table, dict) and table.pop("key", None) is not None:
        faults.append(_refuse_secret(str(file), "db.key"))
    _resolve_paths(values, file.absolute().parent)
    return _Layer(values, {}, str(file))


def _resolve_paths(values: dict[str, Any], folder: Path) -> None:
    """Let relative paths count from *folder*."""
    for section, model in SECTIONS.items():
        table = values.get(section)
        if not isinstance(table, dict):
            continue
        for key, field in model.model_fields.items():
            if field.annotation == Path | None and isinstance(table.get(key), str):
                table[key] = folder / table[key]
        url = table.get("url")
        if isinstance(url, str) and url.startswith(SQLITE):
            table["url"] = f"{SQLITE}{folder / url.removeprefix(SQLITE)}"


def _variable(name: str) -> str:
    """The environment variable of ``section.key``."""
    return PREFIX + name.replace(".", NESTING).upper()


def _refuse_secret(origin: str, name: str) -> str:
    variable = next(variable for variable, key in SHORT_VARIABLES.items() if key == name)
    return f"{origin}: {name} is a secret: give it in {variable}, or a file that holds it in db.key_file"


def _suggest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else "; docs/configuration.md names them all"


def _describe(detail: ErrorDetails, layers: Sequence[_Layer]) -> str:
    """One line for one fault: where the value came from, what it is, what it must be."""
    section = str(detail["loc"][0])
    key = str(detail["loc"][1]) if len(detail["loc"]) > 1 else None
    origin = next((layer.origin_of(section, key) for layer in layers if layer.has(section, key)), section)
    return f"{origin}: {_explain(detail, section, key)}"


def _explain(detail: ErrorDetails, section: str, key: str | None) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    value = repr(detail["input"])
    match kind:
        case "extra_forbidden":
            return f"no such setting{_suggest(f'{section}.{key}', setting_names())}"
        case "greater_than_equal":
            return f"{value} is too small: at least {context['ge']}{_unit_after(section, key)}"
        case "less_than_equal":
            return f"{value} is too large: at most {context['le']}{_unit_after(section, key)}"
        case "int_type" | "int_parsing" | "int_from_float" | "int_parsing_size":
            return f"{value} is not a whole number"
        case "float_type" | "float_parsing" | "finite_number":
            return f"{value} is not a number"
        case "bool_type" | "bool_parsing":
            return f"{value} is neither true nor false"
        case "literal_error":
            return f"{value} is none of {context['expected']}"
        case "model_type" | "model_attributes_type":
            return f"{value} is not a table of settings"
        case "too_short":
            return "at least one is needed"
        case "value_error":
            return str(context["error"])
        case _:
            return f"{value}: {detail['msg']}"


def _unit_after(section: str, key: str | None) -> str:
    unit = find_unit(SECTIONS[section].model_fields[key]) if key else ""
    return f" {unit}" if unit in {"s", "ms", "bytes"} else ""
