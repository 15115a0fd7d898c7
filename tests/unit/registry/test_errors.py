import inspect

from registry import errors


def test_tree_in_the_docstring_is_the_tree():
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]
    for kind in kinds:
        assert issubclass(kind, errors.RegistryError)
        assert kind.__name__ in errors.__doc__


def test_refused_import_counts_its_faults():
    refused = errors.ImportRefused([errors.RowFault(0, "why"), errors.RowFault(3, "why not")])
    assert "2 of the rows" in str(refused)
    assert [fault.index for fault in refused.faults] == [0, 3]
