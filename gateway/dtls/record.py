"""Records (RFC 6347 §4.1, RFC 9146 §4): headers, and the protection of AEAD suites. That of CBC: `cbc`.

Knows where a record ends, and how one is sealed and opened with given keys. Knows no peers, no
replay window and no order: sequence numbers are arguments.
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache
from struct import Struct
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag

from gateway.dtls.errors import DecodeError, LocalProtocolError
from gateway.dtls.suites import Suite


class ContentType(IntEnum):
    """What a record holds. A received type is a plain number and may be none of these."""

    CHANGE_CIPHER_SPEC = 20
    ALERT = 21
    HANDSHAKE = 22
    APPLICATION_DATA = 23
    TLS12_CID = 25
    RETURN_ROUTABILITY_CHECK = 27


DTLS_1_0: Final = 0xFEFF
DTLS_1_2: Final = 0xFEFD

HEADER_BYTES: Final = 13
"Of a record without connection id."

HELD_RECORD_BYTES: Final = 288
"What a record that is held costs beside its bytes."

MAX_PLAINTEXT_BYTES: Final = 1 << 14
MAX_CIPHERTEXT_BYTES: Final = MAX_PLAINTEXT_BYTES + 2048
MAX_SEQUENCE: Final = (1 << 48) - 1

MAX_FORGERIES: Final = 1 << 20
"Records that do not open, under one key: a tag of CCM_8 has only 64 bits (RFC 9147 §4.5.3)."

CHANGE_CIPHER_SPEC_BODY: Final = b"\1"
"All that a ChangeCipherSpec may hold (RFC 5246 §7.1)."

TLS12_CID: Final = 25  # A plain int: comparing with a member of the enum costs more.
_NUMBER_BYTES: Final = 8
TYPE_BYTES: Final = [bytes((value,)) for value in range(256)]
CID_RECORD_START: Final = b"\x19\xfe\xfd"
# RFC 9146 §5.3: eight 0xFF, tls12_cid, cid_length, tls12_cid, version.
CID_HEADER_START: Final = [b"\xff" * 8 + bytes((25, length)) + CID_RECORD_START for length in range(256)]
_PLAIN_HEADER: Final = Struct(">BHQH")


class Record(NamedTuple):
    """One record as it stood in the datagram, still protected if its epoch is not 0."""

    content_type: int
    version: int
    epoch: int
    sequence: int
    "48 bits, unique within the epoch; the replay window goes by it."

    cid: bytes
    "Empty unless the type is tls12_cid."

    number: bytes
    "Epoch and sequence number together, as the header has them: 8 bytes."

    fragment: bytes


@cache
def _cid_header(cid_length: int) -> Struct:
    return Struct(f">BHQ{cid_length}sH")


def decode_records(datagram: bytes, cid_length: int) -> list[Record]:
    """Split *datagram* into its records.

    *cid_length*: how many bytes of connection id a tls12_cid record towards us carries. The header
    does not say, so it is the same for all peers of a socket. Types, versions, epochs and connection
    ids are not judged. A tail that is cut off or too long spoils only itself: the records before it
    are returned, the rest is passed over (RFC 6347 §4.1.2.7).

    Raises:
        DecodeError: not even the first record can be read.
    """
    size = len(datagram)
    records: list[Record] = []
    start = 0
    while start < size:
        is_cid = datagram[start] == TLS12_CID
        body = start + HEADER_BYTES + (cid_length if is_cid else 0)
        if body > size:
            break
        if is_cid:
            content_type, version, number, cid, length = _cid_header(cid_length).unpack_from(datagram, start)
        else:
            content_type, version, number, length = _PLAIN_HEADER.unpack_from(datagram, start)
            cid = b""
        end = body + length
        if end > size or length > MAX_CIPHERTEXT_BYTES:
            break
        epoch, sequence = number >> 48, number & MAX_SEQUENCE
        fields = (
            content_type,
            version,
            epoch,
            sequence,
            cid,
            datagram[start + 3 : start + 11],
            datagram[body:end],
        )
        # Not by Record(...): that constructor is a function in Python, a quarter of the time spent here.
        records.append(tuple.__new__(Record, fields))
        start = end
    if not records:
        raise DecodeError("no whole record", start)
    return records


def encode_record(content_type: int, sequence: int, fragment: bytes, version: int = DTLS_1_2) -> bytes:
    """A record of epoch 0, in clear.

    Raises:
        LocalProtocolError: *fragment* is too long, or the sequence numbers are used up.
    """
    if len(fragment) > MAX_PLAINTEXT_BYTES or sequence > MAX_SEQUENCE:
        raise LocalProtocolError(f"record {sequence} of {len(fragment)} bytes cannot be sent")
    return _PLAIN_HEADER.pack(content_type, version, sequence, len(fragment)) + fragment


class Sealer:
    """Protects the records of one direction: towards a peer that wants *peer_cid* in them, or none.

    The explicit nonce is epoch and sequence number (RFC 6655 §3), so a number used twice gives the
    key away: the caller counts, here nothing is remembered.
    """

    __slots__ = ("_aead", "_cid", "_iv", "_overhead")

    def __init__(self, suite: Suite, key: bytes, iv: bytes, peer_cid: bytes) -> None:
        self._aead = suite.aead(key)
        self._iv = iv
        self._cid = peer_cid
        self._overhead = suite.explicit_nonce_bytes + suite.tag_bytes

    @property
    def overhead_bytes(self) -> int:
        """How much longer a record is than what it holds, header included."""
        return HEADER_BYTES + self._overhead + (len(self._cid) + 1 if self._cid else 0)

    def seal(self, content_type: int, epoch: int, sequence: int, plaintext: bytes) -> bytes:
        """The whole record.

        Raises:
            LocalProtocolError: *plaintext* is too long, or the sequence numbers are used up.
        """
        cid = self._cid
        if cid:
            plaintext += TYPE_BYTES[content_type]
        size = len(plaintext)
        if size > MAX_PLAINTEXT_BYTES or sequence > MAX_SEQUENCE:
            raise LocalProtocolError(f"record {sequence} of {size} bytes cannot be sealed")
        number = (epoch << 48 | sequence).to_bytes(_NUMBER_BYTES, "big")
        length = (size + self._overhead).to_bytes(2, "big")
        if cid:
            associated = CID_HEADER_START[len(cid)] + number + cid + size.to_bytes(2, "big")
            sealed = self._aead.encrypt(self._iv + number, plaintext, associated)
            return CID_RECORD_START + number + cid + length + number + sealed
        start = TYPE_BYTES[content_type] + b"\xfe\xfd"
        sealed = self._aead.encrypt(self._iv + number, plaintext, number + start + size.to_bytes(2, "big"))
        return start + number + length + number + sealed


class Opener:
    """Opens the records of one direction: towards us, who asked for *own_cid* in them, or for none."""

    __slots__ = ("_aead", "_cid", "_iv", "_overhead")

    max_forgeries = MAX_FORGERIES

    def __init__(self, suite: Suite, key: bytes, iv: bytes, own_cid: bytes) -> None:
        self._aead = suite.aead(key)
        self._iv = iv
        self._cid = own_cid
        self._overhead = suite.explicit_nonce_bytes + suite.tag_bytes

    def open(self, record: Record) -> tuple[int, bytes] | None:
        """The content type and the content of an authentic record; None for any other.

        Any other is one with a wrong tag, of a length that cannot be, of another version than DTLS
        1.2, with or without a connection id against what was negotiated, or with another one. The
        padding of RFC 9146 is taken off; an authentic record of nothing but padding has type 0.
        """
        content_type, version, _, _, cid, number, fragment = record
        size = len(fragment) - self._overhead
        if size < 0 or size > MAX_PLAINTEXT_BYTES or version != DTLS_1_2 or cid != self._cid:
            return None
        if cid:
            associated = CID_HEADER_START[len(cid)] + number + cid + size.to_bytes(2, "big")
        elif content_type == TLS12_CID:
            return None
        else:
            associated = number + TYPE_BYTES[content_type] + b"\xfe\xfd" + size.to_bytes(2, "big")
        try:
            plaintext = self._aead.decrypt(self._iv + fragment[:8], fragment[8:], associated)
        except InvalidTag:
            return None
        if not cid:
            return content_type, plaintext
        if not plaintext or not plaintext[-1]:
            plaintext = plaintext.rstrip(b"\0")
            if not plaintext:
                return 0, b""
        return plaintext[-1], plaintext[:-1]
