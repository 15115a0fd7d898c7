"""Where the object model comes from: the program's own table, and what was imported into the registry."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from importlib import resources

from gateway.lwm2m.coreobjects import FILE, decode_table
from gateway.lwm2m.definitions import ObjectDefinition, describe_definition, read_definition
from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.model import Model
from registry.models import StoredDefinition


@lru_cache(maxsize=1)
def own_model() -> Model:
    """The objects that are known without an import."""
    text = resources.files("gateway.lwm2m").joinpath(FILE).read_text(encoding="utf-8")
    return Model(decode_table(text))


def extend_model(model: Model, imported: Iterable[StoredDefinition]) -> Model:
    """*model* with what was imported.

    Raises:
        DecodeError: a row that this program did not write.
    """
    return model.extended(load_definition(entry) for entry in imported)


def store_definition(definition: ObjectDefinition) -> StoredDefinition:
    """*definition* as the registry keeps it."""
    content = json.dumps(describe_definition(definition), separators=(",", ":"))
    return StoredDefinition(definition.id, definition.version, content)


def load_definition(entry: StoredDefinition) -> ObjectDefinition:
    """The definition that `store_definition` stored.

    Raises:
        DecodeError: it did not.
    """
    try:
        description = json.loads(entry.content)
    except ValueError:
        description = None
    if not isinstance(description, dict):
        raise DecodeError(f"the stored definition of object {entry.object_id} is no JSON object")
    return read_definition(description)
