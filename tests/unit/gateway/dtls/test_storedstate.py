"""`gateway.dtls.storedstate`: keys and sessions as they are written and read."""

from __future__ import annotations

import pytest

from gateway.dtls.errors import DecodeError
from gateway.dtls.keys import KeyBlock
from gateway.dtls.storedstate import (
    StoredKeys,
    StoredSession,
    decode_keys,
    decode_session,
    encode_keys,
    encode_session,
    forget_traffic_keys,
)

AEAD = StoredKeys(0xC0A8, KeyBlock(b"c" * 16, b"s" * 16, b"ivc-", b"ivs-"))
CBC = StoredKeys(0xAE, KeyBlock(b"c" * 16, b"s" * 16, b"", b"", b"m" * 32, b"n" * 32), b"peer", True)
PLAIN = StoredSession(encode_keys(AEAD), b"", 1_800_000_000_000)
FULL = StoredSession(
    encode_keys(CBC), b"own cid", 1, 1_900_000_000_000, 1500, b"anchor", b"i" * 32, b"m" * 48
)


@pytest.mark.parametrize("keys", [AEAD, CBC])
def test_keys_come_back_as_they_were(keys: StoredKeys) -> None:
    assert decode_keys(encode_keys(keys)) == keys


@pytest.mark.parametrize("session", [PLAIN, FULL, FULL._replace(is_over=True)])
def test_session_comes_back_as_it_was(session: StoredSession) -> None:
    assert decode_session(encode_session(session)) == session


@pytest.mark.parametrize("data", [b"", encode_keys(AEAD)[:-1], encode_keys(AEAD) + b"\0"])
def test_keys_of_another_length_are_an_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_keys(data)


def test_unknown_flag_of_keys_is_an_error() -> None:
    data = bytearray(encode_keys(AEAD))
    data[2] = 2
    with pytest.raises(DecodeError, match="flags"):
        decode_keys(bytes(data))


@pytest.mark.parametrize("data", [b"", encode_session(FULL)[:-1], encode_session(FULL) + b"\0"])
def test_session_of_another_length_is_an_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_session(data)


def test_other_version_is_an_error() -> None:
    with pytest.raises(DecodeError, match="version 01"):
        decode_session(b"\1" + encode_session(PLAIN)[1:])


@pytest.mark.parametrize("keys", [AEAD, CBC])
def test_of_a_session_that_is_over_only_what_resumes_it_is_kept(keys: StoredKeys) -> None:
    kept = decode_keys(forget_traffic_keys(encode_keys(keys)))
    assert (kept.suite, kept.encrypt_then_mac) == (keys.suite, keys.encrypt_then_mac)
    assert not any(kept.block)
    assert kept.peer_cid == b""
