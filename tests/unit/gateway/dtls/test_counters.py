"""`gateway.dtls.counters`: every counter begins at nought and has a name."""

from __future__ import annotations

from gateway.dtls.counters import Counters


def test_counters_begin_at_nought_and_are_all_told() -> None:
    counters = Counters()
    counters.replayed_records += 2
    told = counters.as_dict()
    assert told.pop("replayed_records") == 2
    assert told
    assert set(told.values()) == {0}
    assert list(told) == sorted(told)
