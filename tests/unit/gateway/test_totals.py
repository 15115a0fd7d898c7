"""Totals of all parts under one roof."""

from __future__ import annotations

from gateway.messaging.counters import MessageCounters
from gateway.totals import gather
from gateway.transport.udp import UdpCounters


def test_what_happened_is_named_by_part_and_what_did_not_is_left_out() -> None:
    udp, messages = UdpCounters(), MessageCounters()
    udp.received = 3
    messages.dropped_malformed = 1
    assert gather({"coap": udp, "messages": messages}) == {
        "coap.received": 3,
        "messages.dropped_malformed": 1,
    }


def test_nothing_happened_at_first() -> None:
    assert gather({"coap": UdpCounters()}) == {}
