"""`gateway.dtls.limits`: so many handshakes a minute from one host."""

from __future__ import annotations

import pytest

from gateway.dtls import limits
from gateway.dtls.limits import HostRate


def test_one_too_many_in_a_minute_is_refused_and_the_next_minute_begins_anew() -> None:
    rate = HostRate(3, 100.0)
    assert [rate.is_allowed("192.0.2.1", 101.0) for _ in range(4)] == [True, True, True, False]
    assert rate.is_allowed("192.0.2.1", 160.0)


def test_hosts_do_not_share_a_limit() -> None:
    rate = HostRate(1, 0.0)
    assert rate.is_allowed("192.0.2.1", 0.0)
    assert rate.is_allowed("192.0.2.2", 0.0)
    assert not rate.is_allowed("192.0.2.1", 0.0)


def test_zero_is_no_limit() -> None:
    rate = HostRate(0, 0.0)
    assert all(rate.is_allowed("192.0.2.1", 0.0) for _ in range(10))


def test_beyond_the_hosts_that_are_counted_newcomers_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_MAX_HOSTS", 1)
    rate = HostRate(1, 0.0)
    assert rate.is_allowed("192.0.2.1", 0.0)
    assert rate.is_allowed("192.0.2.2", 0.0)
    assert rate.is_allowed("192.0.2.2", 0.0)
    assert not rate.is_allowed("192.0.2.1", 0.0)
