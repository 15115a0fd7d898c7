"""The CoAP-level table of ``docs/conformance.md``: what comes back for a datagram that is no good request."""

from __future__ import annotations

import pytest
from aiocoap import Message
from aiocoap.numbers.codes import Code

from tests.support.clock import VirtualClock, virtual_time
from tests.support.coap import (
    ACK,
    BLOCK1,
    CON,
    NON,
    PROXY_URI,
    RST,
    Bed,
    block,
    coap,
    path,
    read,
)
from tests.support.conformance import message_rows

RD = path("rd")
UNKNOWN_CRITICAL = 2049

DATAGRAMS: dict[str, list[bytes]] = {
    "confirmable, token of 9 bytes": [b"\x49\x02\x00\x01" + bytes(9)],
    "non-confirmable, token of 9 bytes": [b"\x59\x02\x00\x01" + bytes(9)],
    "confirmable, option that runs past its end": [b"\x40\x02\x00\x01\xb5rd"],
    "confirmable, option delta or length 15": [b"\x40\x02\x00\x01\xf0"],
    "confirmable, payload marker without payload": [b"\x40\x02\x00\x01\xff"],
    "confirmable, reserved code class": [b"\x40\x20\x00\x01"],
    "confirmable, unknown method": [coap(CON, "0.30", options=RD)],
    "confirmable, empty (a ping)": [b"\x40\x00\x00\x01"],
    "confirmable, empty with content": [b"\x40\x00\x00\x01\xff\x00"],
    "Reset with a code or a payload": [b"\x70\x02\x00\x01"],
    "acknowledgement nobody waits for": [coap(ACK, "2.05")],
    "another CoAP version than 1": [b"\x80\x02\x00\x01"],
    "fewer than 4 bytes": [b"\x40\x02\x00"],
    "confirmable response nobody waits for": [coap(CON, "2.05", token=b"\x01")],
    "confirmable, unknown critical option": [coap(CON, "0.02", options=[*RD, (UNKNOWN_CRITICAL, b"")])],
    "non-confirmable, unknown critical option": [coap(NON, "0.02", options=[*RD, (UNKNOWN_CRITICAL, b"")])],
    "Proxy-Uri or Proxy-Scheme": [coap(CON, "0.01", options=[(PROXY_URI, b"coap://example.org/")])],
    "block without a beginning": [
        coap(CON, "0.02", options=[*RD, (BLOCK1, block(3, True, 0))], payload=bytes(16))
    ],
    "block number 1,048,575": [
        coap(CON, "0.02", options=[*RD, (BLOCK1, block((1 << 20) - 1, True, 6))], payload=bytes(1024))
    ],
    "block of reserved size": [
        coap(CON, "0.02", options=[*RD, (BLOCK1, block(0, True, 7))], payload=bytes(16))
    ],
    "block whose payload is shorter than its size": [
        coap(CON, "0.02", options=[*RD, (BLOCK1, block(0, True, 2))], payload=bytes(10))
    ],
    "body in blocks beyond `coap.max_body_bytes`": [
        coap(
            CON,
            "0.02",
            mid=number + 1,
            options=[*RD, (BLOCK1, block(number, True, 6))],
            payload=bytes(1024),
        )
        for number in range(65)
    ],
    "reset nobody waits for": [coap(RST, "0.00")],
}


@pytest.mark.parametrize("row", message_rows(), ids=lambda row: row[0])
@virtual_time
async def test_answer_is_the_documented_one(clock: VirtualClock, row: tuple[str, str]) -> None:
    case, answer = row
    peer = Bed(lambda request: Message(code=Code.CHANGED)).plain()
    received: list[bytes] = []
    for datagram in DATAGRAMS[case]:
        received = peer.send(datagram)
    assert answer_of(received) == answer


def answer_of(received: list[bytes]) -> str:
    if not received:
        return "nothing"
    (datagram,) = received
    message = read(datagram)
    return "Reset" if message.mtype == RST else message.code.dotted


def test_every_documented_case_is_driven_and_every_driven_one_documented() -> None:
    assert {case for case, _ in message_rows()} == set(DATAGRAMS)
