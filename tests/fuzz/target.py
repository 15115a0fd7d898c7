"""What can be fuzzed: a target takes a source of chance and a number of inputs, and must not raise.

Knows how an input is judged. Who runs how many, in which process, is `campaign`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple, Protocol

from tests.fuzz.mutation import mutate, noise

CORPUS = Path(__file__).parent / "corpus"


class Escape(Exception):
    """An input brought out what must never come out: any exception, or a broken promise."""

    def __init__(self, data: bytes, what: str) -> None:
        super().__init__(data, what)
        self.data = data
        "The input at fault; for a walk the last one, which needs those before it."

        self.what = what


class Tried(NamedTuple):
    """What came of a number of inputs."""

    inputs: int
    outcomes: Counter[str]


class Target(Protocol):
    """One way in."""

    name: str
    weight: int
    "Its share of the inputs, relative to the other targets."

    def run(self, random: Random, inputs: int) -> Tried:
        """Try so many inputs, or a few more.

        Raises:
            Escape: see there.
        """
        ...

    def try_corpus(self) -> Tried:
        """Try the seeds and the committed examples as they are."""
        ...


def read_corpus(name: str) -> list[bytes]:
    """The examples of one target: a line each in hex; what follows a # is for the reader."""
    path = CORPUS / f"{name}.txt"
    if not path.exists():
        return []
    lines = (line.partition("#")[0].strip() for line in path.read_text("ascii").splitlines())
    return [bytes.fromhex(line) for line in lines if line]


@dataclass
class Decoder:
    """A function of bytes: a value, or one of *refusals*, and nothing else."""

    name: str
    decode: Callable[[bytes], object]
    seeds: Sequence[bytes]
    refusals: tuple[type[Exception], ...]
    weight: int = 10
    corpus: list[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.corpus = read_corpus(self.name.replace(" ", "-"))
        self.seeds = [*self.seeds, *self.corpus, b""]

    def run(self, random: Random, inputs: int) -> Tried:
        outcomes: Counter[str] = Counter()
        for _ in range(inputs):
            is_noise = random.random() < 0.05
            data = noise(random) if is_noise else mutate(random.choice(self.seeds), random, self.seeds)
            outcomes[self.judge(data)] += 1
        return Tried(inputs, outcomes)

    def try_corpus(self) -> Tried:
        return Tried(len(self.seeds), Counter(self.judge(data) for data in self.seeds))

    def judge(self, data: bytes) -> str:
        """The outcome of one input.

        Raises:
            Escape: the decoder raised what it must not.
        """
        try:
            self.decode(data)
        except self.refusals:
            return "refused"
        except Exception as error:
            raise Escape(data, f"{type(error).__name__}: {error}") from error
        return "read"
