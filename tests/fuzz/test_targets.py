"""A short run of every target; `tools/fuzz` is the long one."""

from __future__ import annotations

from random import Random

import pytest

from tests.fuzz.campaign import all_targets
from tests.fuzz.target import CORPUS, Target, read_corpus

INPUTS = 300
TARGETS = all_targets()


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_nothing_escapes(target: Target) -> None:
    assert target.try_corpus().inputs > 0
    assert target.run(Random(f"short/{target.name}"), INPUTS).inputs >= INPUTS


@pytest.mark.parametrize("name", ["endpoint states", "lying wire"])
def test_walks_and_wires_get_as_far_as_sessions(name: str) -> None:
    (target,) = [target for target in TARGETS if target.name == name]
    outcomes = target.run(Random(f"far/{name}"), 1_000).outcomes
    assert outcomes["sessions"] + outcomes["established"] > 10


def test_every_file_of_the_corpus_belongs_to_a_target_and_holds_something() -> None:
    names = {target.name.replace(" ", "-") for target in TARGETS}
    files = {path.stem for path in CORPUS.glob("*.txt")}
    assert files
    assert files <= names
    assert all(read_corpus(name) for name in files)


def test_names_are_unique() -> None:
    assert len({target.name for target in TARGETS}) == len(TARGETS)
