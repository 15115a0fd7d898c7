"""Negative catalogue, D: what is not under protection, or under the wrong one, moves nothing.

Which records a session takes at all is in `test_record_selection`, replays and addresses in
`test_replays_and_addresses`, numbers and forgers in `test_record_numbers`.
"""

from __future__ import annotations

import pytest

from gateway.dtls import record as record_module
from gateway.dtls.alerts import CLOSE_NOTIFY
from gateway.dtls.events import ApplicationData, PskRequested, SessionEnd, SessionEnded
from gateway.dtls.record import HEADER_BYTES, Opener, Sealer, decode_records
from gateway.dtls.suites import DEFAULT_SUITES, SUITES
from tests.support.dtls_attack import ELSEWHERE, Bystander, dropped, established, silent
from tests.support.dtls_cases import CID_BYTES, CIDS, CLOSE, FATAL, assert_heard
from tests.support.dtls_pair import (
    ADDRESS,
    ALERT,
    APPLICATION_DATA,
    HANDSHAKE,
    PSK,
    TLS12_CID,
    Hello,
    Pair,
    RawClient,
    Server,
    only,
)

# --- D1, D2: data without protection, and too early


@pytest.mark.parametrize("cid", CIDS)
def test_D1_clear_data_never_reaches_the_application(server: Server, cid: bytes | None) -> None:
    raw = RawClient(server, Hello() if cid is None else Hello().with_cid(cid))
    clear = raw.record(APPLICATION_DATA, b"clear")
    with dropped(server, clear_application_data=1):
        raw.send(clear)
    raw.begin()
    with dropped(server, clear_application_data=1):
        raw.send(clear)
    raw.send(raw.key_exchange(), raw.change_cipher_spec())
    with dropped(server, clear_application_data=1):
        raw.send(clear)
    raw.send(raw.finished())
    with dropped(server, clear_application_data=2):
        raw.send(clear)
        raw.send(clear, address=ELSEWHERE)
    assert_heard(raw)


def test_D1_clear_data_never_reaches_a_client() -> None:
    pair = Pair()
    clear = record_module.encode_record(APPLICATION_DATA, 9, b"clear")
    pair.to_client = lambda datagram: (clear, datagram + clear, clear)
    pair.handshake()
    assert not pair.client.receive_datagram(clear, pair.now)
    assert pair.client_received == []
    assert pair.server.send(pair.server.sessions[0], b"protected")
    pair.exchange()
    assert pair.client_received == [b"protected"]


@pytest.mark.parametrize("cid", CIDS)
def test_D2_data_before_the_finished_is_never_delivered(cid: bytes | None) -> None:
    server = Server(is_answering=False)
    raw = RawClient(server, Hello() if cid is None else Hello().with_cid(cid))
    raw.begin()
    (request,) = only(PskRequested, raw.send(raw.key_exchange()))
    raw.derive()
    with silent(server):
        for _ in range(3):
            raw.say(b"before the key")
        server.provide(request, PSK)
        for _ in range(3):
            raw.say(b"before the change")
        raw.send(raw.change_cipher_spec())
        for _ in range(3):
            raw.say(b"before the finished")
    assert server.count("unexpected_records") == 9
    raw.send(raw.finished())
    assert_heard(raw)


@pytest.mark.parametrize("cid", CIDS)
def test_D2_data_behind_the_finished_waits_for_nothing_and_is_dropped_with_its_handshake(
    cid: bytes | None,
) -> None:
    server = Server(is_answering=False)
    raw = RawClient(server, Hello() if cid is None else Hello().with_cid(cid), psk=b"a wrong key")
    raw.begin()
    flight = raw.key_exchange(), raw.change_cipher_spec(), raw.finished()
    (request,) = only(PskRequested, raw.send(*flight, raw.sealed(APPLICATION_DATA, b"unproven")))
    server.provide(request, PSK)
    assert server.received == []
    assert server.endpoint.session_count == server.endpoint.handshake_count == 0


# --- D3: alerts in clear


@pytest.mark.parametrize("cid", CIDS)
@pytest.mark.parametrize("alert", [FATAL, CLOSE, b"\2\0", b"\1\x5a", b"\2", b""])
def test_D3_a_clear_alert_does_not_touch_a_session(server: Server, alert: bytes, cid: bytes | None) -> None:
    raw = established(server, cid=cid)
    for confirmation in (b"", b"confirmed"):
        raw.say(confirmation)
        for sequence in (0, 5, 1 << 20):
            with dropped(server, alerts_ignored=1):
                raw.send(raw.record(ALERT, alert, sequence=sequence))
    assert_heard(raw)


def test_D3_a_clear_alert_does_not_touch_an_established_client() -> None:
    pair = Pair()
    pair.handshake()
    for alert in (FATAL, CLOSE):
        assert not pair.client.receive_datagram(record_module.encode_record(ALERT, 9, alert), pair.now)
    pair.say(b"still here")
    assert pair.server.received == [b"still here"]


# --- D11: what the tag covers


@pytest.mark.parametrize("cid", CIDS)
@pytest.mark.parametrize("suite", DEFAULT_SUITES, ids=lambda number: SUITES[number].name)
def test_D11_a_record_with_any_bit_changed_is_dropped(server: Server, suite: int, cid: bytes | None) -> None:
    bystander = Bystander(server)
    hello = Hello(suites=(suite,))
    raw = RawClient(server, hello if cid is None else hello.with_cid(cid))
    session = raw.connect()
    raw.say(b"confirmed")
    record = raw.sealed(APPLICATION_DATA, b"data", sequence=0x0F0F)
    for bit in range(8 * len(record)):
        changed = bytearray(record)
        changed[bit // 8] ^= 1 << bit % 8
        before = sum(server.endpoint.counters.as_dict().values())
        with silent(server):
            raw.send(bytes(changed))
        assert sum(server.endpoint.counters.as_dict().values()) == before + 1
    assert session.address == ADDRESS
    assert raw.send(record) == [ApplicationData(session, b"data")]
    bystander.check()


@pytest.mark.parametrize(
    ("sealed_for", "opened_by"),
    [(b"A" * 8, b"A" * 7 + b"B"), (b"A" * 8, b"A" * 7), (b"A" * 8, b""), (b"", b"A" * 8), (b"A", b"AA")],
)
def test_D11_the_tag_covers_the_connection_id_and_its_length(sealed_for: bytes, opened_by: bytes) -> None:
    suite = SUITES[DEFAULT_SUITES[0]]
    key, iv = bytes(suite.key_bytes), bytes(suite.iv_bytes)
    datagram = Sealer(suite, key, iv, sealed_for).seal(APPLICATION_DATA, 1, 5, b"data")
    (record,) = decode_records(datagram, len(sealed_for))
    assert Opener(suite, key, iv, sealed_for).open(record) == (APPLICATION_DATA, b"data")
    opener = Opener(suite, key, iv, opened_by)
    assert opener.open(record) is None
    content_type = TLS12_CID if opened_by else APPLICATION_DATA
    assert opener.open(record._replace(cid=opened_by, content_type=content_type)) is None


def test_D11_a_record_of_one_session_is_a_forgery_under_the_connection_id_of_another(server: Server) -> None:
    server.psks[b"other"] = b"another key"
    one, other = established(server, cid=b""), established(server, cid=b"", number=1, identity=b"other")
    assert other.server_hello is not None
    assert other.server_hello.connection_id is not None
    record = one.sealed(APPLICATION_DATA, b"data", 50)
    swapped = record[:11] + other.server_hello.connection_id + record[11 + CID_BYTES :]
    with dropped(server, bad_records=1):
        one.send(swapped)
    assert_heard(one)
    assert_heard(other)


# --- D12: short records


@pytest.mark.parametrize("cid", CIDS)
@pytest.mark.parametrize("suite", DEFAULT_SUITES, ids=lambda number: SUITES[number].name)
def test_D12_a_record_shorter_than_nonce_and_tag_is_dropped(
    server: Server, suite: int, cid: bytes | None
) -> None:
    hello = Hello(suites=(suite,))
    raw = RawClient(server, hello if cid is None else hello.with_cid(cid))
    raw.connect()
    start = raw.sealed(APPLICATION_DATA, b"", 50)[: HEADER_BYTES - 2 + (0 if cid is None else CID_BYTES)]
    shortest = 8 + SUITES[suite].tag_bytes + (0 if cid is None else 1)
    for length in range(shortest):
        with dropped(server, bad_records=1):
            raw.send(start + length.to_bytes(2, "big") + b"x" * length)
    assert_heard(raw)


@pytest.mark.parametrize("cid", CIDS)
def test_D12_empty_data_is_not_delivered_and_counts_as_a_record(server: Server, cid: bytes | None) -> None:
    raw = established(server, cid=cid)
    record = raw.sealed(APPLICATION_DATA, b"")
    with dropped(server):
        raw.send(record)
    with dropped(server, replayed_records=1):
        raw.send(record)
    assert_heard(raw)


# --- D17: after the end


@pytest.mark.parametrize("cid", CIDS)
@pytest.mark.parametrize("alert", [CLOSE, b"\2\0", FATAL, b"\2\xff"])
def test_D17_nothing_is_taken_after_the_end(server: Server, alert: bytes, cid: bytes | None) -> None:
    bystander = Bystander(server)
    raw = established(server, cid=cid)
    raw.say(b"confirmed")
    events = raw.send(raw.sealed(ALERT, alert), raw.sealed(APPLICATION_DATA, b"behind it"))
    assert len(only(SessionEnded, events)) == len(events) == 1
    assert raw.protected_alerts() == ([CLOSE_NOTIFY] if alert[1] == 0 else [])
    nobody = "unknown_peer" if cid is None else "unknown_connection_id"
    assert server.count(nobody) == 1
    with dropped(server, **{nobody: 4}):
        raw.say(b"later")
        raw.send(raw.sealed(ALERT, alert))
        raw.send(raw.sealed(HANDSHAKE, raw.message(1, b"")))
        raw.say(b"older", sequence=0)
    bystander.check()


@pytest.mark.parametrize("cid", CIDS)
def test_D17_nothing_is_taken_or_given_after_our_own_end(server: Server, cid: bytes | None) -> None:
    raw = RawClient(server, Hello() if cid is None else Hello().with_cid(cid))
    session = raw.connect()
    server.endpoint.end_session(session, server.now)
    with dropped(server, **{"unknown_peer" if cid is None else "unknown_connection_id": 1}):
        raw.say(b"crossing")
    server.endpoint.datagrams_to_send()
    assert not server.send(session, b"too late")
    assert server.outbox == []


@pytest.mark.parametrize("alert", [CLOSE, FATAL])
def test_D17_a_client_takes_nothing_after_the_end(alert: bytes) -> None:
    pair = Pair()
    session = pair.handshake()
    behind = session.seal(ALERT, alert) + session.seal(APPLICATION_DATA, b"behind it")
    (closed,) = pair.client.receive_datagram(behind, pair.now)
    assert closed.reason is (SessionEnd.CLOSE_NOTIFY if alert == CLOSE else SessionEnd.PEER_ALERT)  # type: ignore[union-attr]
    assert not pair.client.receive_datagram(session.seal(APPLICATION_DATA, b"later"), pair.now)
    assert not pair.client.is_established
