"""`gateway.dtls.journal`: entries as they are written and read."""

from __future__ import annotations

import pytest

from gateway.address import Address
from gateway.dtls.errors import DecodeError
from gateway.dtls.journal import ENTRY_BYTES, Entry, decode_entries, encode_entry

LAST = (1 << 48) - 1
HOME = Address("2001:db8::1", 5684, 3, b"our end")


@pytest.mark.parametrize(
    "entry",
    [
        Entry(1, 64, 2, False, None),
        Entry(LAST, LAST, LAST, True, None),
        Entry(1 << 33, (1 << 32) + 5, 0, True, HOME),
        Entry(7, 70, 9, False, Address("192.0.2.1", 1)),
    ],
)
def test_entry_comes_back_as_it_was(entry: Entry) -> None:
    assert decode_entries(encode_entry(*entry)) == [entry]


def test_entries_stand_one_behind_the_other() -> None:
    entries = [Entry(1, 64, 2, False, HOME), Entry(2, 64, 2, True, None), Entry(1, 64, 3, True, HOME)]
    assert decode_entries(b"".join(encode_entry(*entry) for entry in entries)) == entries
    assert decode_entries(b"") == []


def test_entry_without_address_is_short() -> None:
    assert len(encode_entry(9, 64, 2, True, None)) == ENTRY_BYTES


@pytest.mark.parametrize("kept", [1, ENTRY_BYTES - 1, ENTRY_BYTES, ENTRY_BYTES + 9, -1])
def test_entry_cut_off_is_an_error(kept: int) -> None:
    whole = encode_entry(1, 64, 2, False, HOME)
    with pytest.raises(DecodeError):
        decode_entries(whole[:kept])


def test_unknown_kind_is_an_error() -> None:
    with pytest.raises(DecodeError, match="kind 4"):
        decode_entries(b"\x04" + bytes(ENTRY_BYTES - 1))


def test_host_that_is_no_text_is_an_error() -> None:
    whole = encode_entry(1, 64, 2, False, HOME)
    with pytest.raises(DecodeError, match="no text"):
        decode_entries(whole.replace(b"2001", b"\xff001"))
