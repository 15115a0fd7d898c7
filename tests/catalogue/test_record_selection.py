"""Negative catalogue, D: which records a session takes, by connection ID, type, version and datagram."""

from __future__ import annotations

import pytest

from gateway.dtls import record as record_module
from gateway.dtls.events import ApplicationData
from gateway.dtls.record import HEADER_BYTES, MAX_PLAINTEXT_BYTES
from gateway.dtls.settings import ClientConfig, EndpointConfig
from tests.support.dtls_attack import dropped, established
from tests.support.dtls_cases import ANY_CID, CID_BYTES, CIDS, CLOSE, FATAL, assert_heard
from tests.support.dtls_pair import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    IDENTITY,
    PSK,
    TLS12_CID,
    Hello,
    Pair,
    RawClient,
    Server,
    only,
)


def legacy(raw: RawClient, content_type: int, content: bytes, sequence: int) -> bytes:
    """A record under the keys of *raw* as if no connection ID had been negotiated."""
    assert raw.sealer is not None
    cid, raw.sealer._cid = raw.sealer._cid, b""
    record = raw.sealed(content_type, content, sequence)
    raw.sealer._cid = cid
    return record


# --- D9: connection IDs where there should be none, and the reverse


@pytest.mark.parametrize("cid", ANY_CID)
@pytest.mark.parametrize("content_type", [APPLICATION_DATA, ALERT, HANDSHAKE, CHANGE_CIPHER_SPEC])
def test_D9_a_legacy_record_is_nobodys_where_connection_ids_were_agreed(
    server: Server, content_type: int, cid: bytes
) -> None:
    raw = established(server, cid=cid)
    with dropped(server, unknown_peer=1):
        raw.send(legacy(raw, content_type, FATAL, 50))
    assert_heard(raw)


@pytest.mark.parametrize("cid", ANY_CID)
def test_D9_a_legacy_finished_does_not_complete_where_connection_ids_were_agreed(
    server: Server, cid: bytes
) -> None:
    raw = RawClient(server, Hello().with_cid(cid))
    raw.begin()
    raw.send(raw.key_exchange(), raw.change_cipher_spec())
    finished = raw.finished_message()
    with dropped(server, handshake_bad_records=1):
        raw.send(legacy(raw, HANDSHAKE, finished, 0))
    raw.send(raw.sealed(HANDSHAKE, finished))
    assert_heard(raw)


@pytest.mark.parametrize("own_cid", [bytes(8), b"\0unknown"])
def test_D9_a_record_with_connection_id_is_nobodys_where_none_was_agreed(
    server: Server, own_cid: bytes
) -> None:
    raw = established(server)
    assert raw.sealer is not None
    raw.sealer._cid = own_cid
    with dropped(server, unknown_connection_id=1):
        raw.send(raw.sealed(APPLICATION_DATA, b"data", 50))
    raw.sealer._cid = b""
    assert_heard(raw)


def test_D9_an_empty_connection_id_names_nobody() -> None:
    server = Server(EndpointConfig(cid_length=0))
    raw = established(server, cid=b"")
    record = raw.sealed(APPLICATION_DATA, b"data", 50)
    with dropped(server, unknown_connection_id=1):
        raw.send(bytes((TLS12_CID,)) + record[1:])
    assert_heard(raw)


@pytest.mark.parametrize("cid", ANY_CID)
@pytest.mark.parametrize("epoch", [0, 2, 0xFFFF])
def test_D9_a_record_with_connection_id_belongs_to_epoch_1_only(
    server: Server, epoch: int, cid: bytes
) -> None:
    raw = established(server, cid=cid)
    with dropped(server, bad_epoch=2):
        raw.send(raw.sealed(APPLICATION_DATA, b"data", 50, epoch=epoch))
        raw.send(raw.sealed(ALERT, FATAL, 51, epoch=epoch))
    assert_heard(raw)


@pytest.mark.parametrize("cid", [None, b"", b"\7\7"])
def test_D9_a_client_takes_only_the_kind_of_record_it_agreed_on(cid: bytes | None) -> None:
    pair = Pair(ClientConfig(IDENTITY, PSK, cid=cid))
    session = pair.handshake()
    right = session.sealer._cid
    session.sealer._cid = b"" if right else b"\7\7"
    for content_type, content in ((APPLICATION_DATA, b"data"), (ALERT, CLOSE), (ALERT, FATAL)):
        assert not pair.client.receive_datagram(session.seal(content_type, content), pair.now)
    session.sealer._cid = right
    pair.server.send(session, b"as agreed")
    pair.exchange()
    assert pair.client_received == [b"as agreed"]


# --- D10: what lies under a connection ID


@pytest.mark.parametrize("zeros", [0, 1, 15, 255, 4_000])
def test_D10_nothing_but_padding_has_no_type_and_is_dropped(server: Server, zeros: int) -> None:
    raw = established(server, cid=b"")
    with dropped(server, unexpected_records=1):
        raw.send(raw.sealed(0, bytes(zeros)))
    assert_heard(raw)


@pytest.mark.parametrize("inner", [1, 19, CHANGE_CIPHER_SPEC, 24, TLS12_CID, 26, 128, 255])
def test_D10_other_types_inside_are_dropped(server: Server, inner: int) -> None:
    raw = established(server, cid=b"")
    with dropped(server, unexpected_records=1):
        raw.send(raw.sealed(inner, b"\1"))
    assert_heard(raw)


@pytest.mark.parametrize("padding", [*range(1, 20), 100, 254, 255, 1_000])
def test_D10_padding_is_taken_off(server: Server, padding: int) -> None:
    raw = established(server, cid=b"")
    content = b"data\0\0"
    events = raw.send(raw.sealed(0, content + bytes((APPLICATION_DATA,)) + bytes(padding - 1)))
    assert [event.data for event in only(ApplicationData, events)] == [content]


def test_D10_the_largest_inner_plaintext_is_taken_and_a_larger_one_dropped(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = established(server, cid=b"")
    raw.say(b"d" * (MAX_PLAINTEXT_BYTES - 1))
    assert [len(data) for data in server.received] == [MAX_PLAINTEXT_BYTES - 1]
    for surplus in (0, 1, 1_000):
        with monkeypatch.context() as patch:
            patch.setattr(record_module, "MAX_PLAINTEXT_BYTES", 20_000)
            record = raw.sealed(APPLICATION_DATA, b"d" * (MAX_PLAINTEXT_BYTES + surplus))
        with dropped(server, bad_records=1):
            raw.send(record)
    assert_heard(raw)


# --- D19: several records in a datagram


@pytest.mark.parametrize("cid", CIDS)
@pytest.mark.parametrize(
    "broken", ["tag", "length", "short", "garbage", "version", "epoch", "replay", "clear"]
)
def test_D19_a_broken_record_spoils_no_other(server: Server, broken: str, cid: bytes | None) -> None:
    raw = established(server, cid=cid)
    raw.say(b"confirmed")
    records = [raw.sealed(APPLICATION_DATA, text) for text in (b"one", b"two", b"three")]
    victim = records[1]
    end = HEADER_BYTES + (0 if cid is None else CID_BYTES)
    records[1] = {
        "tag": victim[:-1] + bytes((victim[-1] ^ 1,)),
        "length": victim[: end - 2] + b"\xff\xff" + victim[end:],
        "short": victim[: end - 2] + b"\0\5" + victim[end : end + 5],
        "garbage": b"\xff" * 40,
        "version": victim[:1] + b"\xfe\xff" + victim[3:],
        "epoch": victim[:3] + b"\0\2" + victim[5:],
        "replay": records[0],
        "clear": raw.record(APPLICATION_DATA, b"clear"),
    }[broken]
    server.events.clear()
    raw.send(*records)
    is_end_lost = broken in ("length", "garbage")
    assert server.received == ([b"one"] if is_end_lost else [b"one", b"three"])
    assert_heard(raw)


def test_D19_records_under_another_connection_id_than_the_first_are_dropped(server: Server) -> None:
    server.psks[b"other"] = b"another key"
    one, other = established(server, cid=b""), established(server, cid=b"", number=1, identity=b"other")
    datagram = [
        one.sealed(APPLICATION_DATA, b"first"),
        other.sealed(APPLICATION_DATA, b"smuggled"),
        other.sealed(ALERT, FATAL),
        one.sealed(APPLICATION_DATA, b"second"),
    ]
    one.send(*datagram)
    assert server.received == [b"first", b"second"]
    assert server.count("mixed_connection_ids") == 2
    assert_heard(one)
    assert_heard(other)


def test_D19_an_unknown_connection_id_in_front_admits_no_other(server: Server) -> None:
    raw = established(server, cid=b"")
    record = raw.sealed(APPLICATION_DATA, b"data")
    unknown = record[:11] + b"\0nobody!" + record[11 + CID_BYTES :]
    with dropped(server, unknown_connection_id=1, mixed_connection_ids=1):
        raw.send(unknown, record)
    assert_heard(raw)


# --- D20: another version


@pytest.mark.parametrize("cid", CIDS)
@pytest.mark.parametrize("version", [0x0000, 0x0100, 0x0301, 0x0303, 0x0304, 0xFEFC, 0xFEFF, 0xFFFF])
def test_D20_another_version_is_dropped(server: Server, version: int, cid: bytes | None) -> None:
    raw = established(server, cid=cid)
    for content_type, content in ((APPLICATION_DATA, b"data"), (ALERT, FATAL), (HANDSHAKE, b"\1" * 12)):
        record = raw.sealed(content_type, content)
        with dropped(server, bad_version=1):
            raw.send(record[:1] + version.to_bytes(2, "big") + record[3:])
    assert_heard(raw)


@pytest.mark.parametrize("version", [0x0303, 0xFEFC, 0xFEFF])
def test_D20_another_version_in_a_handshake_is_dropped(server: Server, version: int) -> None:
    raw = RawClient(server)
    raw.begin()
    flight = raw.key_exchange(), raw.change_cipher_spec(), raw.finished()
    with dropped(server, bad_version=3):
        raw.send(*[record[:1] + version.to_bytes(2, "big") + record[3:] for record in flight])
    raw.send(*flight)
    assert_heard(raw)
