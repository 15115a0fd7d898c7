"""`gateway.dtls.settings`: what would fail on a peer's datagram is refused at once."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dtls.errors import LocalProtocolError
from gateway.dtls.settings import ClientConfig, EndpointConfig, RetransmitSettings


@pytest.mark.parametrize(
    "setting",
    [
        {"node": 256},
        {"node": -1},
        {"cid_length": 256},
        {"suites": ()},
        {"suites": (0xC0A8, 0x1301)},
        {"max_handshakes": 0},
        {"max_sessions": 0},
    ],
)
def test_impossible_setting_is_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError):
        EndpointConfig(**setting)


def test_both_roles_gather_their_flight_timer() -> None:
    timer = RetransmitSettings(2.0, 3.0, 40.0, 7)
    values = {"retransmit_initial_s": 2.0, "retransmit_factor": 3.0, "retransmit_max_s": 40.0}
    assert EndpointConfig(**values, retransmit_count=7).retransmit == timer  # type: ignore[arg-type]
    assert ClientConfig(b"", b"k", **values, retransmit_count=7).retransmit == timer  # type: ignore[arg-type]


def test_defaults_never_bite_below_5000_handshakes_a_minute() -> None:
    assert EndpointConfig().handshakes_per_minute >= 5_000
    assert EndpointConfig().max_handshakes >= 5_000
