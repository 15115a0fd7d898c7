"""`tools/fuzz`: the long run, with progress and a summary. Exit status 1 when anything escaped."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.campaign import Result, all_targets, load, plan, run, run_batch, save

TELL_EVERY_S = 5.0


@dataclass
class Report:
    """What has come in so far."""

    folder: Path
    started_s: float = field(default_factory=time.monotonic)
    told_s: float = 0.0
    inputs: Counter[str] = field(default_factory=Counter)
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    cpu_s: Counter[str] = field(default_factory=Counter)
    escapes: int = 0

    def take(self, result: Result) -> None:
        """Count a batch; say so now and then, and of an escape at once."""
        name = result.batch.target
        self.inputs[name] += result.tried.inputs
        self.outcomes.setdefault(name, Counter()).update(result.tried.outcomes)
        self.cpu_s[name] += result.cpu_s
        if result.found is not None:
            self.escapes += 1
            path = save(result.found, self.folder)
            print(f"ESCAPE  {name}: {result.found.what}\n        saved as {path}", file=sys.stderr)
        now_s = time.monotonic()
        if now_s - self.told_s >= TELL_EVERY_S:
            self.told_s = now_s
            print(self.line(), file=sys.stderr, flush=True)

    def line(self) -> str:
        """How far it is."""
        elapsed_s = time.monotonic() - self.started_s
        total = self.inputs.total()
        rate = total / elapsed_s if elapsed_s else 0.0
        return f"{total:>12,} inputs  {elapsed_s:7.0f} s  {rate:>9,.0f} inputs/s  {self.escapes} escapes"

    def summary(self) -> str:
        """A line for each target, and the whole."""
        lines = [f"{'target':42}{'inputs':>12}{'µs/input':>10}  outcomes"]
        for name, inputs in self.inputs.items():
            outcomes = "  ".join(f"{what} {number:,}" for what, number in sorted(self.outcomes[name].items()))
            lines.append(
                f"{name:42}{inputs:>12,}{self.cpu_s[name] / max(inputs, 1) * 1e6:>10.1f}  {outcomes}"
            )
        return "\n".join([*lines, "", self.line()])


def main(arguments: list[str] | None = None) -> int:
    """Parse, run, report."""
    parser = argparse.ArgumentParser(
        prog="tools/fuzz", description="Fuzz the decoders and the DTLS endpoint."
    )
    parser.add_argument(
        "--inputs", type=int, help="how many in all (default 1,000,000, or none with --seconds)"
    )
    parser.add_argument("--seconds", type=float, help="begin nothing new after so many")
    parser.add_argument("--seed", default=secrets.token_hex(4), help="the same seed gives the same inputs")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--target", default="", help="only targets whose name contains this")
    parser.add_argument("--save", type=Path, default=Path("fuzz-escapes"), help="folder for what escaped")
    parser.add_argument("--replay", type=Path, help="run the batch of a saved escape again")
    parser.add_argument("--list", action="store_true", help="name the targets")
    options = parser.parse_args(arguments)

    targets = [target for target in all_targets() if options.target in target.name]
    if options.list:
        print("\n".join(target.name for target in targets))
        return 0
    if options.replay:
        found = run_batch(load(options.replay), {target.name: target for target in targets}).found
        print("nothing escaped" if found is None else f"{found.what}\n{found.data}")
        return int(found is not None)
    if not targets:
        parser.error(f"no target has {options.target!r} in its name")
    inputs = options.inputs or (None if options.seconds else 1_000_000)
    report = Report(options.save)
    print(f"seed {options.seed}, {options.processes} processes, {len(targets)} targets", file=sys.stderr)
    run(plan(targets, inputs, options.seed), options.processes, options.seconds, report.take)
    print(report.summary())
    return int(report.escapes > 0)


if __name__ == "__main__":
    raise SystemExit(main())
