"""``nodegate device import``: many devices from a CSV file, all or none.

Everything is read and checked before the transaction opens; generated secrets lie on the disk before it
commits. The format is `tools.admin.csvformat`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from registry.errors import ImportRefused
from registry.model import Created
from registry.shapes import describe_created
from tools.admin.border import Refused
from tools.admin.opening import open_administration, open_if_there
from tools.admin.options import DEFAULT_DATABASE, AsJson, Database
from tools.admin.output import print_json

if TYPE_CHECKING:
    from tools.admin.csvformat import Content, LineFault, SecretsFile


def import_devices(
    file: Annotated[
        str, typer.Argument(metavar="FILE.csv", help="The file; `-` reads stdin.", show_default=False)
    ],
    secrets_out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="New file for generated secrets, in the same format, mode 0600."),
    ] = None,
    db: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Add the devices of a CSV file, all of them or none.

    The first line is `node_id,security,secret,timeout,certificate,public_key`, all but the first optional; an
    empty field takes its default (psk, a generated secret, 0). The last two name files, from the folder of
    FILE.csv on. Generated secrets go to `--secrets-out` or into the `--json` answer.

    Examples:

        nodegate device import fleet.csv --secrets-out secrets.csv

        nodegate device import fleet.csv --json > made.json
    """
    from tools.admin.csvformat import read_content

    content = read_content(file)
    if content.faults:
        raise _refusal(content, [*content.faults, *_find_refused(content, db)])
    if content.needs_secrets and secrets_out is None and not as_json:
        raise Refused(
            "secrets would be generated and lost; say where to with --secrets-out FILE, or use --json"
        )
    created = _import(content, secrets_out, db)
    if as_json:
        print_json(
            {"created": len(created), "devices": [_describe(one, secrets_out is None) for one in created]}
        )
        return
    print(f"created {len(created)} device{'' if len(created) == 1 else 's'}")
    if secrets_out and content.needs_secrets:
        print(f"generated secrets are in {secrets_out}")


def _import(content: Content, secrets_out: Path | None, db: str) -> Sequence[Created]:
    generated = [index for index, row in enumerate(content.rows) if row.needs_secret]
    with (
        open_administration(db) as administration,
        _secrets_file(secrets_out if generated else None) as file,
        _progress() as progress,
    ):

        def write_secrets(created: Sequence[Created]) -> None:
            if file is not None:
                file.write(created[index] for index in generated)

        try:
            return administration.import_devices(
                [row.device for row in content.rows], progress, write_secrets
            )
        except ImportRefused as error:
            raise _refusal(content, content.locate(error.faults)) from None


def _refusal(content: Content, faults: Iterable[LineFault]) -> Refused:
    lines = sorted(faults, key=lambda fault: fault.number)
    return Refused(
        *(f"{content.title}, line {fault.number}: {fault.reason}" for fault in lines), "nothing was imported"
    )


def _find_refused(content: Content, db: str) -> Sequence[LineFault]:
    """What the registry would say of the good lines, so that one run names every bad one."""
    with open_if_there(db, is_told=False) as administration:
        if administration is None:
            return ()
        return content.locate(administration.find_faults([row.device for row in content.rows]))


def _describe(created: Created, with_secret: bool) -> dict[str, object]:
    description = describe_created(created)
    return description if with_secret else {**description, "secret": None}


def _secrets_file(path: Path | None) -> AbstractContextManager[SecretsFile | None]:
    from tools.admin.csvformat import open_secrets_file

    return nullcontext() if path is None else open_secrets_file(path)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on stderr, where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("devices"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("devices", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
