"""The image is built from all that the distribution consists of."""

from __future__ import annotations

import tomllib

from tests.support.sources import ROOT


def test_container_copies_all_that_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = (ROOT / "docs/operations/Containerfile").read_text().splitlines()
    copied = {name for line in lines if line.startswith("COPY ") for name in line.split()[1:-1]}
    installed = project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    assert {*installed, "pyproject.toml", project["project"]["readme"]} <= copied
