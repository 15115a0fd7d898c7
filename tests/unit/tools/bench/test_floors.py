"""`tools.bench.floors`: every primitive is called, and a floor is the sum of its parts."""

from __future__ import annotations

import pytest

from tools.bench.floors import Floor, Part, main, measure_floors


def test_a_floor_is_the_sum_of_its_parts() -> None:
    assert Floor("operation", [Part("hash", 3, 0.5), Part("signature", 1, 40.0)]).total_us == 41.5


def test_a_chain_seen_before_saves_its_issuers_signature() -> None:
    floors = measure_floors(runs=1, calls=2)
    record, psk, known, new = floors
    assert [part.name for part in new.parts] == [
        *(part.name for part in known.parts),
        "the issuer's signature",
    ]
    assert len(record.parts) == 2
    assert sum(part.times for part in psk.parts if part.name.startswith("HMAC:")) == 14
    assert all(part.each_us >= 0 for floor in floors for part in floor.parts)


def test_floors_are_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    floor = Floor("PSK handshake", [Part("HMAC", 14, 0.5), Part("sealed", 1, 1.0)])
    monkeypatch.setattr("tools.bench.floors.measure_floors", lambda: [floor])
    main()
    printed = capsys.readouterr().out.splitlines()
    assert printed == ["PSK handshake: 8.0 µs", "       7.0  HMAC, 14 times", "       1.0  sealed"]
