"""``nodegate model``: which objects are known, and more of them from OMA's XML files.

Imports lie in the registry; a running gateway takes them over within a second.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tools.admin.border import CommandGroup, Refused
from tools.admin.options import DEFAULT_DATABASE, AsJson, Database
from tools.admin.output import print_fields, print_json, print_json_array, print_table

if TYPE_CHECKING:
    from gateway.lwm2m.definitions import ObjectDefinition
    from gateway.lwm2m.model import Model

MAX_FILES = 20_000
MAX_BYTES = 268_435_456
"Of all files together."

app = typer.Typer(
    cls=CommandGroup,
    help="Show and add object definitions.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@app.command("import")
def import_models(
    source: Annotated[
        Path, typer.Argument(metavar="DIR|ZIP", help="XML files as OMA publishes them.", show_default=False)
    ],
    db: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Add the object definitions of a folder or a ZIP file, all of them or none.

    A definition replaces that of the same object and version. Files that define no object are passed over.

    Examples:

        nodegate model import lwm2m-registry/

        nodegate model import vendor-objects.zip --json
    """
    definitions = _read_source(source)
    if not definitions:
        raise Refused(f"{source} holds no object definitions: XML files as OMA publishes them are expected")
    _store(definitions, db)
    if as_json:
        print_json({"imported": len(definitions), "objects": [_summary(entry) for entry in definitions]})
    else:
        print(f"imported {len(definitions)} object definitions")


@app.command("list")
def list_models(db: Database = DEFAULT_DATABASE, as_json: AsJson = False) -> None:
    """List the objects that are known, ordered by number, then version.

    Examples:

        nodegate model list

        nodegate model list --json
    """
    with _known(db) as (model, imported):
        rows = [
            {**_summary(entry), "origin": "imported" if (entry.id, entry.version) in imported else "own"}
            for entry in model.definitions()
        ]
    if as_json:
        print_json_array(rows)
    else:
        columns = ("object", "version", "name", "resources", "origin")
        print_table(columns, (tuple(row.values()) for row in rows))


@app.command()
def show(
    object_: Annotated[
        str,
        typer.Argument(
            metavar="ID[/VERSION]", help="Object; without a version the newest.", show_default=False
        ),
    ],
    db: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Show one object: its resources, what may be done to them, and what they hold.

    Examples:

        nodegate model show 3

        nodegate model show 3303/1.1 --json
    """
    from gateway.lwm2m.definitions import describe_definition

    with _known(db) as (model, _):
        definition = _find(model, object_)
    description = describe_definition(definition)
    if as_json:
        print_json(description)
        return
    print_fields(
        [
            ("object", f"{definition.id} {definition.name}"),
            ("version", definition.version),
            ("instances", "multiple" if definition.is_multiple else "single"),
            ("presence", "mandatory" if definition.is_mandatory else "optional"),
        ]
    )
    print_table(
        ("resource", "name", "operations", "instances", "presence", "type", "range", "unit"),
        (
            (
                resource.id,
                resource.name,
                resource.operations,
                "multiple" if resource.is_multiple else "single",
                "mandatory" if resource.is_mandatory else "optional",
                resource.type.value,
                resource.range,
                resource.unit,
            )
            for resource in definition.resources.values()
        ),
    )


def _find(model: Model, text: str) -> ObjectDefinition:
    number, _, version = text.removeprefix("/").partition("/")
    if not (number.isascii() and number.isdigit()):
        raise Refused(f"{text} is no object: write its number, or NUMBER/VERSION, like 3303/1.1")
    versions = [entry for entry in model.definitions() if entry.id == int(number)]
    if version:
        versions = [entry for entry in versions if entry.version == version]
    if not versions:
        raise Refused(f"object {text} is not known; `nodegate model import` adds definitions")
    return versions[-1]


def _summary(definition: ObjectDefinition) -> dict[str, object]:
    return {
        "object_id": definition.id,
        "version": definition.version,
        "name": definition.name,
        "resources": len(definition.resources),
    }


def _read_source(source: Path) -> list[ObjectDefinition]:
    """Every definition in *source*, one of each version; of several that of the outermost file."""
    from gateway.lwm2m.ddf import decode_definitions
    from gateway.lwm2m.errors import DecodeError

    found: dict[tuple[int, tuple[int, int]], ObjectDefinition] = {}
    faults = []
    for name, content in _files(source):
        try:
            found.update({(entry.id, entry.number): entry for entry in decode_definitions(content)})
        except DecodeError as error:
            faults.append(f"{name}: {error}")
    if faults:
        raise Refused(*faults, "nothing was imported")
    return [found[key] for key in sorted(found)]


def _files(source: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each XML file, inner folders first."""
    if source.is_dir():
        paths = sorted(source.rglob("*.xml"), key=lambda path: (-len(path.parts), path))
        _check_amount(len(paths), sum(path.stat().st_size for path in paths), source)
        for path in paths:
            yield str(path), path.read_bytes()
    elif zipfile.is_zipfile(source):
        try:
            yield from _files_of_zip(source)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise Refused(f"{source} cannot be read: {error}") from None
    elif source.exists():
        raise Refused(f"{source} is neither a folder nor a ZIP file")
    else:
        raise Refused(f"{source} does not exist")


def _files_of_zip(source: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(source) as archive:
        members = [info for info in archive.infolist() if info.filename.lower().endswith(".xml")]
        members.sort(key=lambda info: (-info.filename.count("/"), info.filename))
        _check_amount(len(members), sum(info.file_size for info in members), source)
        for info in members:
            yield f"{source}:{info.filename}", archive.read(info)


def _check_amount(files: int, size: int, source: Path) -> None:
    if files > MAX_FILES or size > MAX_BYTES:
        raise Refused(
            f"{source} holds {files} XML files of {size} bytes; {MAX_FILES} files of {MAX_BYTES} bytes are"
            " allowed"
        )


def _store(definitions: list[ObjectDefinition], url: str) -> None:
    from gateway.objectmodel import store_definition
    from registry import models
    from registry.clock import SystemClock
    from registry.sqlite import Database as Store

    entries = [store_definition(definition) for definition in definitions]
    with Store.open(url) as database, database.transaction() as connection:
        models.store_definitions(connection, entries, SystemClock.wall_ms())


@contextmanager
def _known(url: str) -> Iterator[tuple[Model, frozenset[tuple[int, str]]]]:
    """The model that holds for the registry at *url*, and the versions in it that were imported."""
    from gateway.lwm2m.errors import DecodeError
    from gateway.objectmodel import extend_model, own_model
    from registry import models
    from registry.sqlite import Database as Store
    from registry.sqlite import parse_url

    if not parse_url(url).exists():
        yield own_model(), frozenset()
        return
    with Store.open(url, create=False) as database, database.snapshot() as connection:
        entries, _ = models.read_definitions(connection)
    try:
        model = extend_model(own_model(), entries)
    except DecodeError as error:
        raise Refused(f"{url} holds a definition that cannot be read: {error}; import it again") from None
    yield model, frozenset((entry.object_id, entry.version) for entry in entries)
