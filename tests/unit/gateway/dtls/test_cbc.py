"""Records of CBC suites, written here from the RFCs; those of foreign stacks: test_dtls_transcripts."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from gateway.dtls import cbc, keys
from gateway.dtls.cbc import CbcOpener, CbcSealer, compressions
from gateway.dtls.contexts import RecentContexts
from gateway.dtls.errors import LocalProtocolError
from gateway.dtls.record import MAX_PLAINTEXT_BYTES, MAX_SEQUENCE, Record, decode_records

KEY, MAC_KEY = b"k" * 16, b"m" * 32
CID = bytes(range(8))
IV = bytes(range(100, 116))
NUMBER = bytes.fromhex("0001000000000005")
DATA = 23

cids = pytest.mark.parametrize("cid", [b"", b"c", CID, bytes(255)], ids=len)
modes_of_mac = pytest.mark.parametrize("is_etm", [False, True], ids=["mac-then-encrypt", "encrypt-then-mac"])


def some_entropy(length: int) -> bytes:
    return b"\xa5" * length


def pair(cid: bytes, is_etm: bool) -> tuple[CbcSealer, CbcOpener]:
    return CbcSealer(KEY, MAC_KEY, cid, some_entropy, is_etm), CbcOpener(KEY, MAC_KEY, cid, is_etm)


def only(datagram: bytes, cid: bytes) -> Record:
    (record,) = decode_records(datagram, len(cid))
    return record


def encrypt(padded: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(KEY), modes.CBC(IV)).encryptor()
    return IV + encryptor.update(padded) + encryptor.finalize()


def mac_start(cid: bytes, length: int) -> bytes:
    if cid:
        start = b"\xff" * 8 + bytes((25, len(cid), 25)) + b"\xfe\xfd" + NUMBER + cid
    else:
        start = NUMBER + b"\x17\xfe\xfd"
    return start + length.to_bytes(2, "big")


def mac(covered: bytes, cid: bytes, length: int) -> bytes:
    return hmac.digest(MAC_KEY, mac_start(cid, length) + covered, "sha256")


def record(fragment: bytes, cid: bytes) -> Record:
    return Record(25 if cid else DATA, 0xFEFD, 1, 5, cid, NUMBER, fragment)


def padding(size: int) -> bytes:
    return bytes((size,)) * (size + 1)


def shortest(content_bytes: int) -> int:
    """How much padding fills the last block."""
    return 15 - content_bytes % 16


def mac_then_encrypt(inner: bytes, pad: bytes, cid: bytes = b"") -> Record:
    """RFC 5246 §6.2.3.2; with a connection ID RFC 9146 §5.1."""
    return record(encrypt(inner + mac(inner, cid, len(inner)) + pad), cid)


def encrypt_then_mac(inner: bytes, pad: bytes, cid: bytes = b"") -> Record:
    """RFC 7366 §3; with a connection ID RFC 9146 §5.2."""
    sealed = encrypt(inner + pad)
    return record(sealed + mac(sealed, cid, len(sealed)), cid)


# --- what is right


@cids
@modes_of_mac
@pytest.mark.parametrize("plaintext", [b"", b"\0", b"content\0", bytes(15), bytes(16), bytes(100)], ids=len)
def test_what_was_sealed_opens(cid: bytes, is_etm: bool, plaintext: bytes) -> None:
    sealer, opener = pair(cid, is_etm)
    for content_type in (20, 21, 22, DATA):
        sealed = sealer.seal(content_type, 1, 5, plaintext)
        assert len(sealed) <= len(plaintext) + sealer.overhead_bytes < len(sealed) + 16
        found = only(sealed, cid)
        assert (found.epoch, found.sequence, found.cid) == (1, 5, cid)
        assert found.content_type == (25 if cid else content_type)
        assert opener.open(found) == (content_type, plaintext)


@pytest.mark.parametrize("cid", [b"", CID], ids=len)
def test_records_are_written_as_in_the_rfcs(cid: bytes) -> None:
    inner = b"content\x17" if cid else b"content"
    # The first 16 bytes that go through the cipher become the IV.
    drawn = Cipher(algorithms.AES(KEY), modes.ECB()).decryptor().update(IV)
    for is_etm, expected in (
        (False, mac_then_encrypt(inner, padding(shortest(len(inner))), cid)),
        (True, encrypt_then_mac(inner, padding(shortest(len(inner))), cid)),
    ):
        sealer = CbcSealer(KEY, MAC_KEY, cid, lambda length: drawn[:length], is_etm)
        assert only(sealer.seal(DATA, 1, 5, b"content"), cid) == expected


def test_each_record_has_an_iv_of_its_own() -> None:
    asked: list[int] = []

    def entropy(length: int) -> bytes:
        asked.append(length)
        return bytes(length)

    sealer = CbcSealer(KEY, MAC_KEY, b"", entropy, False)
    sealed = [sealer.seal(DATA, 1, number, b"same") for number in range(5)]
    assert asked == [16] * 5
    assert len({datagram[13:29] for datagram in sealed}) == 5


@pytest.mark.parametrize("is_etm", [False, True])
@pytest.mark.parametrize("blocks", range(16))
@pytest.mark.parametrize("size", [0, 1, 15, 16, 31, 300])
def test_every_length_of_padding_opens(size: int, blocks: int, is_etm: bool) -> None:
    inner = b"x" * size
    pad = padding(shortest(size) + 16 * blocks)
    make = encrypt_then_mac if is_etm else mac_then_encrypt
    assert pair(b"", is_etm)[1].open(make(inner, pad)) == (DATA, inner)


@pytest.mark.parametrize("is_etm", [False, True])
def test_d10_zeros_of_rfc_9146_are_taken_off(is_etm: bool) -> None:
    make = encrypt_then_mac if is_etm else mac_then_encrypt
    opener = pair(CID, is_etm)[1]
    for zeros in (0, 1, 40, 255):
        inner = b"content\x15" + bytes(zeros)
        assert opener.open(make(inner, padding(shortest(len(inner))), CID)) == (21, b"content")
    inner = bytes(20)
    assert opener.open(make(inner, padding(shortest(20)), CID)) == (0, b"")


@modes_of_mac
def test_longest_content_there_may_be_opens_and_no_longer_one(is_etm: bool) -> None:
    make = encrypt_then_mac if is_etm else mac_then_encrypt
    opener = pair(b"", is_etm)[1]
    longest = bytes(MAX_PLAINTEXT_BYTES)
    assert opener.open(make(longest, padding(15))) == (DATA, longest)
    assert opener.open(make(longest + b"x", padding(14))) is None


# --- what is wrong


@modes_of_mac
@pytest.mark.parametrize("cid", [b"", CID], ids=len)
def test_d11_every_flipped_bit_is_noticed(cid: bytes, is_etm: bool) -> None:
    sealer, opener = pair(cid, is_etm)
    good = only(sealer.seal(DATA, 1, 5, b"content"), cid)
    assert opener.open(good) is not None
    for position in range(8 * len(good.fragment)):
        forged = bytearray(good.fragment)
        forged[position // 8] ^= 1 << position % 8
        assert opener.open(good._replace(fragment=bytes(forged))) is None
    for changed in (
        good._replace(number=bytes.fromhex("0001000000000006")),
        good._replace(version=0xFEFF),
        good._replace(version=0x0303),
        good._replace(cid=bytes(len(cid) or 1)),
        good._replace(content_type=25, cid=b""),
        good._replace(content_type=22, cid=b""),
    ):
        assert opener.open(changed) is None


@modes_of_mac
def test_d9_connection_id_must_be_the_negotiated_one(is_etm: bool) -> None:
    make = encrypt_then_mac if is_etm else mac_then_encrypt
    with_cid, without = make(b"content\x17", padding(7), CID), make(b"content!", padding(7))
    assert pair(CID, is_etm)[1].open(with_cid) == (DATA, b"content")
    assert pair(b"", is_etm)[1].open(with_cid) is None
    assert pair(CID[::-1], is_etm)[1].open(with_cid) is None
    assert pair(CID, is_etm)[1].open(without) is None


@modes_of_mac
@pytest.mark.parametrize("size", [*range(0, 65), 79, 81, 16_384 + 2_048, 20_000])
def test_d12_lengths_that_cannot_be_are_dropped(is_etm: bool, size: int) -> None:
    assert pair(b"", is_etm)[1].open(record(bytes(size), b"")) is None


def test_kinds_of_mac_do_not_open_each_other() -> None:
    for is_etm in (False, True):
        sealer, _ = pair(CID, is_etm)
        _, opener = pair(CID, not is_etm)
        for size in (0, 15, 100):
            assert opener.open(only(sealer.seal(DATA, 1, 5, bytes(size)), CID)) is None


def test_padding_under_a_right_mac_must_be_right_too() -> None:
    opener = pair(b"", True)[1]
    for pad in (b"\x02\x03\x03\x03\x03"[:4], b"\xff" * 4, b"\x01\x02\x03\x04"):
        assert opener.open(encrypt_then_mac(b"x" * 12, pad)) is None


# --- D16: nothing to tell one wrong record from another


class CountingSha256:
    """SHA-256 that counts how often it compresses, over all its objects."""

    compressed = 0
    calls = 0

    def __init__(self, data: bytes = b"") -> None:
        self._hash = sha256()
        self._size = 0
        if data:
            self.update(data)

    def update(self, data: bytes) -> None:
        self._hash.update(data)
        before, self._size = self._size, self._size + len(data)
        CountingSha256.compressed += self._size // 64 - before // 64
        CountingSha256.calls += 1

    def copy(self) -> CountingSha256:
        other = CountingSha256()
        other._hash, other._size = self._hash.copy(), self._size
        return other

    def digest(self) -> bytes:
        CountingSha256.compressed += (self._size % 64 + 9 + 63) // 64
        CountingSha256.calls += 1
        return self._hash.digest()


class Costs:
    """What opening a record costs, in compressions, calls of the hash and bytes compared."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cid: bytes, is_etm: bool) -> None:
        self._compared: list[int] = []

        def compare(first: bytes, second: bytes) -> bool:
            self._compared.append(len(first))
            assert len(first) == len(second)
            return hmac.compare_digest(first, second)

        monkeypatch.setattr(keys, "sha256", CountingSha256)
        monkeypatch.setattr(cbc, "compare_digest", compare)
        self._opener = CbcOpener(KEY, MAC_KEY, cid, is_etm)
        self._opener._make()

    def of(self, found: Record) -> tuple[bool, int, int, tuple[int, ...]]:
        CountingSha256.compressed = CountingSha256.calls = 0
        self._compared.clear()
        is_open = self._opener.open(found) is not None
        return is_open, CountingSha256.compressed, CountingSha256.calls, tuple(self._compared)


def paddings_of(padded_bytes: int) -> dict[str, bytes]:
    """Ends of a plaintext of this length, each another way of being right or wrong."""
    room = padded_bytes - 32 - 1
    longest = min(room, 255)
    ends = {f"right {size}": padding(size) for size in range(longest + 1)}
    ends |= {f"wrong {size}": b"\x77" + padding(size)[1:] for size in range(1, min(padded_bytes, 256))}
    ends |= {f"last wrong {size}": bytes((size, size ^ 1)) for size in (0, 1, 7, 254, 255)}
    ends |= {f"too long {size}": bytes((size,)) for size in range(longest + 1, 256)}
    return ends


@pytest.mark.parametrize("cid", [b"", CID], ids=len)
@pytest.mark.parametrize("blocks", [3, 4, 7, 17, 18, 19, 20, 24, 80, 135])
def test_d16_every_record_of_a_length_costs_the_same(
    monkeypatch: pytest.MonkeyPatch, blocks: int, cid: bytes
) -> None:
    costs = Costs(monkeypatch, cid, False)
    size = 16 * blocks
    results = set()
    for name, end in paddings_of(size).items():
        content = b"c" * (size - 32 - len(end))
        if not name.startswith("right") or len(content) + 32 + len(end) != size:
            forged = (b"c" * size)[: size - len(end)] + end
            results.add(costs.of(record(encrypt(forged), cid)))
            continue
        good = content + mac(content, cid, len(content)) + end
        bad = content + bytes(32) + end
        results.add(costs.of(record(encrypt(good), cid)))
        results.add(costs.of(record(encrypt(bad), cid)))
    assert {is_open for is_open, *_ in results} == {True, False}
    assert len({tuple(rest) for _, *rest in results}) == 1


def test_d16_encrypt_then_mac_decrypts_nothing_that_is_not_authentic(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = Costs(monkeypatch, b"", True)
    good = encrypt_then_mac(b"x" * 12, padding(3))
    forged = good._replace(fragment=good.fragment[:-1] + b"\0")
    assert costs.of(good) == (True, *costs.of(forged)[1:])
    monkeypatch.setattr(cbc, "_PADDINGS", None)
    assert costs.of(forged)[0] is False


@pytest.mark.parametrize("length", [0, 1, 54, 55, 56, 63, 64, 118, 119, 120, 1000])
def test_compressions_are_those_of_the_hash(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    counted = CountingSha256()
    CountingSha256.compressed = 0
    counted.update(bytes(length))
    counted.digest()
    assert compressions(length) == CountingSha256.compressed


def test_what_is_spared_never_exceeds_what_can_be_made_up_for() -> None:
    for header_bytes in (15, 25, 280):
        for room in range(0, 1000):
            for shorter in range(min(room, 255) + 1):
                spared = compressions(header_bytes + room) - compressions(header_bytes + room - shorter)
                assert 0 <= spared <= 4


# --- contexts and limits


@modes_of_mac
def test_contexts_are_made_when_first_used_and_again_after_a_release(
    monkeypatch: pytest.MonkeyPatch, is_etm: bool
) -> None:
    recent = RecentContexts(9)
    monkeypatch.setattr(cbc, "RECENT", recent)
    sealer, opener = pair(CID, is_etm)
    assert len(recent) == 0
    for round_ in (1, 2):
        for _ in range(3):
            assert opener.open(only(sealer.seal(DATA, 1, 5, b"content"), CID)) == (DATA, b"content")
        assert len(recent) == 2 * round_
        sealer.release()
        opener.release()


@modes_of_mac
def test_record_passes_though_its_context_may_not_stay(monkeypatch: pytest.MonkeyPatch, is_etm: bool) -> None:
    monkeypatch.setattr(cbc, "RECENT", RecentContexts(0))
    sealer, opener = pair(CID, is_etm)
    for number in range(3):
        assert opener.open(only(sealer.seal(DATA, 1, number, b"content"), CID)) == (DATA, b"content")


def test_forgery_does_not_spoil_the_record_after_it() -> None:
    for is_etm in (False, True):
        sealer, opener = pair(b"", is_etm)
        good = only(sealer.seal(DATA, 1, 5, b"content"), b"")
        assert opener.open(good._replace(fragment=bytes(len(good.fragment)))) is None
        assert opener.open(good) == (DATA, b"content")


@pytest.mark.parametrize(
    ("sequence", "size", "cid"),
    [(MAX_SEQUENCE + 1, 1, b""), (0, MAX_PLAINTEXT_BYTES + 1, b""), (0, MAX_PLAINTEXT_BYTES, CID)],
)
def test_d14_record_beyond_the_limits_is_our_mistake(sequence: int, size: int, cid: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        pair(cid, False)[0].seal(DATA, 1, sequence, bytes(size))


def test_largest_number_can_be_sealed() -> None:
    sealer, opener = pair(b"", False)
    found: Any = only(sealer.seal(DATA, 1, MAX_SEQUENCE, b"last"), b"")
    assert found.sequence == MAX_SEQUENCE
    assert opener.open(found) == (DATA, b"last")
