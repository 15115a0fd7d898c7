import json
import zipfile

import pytest
import typer

from registry.models import StoredDefinition, store_definitions
from registry.sqlite import Database
from tools.admin import model


def xml(object_id, version="1.0", name="Thing", resources='<Item ID="1"><Name>R</Name></Item>'):
    return (
        f"<LWM2M><Object><Name>{name}</Name><ObjectID>{object_id}</ObjectID>"
        f"<ObjectVersion>{version}</ObjectVersion><Resources>{resources}</Resources></Object></LWM2M>"
    )


@pytest.fixture
def run(tmp_path, capsys):
    command = typer.main.get_command(model.app)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            command.main([*map(str, arguments), "--db", str(tmp_path / "n.db")], prog_name="nodegate model")
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return run


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "objects"
    (folder / "old").mkdir(parents=True)
    (folder / "42.xml").write_text(xml(42, "1.1", "New"))
    (folder / "old" / "42.xml").write_text(xml(42, "1.1", "Old"))
    (folder / "old" / "42-1_0.xml").write_text(xml(42, "1.0"))
    (folder / "units.xml").write_text("<units/>")
    (folder / "README").write_text("no definition")
    return folder


def objects(text, origin=None):
    rows = json.loads(text)
    return [(row["object_id"], row["version"]) for row in rows if origin in (None, row["origin"])]


def test_folder_is_imported_and_the_outer_file_holds(run, folder):
    assert run("import", folder) == (0, "imported 2 object definitions\n", "")
    status, out, _ = run("list", "--json")
    assert status == 0
    assert objects(out, "imported") == [(42, "1.0"), (42, "1.1")]
    assert (3, "1.2") in objects(out, "own")
    assert json.loads(run("show", "42", "--json")[1])["name"] == "New"
    assert json.loads(run("show", "42/1.0", "--json")[1])["name"] == "Thing"


def test_zip_is_imported_alike(run, folder, tmp_path):
    archive = tmp_path / "objects.zip"
    with zipfile.ZipFile(archive, "w") as content:
        for path in folder.rglob("*.xml"):
            content.write(path, path.relative_to(folder))
    status, out, _ = run("import", archive, "--json")
    assert status == 0
    assert json.loads(out) == {
        "imported": 2,
        "objects": [
            {"object_id": 42, "version": "1.0", "name": "Thing", "resources": 1},
            {"object_id": 42, "version": "1.1", "name": "New", "resources": 1},
        ],
    }


def test_bad_files_are_named_and_nothing_is_imported(run, folder):
    (folder / "bad.xml").write_text("<LWM2M>")
    (folder / "worse.xml").write_text(xml(70_000))
    status, out, err = run("import", folder)
    assert (status, out) == (1, "")
    assert len(err.splitlines()) == 3
    assert "bad.xml" in err
    assert "worse.xml" in err
    assert objects(run("list", "--json")[1], "imported") == []


def test_other_sources_are_refused(run, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    text = tmp_path / "text"
    text.write_text("x")
    damaged = tmp_path / "damaged.zip"
    with zipfile.ZipFile(damaged, "w") as archive:
        archive.writestr("42.xml", xml(42))
    damaged.write_bytes(damaged.read_bytes().replace(b"Thing", b"Other"))
    for source in (empty, text, damaged, tmp_path / "nowhere"):
        status, out, err = run("import", source)
        assert (status, out) == (1, "")
        assert len(err.splitlines()) == 1
        assert str(source) in err


def test_amount_is_bounded(run, folder, monkeypatch):
    monkeypatch.setattr(model, "MAX_FILES", 1)
    status, _, err = run("import", folder)
    assert status == 1
    assert "allowed" in err


def test_own_objects_are_shown_without_a_registry(run, tmp_path):
    status, out, err = run("show", "3303")
    assert (status, err) == (0, "")
    assert "Temperature" in out
    assert "Sensor Value" in out
    assert run("show", "/3/1.2")[0] == 0
    assert "Device" in run("list")[1]
    assert not (tmp_path / "n.db").exists()


@pytest.mark.parametrize("name", ["99", "3/9.9", "x", "3303/", "-"])
def test_unknown_objects_are_refused(run, name):
    status, out, err = run("show", name)
    if name == "3303/":
        assert status == 0
        return
    assert (status, out) == (1, "")
    assert len(err.splitlines()) == 1


def test_damaged_row_is_one_line(run, tmp_path):
    with Database.open(tmp_path / "n.db") as database, database.transaction() as connection:
        store_definitions(connection, [StoredDefinition(42, "1.0", "?")], 0)
    status, out, err = run("list")
    assert (status, out) == (1, "")
    assert "import it again" in err
