"""For every decoder of DTLS: any bytes give a value or `DecodeError`, and what is encoded comes back."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dtls import alerts, extensions, journal, keys, messages, record, storedstate
from gateway.dtls.errors import DecodeError
from gateway.dtls.fragments import HandshakeMessage, Reassembler, Reassembly, fragment
from gateway.dtls.replay import WINDOW, ReplayWindow
from gateway.dtls.suites import SUITES
from tests.support.mutation import mutated
from tests.support.transcripts import load

DECODERS: dict[str, Callable[[bytes], Any]] = {
    "records": lambda data: record.decode_records(data, 8),
    "alert": alerts.decode_alert,
    "extensions": extensions.decode_extensions,
    "extended_master_secret": extensions.decode_extended_master_secret,
    "renegotiation_info": extensions.decode_renegotiation_info,
    "connection_id": extensions.decode_connection_id,
    "server_name": extensions.decode_server_name,
    "fragments": messages.decode_fragments,
    "client_hello": messages.decode_client_hello,
    "server_hello": messages.decode_server_hello,
    "hello_verify_request": messages.decode_hello_verify_request,
    "server_key_exchange": messages.decode_psk_server_key_exchange,
    "client_key_exchange": messages.decode_psk_client_key_exchange,
    "server_hello_done": messages.decode_server_hello_done,
    "finished": messages.decode_finished,
    "journal": journal.decode_entries,
    "stored_keys": storedstate.decode_keys,
    "stored_session": storedstate.decode_session,
}
FOREIGN_HELLOS = [bytes.fromhex(row["hex"])[25:] for row in load("client_hellos.json", "client_hellos")]

uint16 = st.integers(0, 0xFFFF)
random_bytes = st.binary(min_size=32, max_size=32)
session_ids = st.binary(max_size=32)
cids = st.binary(max_size=255)
hello_extensions = st.dictionaries(uint16, st.binary(max_size=40), max_size=8).map(
    lambda raw: {k: v for k, v in raw.items() if k not in (23, 54, 0xFF01)}
)


@pytest.mark.parametrize("name", DECODERS)
@given(data=st.binary(max_size=300))
def test_any_bytes_give_a_value_or_a_decode_error(name: str, data: bytes) -> None:
    offset = 0
    try:
        DECODERS[name](data)
    except DecodeError as error:
        offset = error.offset
    assert 0 <= offset <= len(data)


@given(data=mutated(*FOREIGN_HELLOS))
def test_b2_damaged_hello_gives_a_value_or_a_decode_error(data: bytes) -> None:
    try:
        hello = messages.decode_client_hello(data)
    except DecodeError:
        return
    assert hello.cipher_suites
    assert len(hello.session_id) <= 32
    assert 0 in hello.compression_methods


@given(st.integers(0, 255), st.integers(0, record.MAX_SEQUENCE), st.binary(max_size=200))
def test_plain_records_come_back(content_type: int, sequence: int, content: bytes) -> None:
    encoded = record.encode_record(content_type, sequence, content)
    (decoded,) = record.decode_records(encoded, 0)
    if content_type != record.ContentType.TLS12_CID or not content:
        assert (decoded.content_type, decoded.epoch, decoded.sequence) == (content_type, 0, sequence)
    assert decoded.fragment == content


@given(
    st.sampled_from(sorted(number for number, suite in SUITES.items() if not suite.is_cbc)),
    cids,
    st.integers(1, 255).filter(lambda content_type: content_type != 25),
    st.integers(0, 0xFFFF),
    st.integers(0, record.MAX_SEQUENCE),
    st.binary(max_size=300),
)
def test_sealed_records_open(
    number: int, cid: bytes, content_type: int, epoch: int, sequence: int, plaintext: bytes
) -> None:
    sealer = record.Sealer(SUITES[number], bytes(16), bytes(4), cid)
    opener = record.Opener(SUITES[number], bytes(16), bytes(4), cid)
    (sealed,) = record.decode_records(sealer.seal(content_type, epoch, sequence, plaintext), len(cid))
    assert (sealed.epoch, sealed.sequence) == (epoch, sequence)
    assert opener.open(sealed) == (content_type, plaintext)


@given(st.binary(max_size=120), st.sampled_from([b"", b"ownid678"]))
def test_d5_random_protected_records_never_open(fragment_bytes: bytes, cid: bytes) -> None:
    opener = record.Opener(SUITES[0xC0A4], b"k" * 16, b"iv..", cid)
    forged = record.Record(25 if cid else 23, 0xFEFD, 1, 0, cid, b"\0\1\0\0\0\0\0\0", fragment_bytes)
    assert opener.open(forged) is None


@given(st.sampled_from(alerts.AlertLevel), st.integers(0, 255))
def test_alerts_come_back(level: alerts.AlertLevel, description: int) -> None:
    alert = alerts.Alert(level, description)
    assert alerts.decode_alert(alerts.encode_alert(alert)) == alert


@given(st.dictionaries(uint16, st.binary(max_size=50)))
def test_extension_blocks_come_back(block: dict[int, bytes]) -> None:
    encoded = extensions.encode_extensions(block)
    assert list(extensions.decode_extensions(encoded[2:]).items()) == list(block.items())


@given(cids)
def test_extension_bodies_come_back(content: bytes) -> None:
    assert extensions.decode_connection_id(extensions.encode_connection_id(content)) == content
    assert extensions.decode_renegotiation_info(extensions.encode_renegotiation_info(content)) == content


@given(st.binary(min_size=1, max_size=255).filter(lambda name: b"\0" not in name))
def test_server_names_come_back(name: bytes) -> None:
    assert extensions.decode_server_name(extensions.encode_server_name(name)) == name


@given(
    uint16,
    random_bytes,
    session_ids,
    st.binary(max_size=255),
    st.lists(uint16, min_size=1),
    hello_extensions,
    st.none() | cids,
)
def test_client_hellos_come_back(
    version: int,
    random: bytes,
    session_id: bytes,
    cookie: bytes,
    suites: list[int],
    block: dict[int, bytes],
    cid: bytes | None,
) -> None:
    if cid is not None:
        block = {**block, 54: extensions.encode_connection_id(cid)}
    body = messages.encode_client_hello(version, random, session_id, cookie, suites, block)
    hello = messages.decode_client_hello(body)
    assert hello[:7] == (version, random, session_id, cookie, tuple(suites), b"\0", block)
    assert hello.connection_id == cid


@given(uint16, random_bytes, session_ids, uint16, hello_extensions)
def test_server_hellos_come_back(
    version: int, random: bytes, session_id: bytes, suite: int, block: dict[int, bytes]
) -> None:
    body = messages.encode_server_hello(
        version, random, session_id, suite, extensions.encode_extensions(block)
    )
    assert messages.decode_server_hello(body)[:5] == (version, random, session_id, suite, block)


@given(uint16, st.binary(max_size=255))
def test_hello_verify_requests_come_back(version: int, cookie: bytes) -> None:
    body = messages.encode_hello_verify_request(version, cookie)
    assert messages.decode_hello_verify_request(body) == (version, cookie)


@given(st.binary(max_size=300))
def test_identities_and_hints_come_back(content: bytes) -> None:
    identity = messages.encode_psk_client_key_exchange(content)
    assert messages.decode_psk_client_key_exchange(identity) == content
    hint = messages.encode_psk_server_key_exchange(content)
    assert messages.decode_psk_server_key_exchange(hint) == content


@given(
    st.integers(0, 255),
    uint16,
    st.binary(max_size=400),
    st.integers(13, 120),
    st.randoms(use_true_random=False),
)
def test_fragments_in_any_order_and_number_make_the_message(
    message_type: int, message_seq: int, body: bytes, size: int, random: Any
) -> None:
    message = messages.encode_message(message_type, message_seq, body)
    records = fragment(message, size) + fragment(message, size + 7)
    random.shuffle(records)
    reassembler = Reassembler(400, 1, 400, next_seq=message_seq)
    given_messages = []
    for content in records:
        for piece in messages.decode_fragments(content):
            reassembler.add(piece, 0)
        while (whole := reassembler.pop()) is not None:
            given_messages.append(whole)
    assert given_messages == [HandshakeMessage(message_type, message_seq, 0, body)]
    assert given_messages[0].encode() == message


handshake_fragments = st.builds(
    lambda kind, length, seq, offset, size: messages.HandshakeFragment(
        kind, max(length, offset + size), seq, offset, bytes(size)
    ),
    st.sampled_from([1, 16]),
    st.integers(0, 100),
    st.integers(0, 6),
    st.integers(0, 60),
    st.integers(0, 60),
)


@given(st.lists(st.tuples(handshake_fragments, st.integers(0, 1)), max_size=60))
def test_c5_whatever_comes_the_store_stays_within_its_limits(
    arrivals: list[tuple[messages.HandshakeFragment, int]],
) -> None:
    reassembler = Reassembler(max_message_bytes=80, max_messages_ahead=4, max_total_bytes=100)
    expected_seq = 0
    for piece, epoch in arrivals:
        outcome = reassembler.add(piece, epoch)
        assert (outcome is Reassembly.OLD) == (piece.message_seq < expected_seq)
        assert 0 <= reassembler.size_bytes <= 100
        while (whole := reassembler.pop()) is not None:
            assert whole.message_seq == expected_seq
            assert len(whole.body) <= 80
            expected_seq += 1


@given(st.lists(st.integers(0, 400) | st.integers(0, record.MAX_SEQUENCE), max_size=80))
def test_d4_window_agrees_with_a_set(sequences: list[int]) -> None:
    window = ReplayWindow()
    marked: set[int] = set()
    for sequence in sequences:
        newest = max(marked, default=-1)
        is_fresh = sequence not in marked and sequence > newest - WINDOW
        assert window.is_fresh(sequence) == is_fresh
        if is_fresh:
            assert window.mark(sequence) == (sequence > newest)
            marked.add(sequence)


@given(st.binary(max_size=150), st.binary(max_size=150))
def test_hmac_is_that_of_the_library(key: bytes, message: bytes) -> None:
    assert keys.HmacSha256(key).digest(message) == hmac.digest(key, message, "sha256")
