import pytest

from gateway.lwm2m.definitions import make_definition
from gateway.lwm2m.errors import DecodeError
from gateway.objectmodel import extend_model, load_definition, own_model, store_definition
from registry.models import StoredDefinition


def test_own_table_is_read_once():
    assert own_model() is own_model()
    assert own_model().find(3).name == "Device"


def test_imported_definition_extends_the_table():
    definition = make_definition(42, "Answer", "1.0", is_multiple=False, is_mandatory=False, resources=[])
    model = extend_model(own_model(), [store_definition(definition)])
    assert model.find(42) == definition
    assert own_model().find(42) is None
    assert len(model.definitions()) == len(own_model().definitions()) + 1


@pytest.mark.parametrize("content", ["", "[]", "{}", "{"])
def test_row_of_somebody_else_is_refused(content):
    with pytest.raises(DecodeError):
        load_definition(StoredDefinition(42, "1.0", content))
