"""`gateway.workers.definitions`: what is imported while the gateway runs counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.lwm2m.definitions import make_definition
from gateway.objectmodel import own_model, store_definition
from gateway.workers.definitions import Definitions
from registry.models import StoredDefinition, store_definitions
from tests.support.registry import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def definition(object_id: int, name: str) -> StoredDefinition:
    made = make_definition(object_id, name, "1.0", is_multiple=False, is_mandatory=False, resources=[])
    return store_definition(made)


def store(place: Place, *definitions: StoredDefinition) -> None:
    with place.database() as database, database.transaction() as connection:
        store_definitions(connection, definitions, 0)


async def test_imports_are_taken_up_each_time_there_are_any(place: Place) -> None:
    async with place.registry() as registry:
        definitions = Definitions(registry, own_model())
        await definitions.work()
        assert definitions.model is own_model(), "nothing was imported"
        store(place, definition(42, "Answer"))
        await definitions.work()
        first = definitions.model
        await definitions.work()
        assert definitions.model is first, "nothing new was imported"
        store(place, definition(43, "Other"))
        store(place, definition(42, "Better Answer"))
        await definitions.work()
        names = {id_: getattr(definitions.model.find(id_), "name", None) for id_ in (3, 42, 43)}
        assert names == {3: "Device", 42: "Better Answer", 43: "Other"}


async def test_row_that_cannot_be_read_is_told_once_and_the_model_stays(place: Place) -> None:
    async with place.registry() as registry:
        definitions = Definitions(registry, own_model())
        store(place, StoredDefinition(42, "1.0", "{"))
        with capture_logs() as logs:
            await definitions.work()
            await definitions.work()
        assert [entry["log_level"] for entry in logs] == ["error"]
        assert definitions.model is own_model()
        store(place, definition(42, "Answer"))
        await definitions.work()
        answer = definitions.model.find(42)
        assert answer is not None
        assert answer.name == "Answer"
