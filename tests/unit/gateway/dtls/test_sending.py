"""`gateway.dtls.sending`: what may leave."""

from __future__ import annotations

from gateway.address import Address
from tests.support.dtls_pair import APPLICATION_DATA, Hello, RawClient

ELSEWHERE = Address("198.51.100.7", 5_000)


def test_unconfirmed_address_gets_three_times_what_came_from_it() -> None:
    client = RawClient(hello=Hello().with_cid())
    session = client.connect()
    server = client.server
    client.say(b"x" * 50)
    record = client.sealed(APPLICATION_DATA, b"x" * 50)
    client.send(record, address=ELSEWHERE)
    sent = 0
    while server.send(session, b"y" * 20):
        sent += sum(map(len, server.take(ELSEWHERE)))
    assert sent <= 3 * len(record) < sent + 20 + session.sealer.overhead_bytes
    assert server.count("sends_over_budget") == 1
    client.say(b"second", address=ELSEWHERE)
    assert server.send(session, b"y" * 1_000)
