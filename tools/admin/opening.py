"""Opens the registry for one command, with the key that the environment names.

The registry's modules are imported when the first command needs them, so that ``nodegate --help`` is quick.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tools.admin.border import complain

if TYPE_CHECKING:
    from registry.administration import Administration


def open_administration(url: str, *, create: bool = True) -> Administration:
    """The registry at *url*, made if it is missing unless *create* is false.

    Raises:
        RegistryError: it cannot be used; the text says why and what to do.
    """
    from registry.administration import Administration
    from registry.sealing import KeySource
    from registry.sqlite import Database

    key = KeySource.from_environment(os.environ)
    return Administration(Database.open(url, key=key, create=create))


@contextmanager
def open_if_there(url: str, *, is_told: bool = True) -> Iterator[Administration | None]:
    """The registry at *url*, or None where nothing is: looking is no reason to make a file.

    With *is_told* a line on stderr says so.

    Raises:
        RegistryError: it is there and cannot be used.
    """
    from registry.sqlite import parse_url

    path = parse_url(url)
    if not path.exists():
        if is_told:
            complain(f"{path} does not exist yet; `nodegate device create` makes it, --db names another")
        yield None
        return
    with open_administration(url, create=False) as administration:
        yield administration
