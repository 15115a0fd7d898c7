"""docs/configuration.md says what the code says: every setting, its default, unit, range and meaning."""

from __future__ import annotations

import ast
import re

import pytest

from gateway.config import SHORT_VARIABLES
from gateway.settings import setting_names
from tests.support.sources import ROOT, sources
from tools.admin.settings_table import settings_table

PAGE = (ROOT / "docs" / "configuration.md").read_text()
ATTRIBUTES_READ = {
    node.attr for source in sources() for node in ast.walk(source.tree) if isinstance(node, ast.Attribute)
}


def test_tables_of_settings_are_those_of_the_code() -> None:
    tables = PAGE[PAGE.index("\n## ") + 1 :]
    assert tables == settings_table(), "run: python -m tools.admin.settings_table, and put it into the page"


@pytest.mark.parametrize("name", setting_names())
def test_every_setting_has_one_row(name: str) -> None:
    assert len(re.findall(rf"^\| `{re.escape(name)}` \|", PAGE, re.MULTILINE)) == 1


@pytest.mark.parametrize("name", setting_names())
def test_every_setting_is_read(name: str) -> None:
    assert name.rpartition(".")[2] in ATTRIBUTES_READ, "nothing follows from it"


@pytest.mark.parametrize("variable", SHORT_VARIABLES)
def test_short_variables_are_named(variable: str) -> None:
    assert f"`{variable}`" in PAGE


def test_settings_that_the_documents_name_exist() -> None:
    sections = "|".join(sorted({name.partition(".")[0] for name in setting_names()}))
    known = set(setting_names())
    strays = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
        for name in re.findall(rf"--set ((?:{sections})\.\w+)=", path.read_text())
        if name not in known
    }
    assert not strays
