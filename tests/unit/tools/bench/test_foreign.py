"""`tools.bench.foreign`: the same client comes to the end of its handshake with either engine."""

from __future__ import annotations

from itertools import repeat

import pytest

from tools.bench import foreign


def test_our_engine_makes_handshakes_one_after_the_other() -> None:
    assert foreign.measure(foreign.make_our_servers(), handshakes=3) > 0


def test_mbedtls_makes_handshakes_one_after_the_other() -> None:
    tls = pytest.importorskip("mbedtls.tls", reason="python-mbedtls is not there: pip install python-mbedtls")
    assert foreign.measure(foreign.make_mbedtls_servers(tls), handshakes=3) > 0


def test_server_that_falls_silent_is_no_measurement() -> None:
    with pytest.raises(foreign.Unfinished, match="silent"):
        foreign.measure(repeat(lambda datagrams: ()), handshakes=1)
