"""Records: headers, sealing and opening. Records of foreign stacks: test_transcripts."""

from __future__ import annotations

import pytest

from gateway.dtls.errors import DecodeError, LocalProtocolError
from gateway.dtls.record import (
    MAX_CIPHERTEXT_BYTES,
    MAX_PLAINTEXT_BYTES,
    MAX_SEQUENCE,
    ContentType,
    Opener,
    Record,
    Sealer,
    decode_records,
    encode_record,
)
from gateway.dtls.suites import SUITES, Suite

KEY, IV = b"k" * 16, b"salt"
CID = bytes(range(8))
SUITE_ROWS = [suite for suite in SUITES.values() if not suite.is_cbc]
DATA = ContentType.APPLICATION_DATA


def pair(suite: Suite, cid: bytes) -> tuple[Sealer, Opener]:
    return Sealer(suite, KEY, IV, cid), Opener(suite, KEY, IV, cid)


def only(datagram: bytes, cid_length: int = 8) -> Record:
    (record,) = decode_records(datagram, cid_length)
    return record


def seal_inner(inner: bytes, cid: bytes = CID, suite: Suite = SUITES[0xC0A8]) -> bytes:
    """A record with a connection id around any inner plaintext, written from RFC 9146 §5.3."""
    number = bytes.fromhex("0001000000000005")
    associated = b"\xff" * 8 + bytes((25, len(cid))) + b"\x19\xfe\xfd" + number + cid
    sealed = suite.aead(KEY).encrypt(IV + number, inner, associated + len(inner).to_bytes(2, "big"))
    fragment = number + sealed
    return b"\x19\xfe\xfd" + number + cid + len(fragment).to_bytes(2, "big") + fragment


def test_header_gives_all_fields() -> None:
    record = only(bytes.fromhex("16fefd 0001 000000000005 0002 abcd"))
    assert record == Record(22, 0xFEFD, 1, 5, b"", bytes.fromhex("0001000000000005"), b"\xab\xcd")


def test_header_with_connection_id_gives_all_fields() -> None:
    datagram = bytes.fromhex("19fefd 0001 000000000005") + CID + bytes.fromhex("0001 ab")
    assert only(datagram) == Record(25, 0xFEFD, 1, 5, CID, datagram[3:11], b"\xab")


def test_types_versions_and_epochs_are_not_judged() -> None:
    record = only(bytes.fromhex("630303 ffff ffffffffffff 0000"))
    assert (record.content_type, record.version, record.epoch) == (0x63, 0x0303, 0xFFFF)
    assert (record.sequence, record.fragment) == (MAX_SEQUENCE, b"")


def test_datagram_splits_into_its_records() -> None:
    first, second = encode_record(22, 0, b"one"), encode_record(20, 1, b"\1")
    third = seal_inner(b"x\x17")
    records = decode_records(first + second + third, 8)
    assert [record.content_type for record in records] == [22, 20, 25]
    assert [record.fragment for record in records[:2]] == [b"one", b"\1"]


@pytest.mark.parametrize("kept", range(1, 16))
def test_b9_cut_off_tail_spoils_only_itself(kept: int) -> None:
    first, second = encode_record(22, 0, b"one"), encode_record(22, 1, b"two")
    (record,) = decode_records(first + second[:kept], 8)
    assert record.fragment == b"one"


@pytest.mark.parametrize("size", range(13))
def test_b9_datagram_shorter_than_a_header_is_refused(size: int) -> None:
    with pytest.raises(DecodeError):
        decode_records(bytes(size), 8)


def test_b9_connection_id_cut_off_is_refused() -> None:
    with pytest.raises(DecodeError):
        decode_records(seal_inner(b"x\x17")[:20], 8)


def test_b9_length_beyond_the_datagram_is_refused() -> None:
    with pytest.raises(DecodeError):
        decode_records(bytes.fromhex("16fefd 0000 000000000000 0003 abcd"), 8)


@pytest.mark.parametrize(
    ("size", "is_read"), [(MAX_CIPHERTEXT_BYTES, True), (MAX_CIPHERTEXT_BYTES + 1, False)]
)
def test_b9_record_longer_than_any_may_be_is_refused(size: int, is_read: bool) -> None:
    datagram = bytes.fromhex("16fefd 0000 000000000000") + size.to_bytes(2, "big") + bytes(size)
    if is_read:
        assert len(only(datagram).fragment) == size
    else:
        with pytest.raises(DecodeError):
            decode_records(datagram, 8)


def test_plain_record_carries_the_version_asked_for() -> None:
    assert encode_record(22, 7, b"ab", 0xFEFF) == bytes.fromhex("16feff 0000 000000000007 0002 6162")


@pytest.mark.parametrize(("sequence", "size"), [(MAX_SEQUENCE + 1, 1), (0, MAX_PLAINTEXT_BYTES + 1)])
def test_d14_plain_record_beyond_the_limits_is_our_mistake(sequence: int, size: int) -> None:
    with pytest.raises(LocalProtocolError):
        encode_record(22, sequence, bytes(size))


@pytest.mark.parametrize("cid", [b"", b"c", CID, bytes(255)])
@pytest.mark.parametrize("suite", SUITE_ROWS, ids=lambda suite: suite.name)
@pytest.mark.parametrize("content_type", [20, 21, 22, 23])
@pytest.mark.parametrize("plaintext", [b"", b"\0", b"content\0", bytes(100)])
def test_what_was_sealed_opens(suite: Suite, cid: bytes, content_type: int, plaintext: bytes) -> None:
    sealer, opener = pair(suite, cid)
    sealed = sealer.seal(content_type, 1, 5, plaintext)
    assert len(sealed) == len(plaintext) + sealer.overhead_bytes
    record = only(sealed, len(cid))
    assert (record.epoch, record.sequence, record.cid) == (1, 5, cid)
    assert record.content_type == (25 if cid else content_type)
    assert opener.open(record) == (content_type, plaintext)


def test_sealed_record_with_connection_id_is_written_as_in_rfc_9146() -> None:
    sealer, _ = pair(SUITES[0xC0A8], CID)
    assert sealer.seal(DATA, 1, 5, b"abc") == seal_inner(b"abc\x17")


@pytest.mark.parametrize("cid", [b"", CID])
@pytest.mark.parametrize("suite", SUITE_ROWS, ids=lambda suite: suite.name)
def test_d11_every_flipped_bit_is_noticed(suite: Suite, cid: bytes) -> None:
    sealer, opener = pair(suite, cid)
    sealed = sealer.seal(DATA, 1, 5, b"content")
    for position in range(8 * len(sealed)):
        forged = bytearray(sealed)
        forged[position // 8] ^= 1 << position % 8
        try:
            records = decode_records(bytes(forged), len(cid))
        except DecodeError:
            continue
        assert {opener.open(record) for record in records} == {None}


def test_d12_record_shorter_than_nonce_and_tag_does_not_open() -> None:
    for cid in (b"", CID):
        sealer, opener = pair(SUITES[0xC0A8], cid)
        record = only(sealer.seal(DATA, 1, 5, b""), len(cid))
        for size in range(len(record.fragment)):
            assert opener.open(record._replace(fragment=record.fragment[:size])) is None


def test_d9_record_without_connection_id_does_not_open_where_one_was_negotiated() -> None:
    plain, _ = pair(SUITES[0xC0A8], b"")
    _, opener = pair(SUITES[0xC0A8], CID)
    assert opener.open(only(plain.seal(DATA, 1, 5, b"x"))) is None


def test_d9_record_with_connection_id_does_not_open_where_none_was_negotiated() -> None:
    _, opener = pair(SUITES[0xC0A8], b"")
    assert opener.open(only(seal_inner(b"x\x17"))) is None
    assert opener.open(only(seal_inner(b"x\x17", b""), 0)) is None


def test_d9_record_with_another_connection_id_does_not_open() -> None:
    sealer, _ = pair(SUITES[0xC0A8], CID[::-1])
    _, opener = pair(SUITES[0xC0A8], CID)
    assert opener.open(only(sealer.seal(DATA, 1, 5, b"x"))) is None


def test_d9_ordinary_record_that_calls_itself_one_with_connection_id_does_not_open() -> None:
    sealer, opener = pair(SUITES[0xC0A8], b"")
    assert opener.open(only(sealer.seal(ContentType.TLS12_CID, 1, 5, b"x"), 0)) is None


@pytest.mark.parametrize("version", [0xFEFF, 0x0303, 0xFEFC])
def test_d20_record_of_another_version_does_not_open(version: int) -> None:
    for cid in (b"", CID):
        sealer, opener = pair(SUITES[0xC0A8], cid)
        record = only(sealer.seal(DATA, 1, 5, b"x"), len(cid))
        assert opener.open(record) == (DATA, b"x")
        assert opener.open(record._replace(version=version)) is None


@pytest.mark.parametrize("zeros", [1, 7, 255])
def test_d10_padding_is_taken_off(zeros: int) -> None:
    _, opener = pair(SUITES[0xC0A8], CID)
    assert opener.open(only(seal_inner(b"ab\0\x17" + bytes(zeros)))) == (DATA, b"ab\0")


@pytest.mark.parametrize("inner_type", [20, 25, 99])
def test_d10_inner_type_is_given_as_it_stands(inner_type: int) -> None:
    _, opener = pair(SUITES[0xC0A8], CID)
    assert opener.open(only(seal_inner(b"ab" + bytes((inner_type,))))) == (inner_type, b"ab")


@pytest.mark.parametrize("inner", [b"", b"\0", bytes(40)])
def test_d10_record_of_nothing_but_padding_has_type_0(inner: bytes) -> None:
    _, opener = pair(SUITES[0xC0A8], CID)
    assert opener.open(only(seal_inner(inner))) == (0, b"")


@pytest.mark.parametrize("cid", [b"", CID])
def test_d10_longest_content_opens_and_no_longer_one(cid: bytes) -> None:
    sealer, opener = pair(SUITES[0xC0A8], cid)
    longest = MAX_PLAINTEXT_BYTES - (1 if cid else 0)
    record = only(sealer.seal(DATA, 1, 5, bytes(longest)), len(cid))
    assert opener.open(record) == (DATA, bytes(longest))
    assert opener.open(record._replace(fragment=record.fragment + b"\0")) is None
    with pytest.raises(LocalProtocolError):
        sealer.seal(DATA, 1, 5, bytes(longest + 1))


def test_d14_sequence_number_never_runs_into_the_epoch() -> None:
    sealer, opener = pair(SUITES[0xC0A8], CID)
    assert opener.open(only(sealer.seal(DATA, 1, MAX_SEQUENCE, b"x"))) == (DATA, b"x")
    with pytest.raises(LocalProtocolError):
        sealer.seal(DATA, 1, MAX_SEQUENCE + 1, b"x")


def test_d13_nonce_is_epoch_and_sequence_number() -> None:
    sealer, _ = pair(SUITES[0x00A8], b"")
    records = [only(sealer.seal(DATA, epoch, sequence, b"")) for epoch in (1, 2) for sequence in (0, 1)]
    assert [record.fragment[:8] for record in records] == [record.number for record in records]
    assert len({record.fragment[:8] for record in records}) == 4


def test_explicit_nonce_of_the_peer_is_taken_from_the_record() -> None:
    number, nonce = bytes.fromhex("0001000000000005"), b"anything"
    suite = SUITES[0x00A8]
    associated = number + bytes.fromhex("17fefd0001")
    fragment = nonce + suite.aead(KEY).encrypt(IV + nonce, b"x", associated)
    datagram = b"\x17\xfe\xfd" + number + len(fragment).to_bytes(2, "big") + fragment
    assert Opener(suite, KEY, IV, b"").open(only(datagram)) == (DATA, b"x")
