"""Options and arguments that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

DEFAULT_DATABASE = "sqlite:///nodegate.db"

Database = Annotated[
    str,
    typer.Option("--db", envvar="NODEGATE_DB", metavar="URL", help="The registry, `sqlite:///FILE`."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
NodeId = Annotated[str, typer.Argument(metavar="NODE_ID", help="Node ID or device ID.", show_default=False)]
