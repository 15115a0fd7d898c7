"""The tool itself: it finds, keeps, repeats and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from tests.fuzz import __main__ as command
from tests.fuzz import campaign
from tests.fuzz.campaign import Batch, plan, run_batch
from tests.fuzz.mutation import CHANGES, LONGEST_BYTES, mutate, noise
from tests.fuzz.target import Decoder, Escape


def first_byte(data: bytes) -> int:
    """A decoder with a fault: it does not expect to be given nothing."""
    if data[0] == 0xFF:
        raise ValueError("refused")
    return data[0]


FAULTY = Decoder("faulty", first_byte, [b"some bytes"], (ValueError,))
SOUND = Decoder("sound", len, [b"some bytes"], ())


def test_a_fault_is_found_with_the_input_that_shows_it() -> None:
    with pytest.raises(Escape) as found:
        FAULTY.run(Random(1), 10_000)
    assert found.value.data == b""
    assert "IndexError" in found.value.what


def test_what_was_found_is_kept_and_comes_again(tmp_path: Path) -> None:
    batch = Batch("seed", "faulty", 3, 10_000)
    result = run_batch(batch, {"faulty": FAULTY})
    assert result.found is not None
    path = campaign.save(result.found, tmp_path)
    assert campaign.load(path) == batch
    assert run_batch(campaign.load(path), {"faulty": FAULTY}).found == result.found


def test_a_batch_counts_what_it_tried() -> None:
    result = run_batch(Batch("seed", "sound", 0, 500), {"sound": SOUND})
    assert result.found is None
    assert result.tried == (500, Counter(read=500))


def test_inputs_are_shared_out_by_weight() -> None:
    light, heavy = Decoder("light", len, [b"x"], (), 1), Decoder("heavy", len, [b"x"], (), 9)
    batches = list(plan([light, heavy], 100_000, "seed"))
    sizes: Counter[str] = Counter()
    for batch in batches:
        sizes[batch.target] += batch.inputs
    assert sizes == {"light": 10_000, "heavy": 90_000}
    assert len({(batch.target, batch.number) for batch in batches}) == len(batches)
    assert {batch.target for batch in islice(plan([light, heavy], None, "seed"), 2)} == {"light", "heavy"}


def test_the_same_seed_gives_the_same_inputs() -> None:
    seeds = [b"some bytes", b"others"]
    first, second = ([mutate(seeds[0], Random(7), seeds) for _ in range(50)] for _ in range(2))
    assert first == second
    assert len({mutate(seeds[0], Random(i), seeds) for i in range(50)}) > 30


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("data", [b"", b"x", b"xy", bytes(range(100))], ids=len)
def test_every_change_takes_any_bytes(change: Callable[..., None], data: bytes) -> None:
    for seed in range(20):
        change(bytearray(data), Random(seed), [b"", b"other"])


def test_inputs_have_a_longest_length() -> None:
    assert all(len(mutate(bytes(6_000), Random(i), [b""])) <= LONGEST_BYTES for i in range(50))
    assert all(len(noise(Random(i))) <= 80 for i in range(50))


def test_the_command_runs_in_processes_and_reports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "TELL_EVERY_S", 0.0)
    arguments = ["--inputs", "600", "--seed", "x", "--processes", "1", "--target", "hello"]
    assert command.main([*arguments, "--save", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert "client_hello" in printed.out
    assert "0 escapes" in printed.out
    assert "seed x" in printed.err
    assert not list(tmp_path.iterdir())


def test_the_command_ends_when_the_time_is_up() -> None:
    assert command.main(["--seconds", "0", "--processes", "1", "--target", "alert"]) == 0


def test_the_command_names_its_targets(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list", "--target", "states"]) == 0
    assert capsys.readouterr().out == "endpoint states\n"
    with pytest.raises(SystemExit) as ended:
        command.main(["--target", "no such target"])
    assert ended.value.code == 2


def test_an_escape_is_told_saved_and_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = command.Report(tmp_path)
    report.take(run_batch(Batch("seed", "faulty", 0, 10_000), {"faulty": FAULTY}))
    assert report.escapes == 1
    assert "ESCAPE  faulty" in capsys.readouterr().err
    (saved,) = tmp_path.iterdir()
    monkeypatch.setattr(command, "all_targets", lambda: [FAULTY])
    assert command.main(["--replay", str(saved)]) == 1
    assert "IndexError" in capsys.readouterr().out
