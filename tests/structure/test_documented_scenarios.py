"""docs/simulator.md names every key of a scenario's step, and its examples are scenarios."""

from __future__ import annotations

import re

from tests.support.sources import ROOT
from tools.simulator.client.contents import factory_contents
from tools.simulator.scenario import KEYS, parse_scenario

PAGE = (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")


def test_every_key_of_a_step_is_in_the_table() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE))
    assert rows == dict(KEYS)


def test_examples_are_scenarios() -> None:
    examples = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert examples
    for example in examples:
        scenario = parse_scenario(example, factory_contents("1.1"))
        assert len(scenario.steps) == example.count("[[step]]")
