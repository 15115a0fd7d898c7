"""Opens the registry for one command."""

from __future__ import annotations

import os
from pathlib import Path

from registry.administration import Administration
from registry.database import Database


def open_administration(url: str) -> Administration:
    """The registry at *url*; its key as the environment names it, else beside the database.

    Raises:
        RegistryError: it cannot be used; the text says why.
    """
