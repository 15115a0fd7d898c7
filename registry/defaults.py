"""The settings of a gateway that whoever stores commands or reads values goes by too: noted at each start."""

from __future__ import annotations

import json
from typing import NamedTuple

from registry import meta
from registry.settings import RegistrySettings
from registry.sqlite import Database

_KEY = "defaults"


class Defaults(NamedTuple):
    """Those of the last gateway; before the first, what it would have without settings."""

    command_ttl_s: int
    "How long a command may wait, unless somebody says otherwise."

    value_history: int
    "Values kept of each path."


def note(database: Database, settings: RegistrySettings) -> None:
    """Let everybody know those of *settings*."""
    defaults = _of(settings)
    if find(database) != defaults:
        with database.transaction() as connection:
            meta.write(connection, _KEY, json.dumps(defaults).encode())


def find(database: Database) -> Defaults:
    """Those that were noted last, by whatever gateway."""
    noted = meta.find(database, _KEY)
    return _of(RegistrySettings()) if noted is None else Defaults(*json.loads(noted))


def _of(settings: RegistrySettings) -> Defaults:
    return Defaults(settings.command_ttl_s, settings.value_history)
