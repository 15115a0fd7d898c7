"""A run over all targets: how the inputs are shared out, over processes, until the number or the time is up.

An escape is kept with what it takes to have it again: seed, target and batch, and the input itself.
"""

from __future__ import annotations

import json
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import count, cycle
from multiprocessing import get_context
from pathlib import Path
from random import Random
from types import FrameType

from tests.fuzz import coap_decoders, dtls_decoders, paths
from tests.fuzz.target import Escape, Target, Tried

BATCH_INPUTS = 5_000
BATCH_CPU_S = 120.0
"Hundreds of times what a batch takes: beyond it an input hangs."

MEMORY_BYTES = 4 << 30
"Of address space, for each process: beyond it an input takes all there is."


class Hang(Exception):
    """A batch took far too long."""


@dataclass(frozen=True)
class Batch:
    """So many inputs for one target; the same ones whenever it is run with the same *seed*."""

    seed: str
    target: str
    number: int
    inputs: int


@dataclass(frozen=True)
class Found:
    """An escape, as it is saved."""

    batch: Batch
    what: str
    data: str
    "In hex; of a walk only the last of its datagrams: run the batch again."


@dataclass
class Result:
    """What came of one batch."""

    batch: Batch
    tried: Tried = field(default_factory=lambda: Tried(0, Counter()))
    cpu_s: float = 0.0
    found: Found | None = None


def all_targets() -> list[Target]:
    """Every target there is."""
    return [*dtls_decoders.targets(), *coap_decoders.targets(), *paths.targets()]


def plan(targets: Sequence[Target], inputs: int | None, seed: str) -> Iterator[Batch]:
    """The batches of a run: the targets in turn, each as often as its weight; None: without end."""
    numbers: dict[str, Iterator[int]] = {target.name: count() for target in targets}
    if inputs is None:
        for target in cycle(targets):
            size = max(1, BATCH_INPUTS * target.weight // 100)
            yield Batch(seed, target.name, next(numbers[target.name]), size)
    total = sum(target.weight for target in targets)
    left = {target.name: -(-inputs * target.weight // total) for target in targets}
    while any(left.values()):
        for name in left:
            size = min(BATCH_INPUTS, left[name])
            if size:
                left[name] -= size
                yield Batch(seed, name, next(numbers[name]), size)


def run_batch(batch: Batch, targets: dict[str, Target]) -> Result:
    """Run one batch here and now."""
    result = Result(batch)
    start_s = time.process_time()
    random = Random(f"{batch.seed}/{batch.target}/{batch.number}")
    try:
        result.tried = targets[batch.target].run(random, batch.inputs)
    except Escape as escape:
        result.found = Found(batch, escape.what, escape.data.hex())
    result.cpu_s = time.process_time() - start_s
    return result


_targets: dict[str, Target] = {}


def _start() -> None:
    """What a process does first: set its bounds, make its targets."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGVTALRM, _hang)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    _targets.update({target.name: target for target in all_targets()})


def _hang(number: int, frame: FrameType | None) -> None:
    raise Hang(f"more than {BATCH_CPU_S:.0f} s")


def _run_in_process(batch: Batch) -> Result:
    signal.setitimer(signal.ITIMER_VIRTUAL, BATCH_CPU_S)
    try:
        return run_batch(batch, _targets)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def run(
    batches: Iterator[Batch], processes: int, seconds: float | None, tell: Callable[[Result], None]
) -> None:
    """Run the batches on so many processes; *tell* hears of each. Ends when they do, or the time is up."""
    end_s = None if seconds is None else time.monotonic() + seconds

    def until_then() -> Iterator[Batch]:
        for batch in batches:
            if end_s is not None and time.monotonic() >= end_s:
                return
            yield batch

    with get_context("spawn").Pool(processes, _start) as pool:
        # imap takes its batches as fast as they come: hand them out a few at a time.
        waiting = until_then()
        running = []
        for batch in waiting:
            running.append(pool.apply_async(_run_in_process, (batch,)))
            if len(running) >= 2 * processes:
                tell(running.pop(0).get())
        for each in running:
            tell(each.get())


def save(found: Found, folder: Path) -> Path:
    """Write an escape to a file of its own; gives which."""
    folder.mkdir(parents=True, exist_ok=True)
    batch = found.batch
    path = folder / f"{batch.target.replace(' ', '-').replace('/', '-')}-{batch.seed}-{batch.number}.json"
    path.write_text(json.dumps(asdict(found), indent=1) + "\n", "utf-8")
    return path


def load(path: Path) -> Batch:
    """The batch that an escape came from."""
    return Batch(**json.loads(path.read_text("utf-8"))["batch"])
