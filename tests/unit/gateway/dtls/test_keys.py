"""The key schedule, by published vectors and by its definition. Real handshakes: test_transcripts."""

import hashlib
import hmac
from typing import Any

import pytest

from gateway.dtls import keys
from gateway.dtls.suites import SUITES
from tests.support.transcripts import load


@pytest.mark.parametrize("row", load("key_schedule.json", "hmac_sha256"))
def test_hmac_vectors(row: dict[str, Any]) -> None:
    mac = keys.HmacSha256(bytes.fromhex(row["key"]))
    for _ in range(2):
        assert mac.digest(bytes.fromhex(row["message"])).hex() == row["digest"]


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 200])
def test_hmac_is_that_of_the_library_for_every_length_of_key(length: int) -> None:
    key = bytes(range(length))
    assert keys.HmacSha256(key).digest(b"message") == hmac.digest(key, b"message", "sha256")


@pytest.mark.parametrize("row", load("key_schedule.json", "prf_sha256"))
def test_prf_vectors(row: dict[str, Any]) -> None:
    secret, label, seed, output = (bytes.fromhex(row[name]) for name in ("secret", "label", "seed", "output"))
    for length in (1, 12, 32, 33, 48, 64, len(output)):
        assert keys.prf(keys.HmacSha256(secret), label, seed, length) == output[:length]


def test_psk_premaster_has_zeros_then_the_key() -> None:
    assert keys.psk_premaster(b"abc") == b"\0\3\0\0\0\0\3abc"
    assert len(keys.psk_premaster(bytes(64))) == 132


def test_labels_keep_the_secrets_apart() -> None:
    client, server = b"c" * 32, b"s" * 32
    p, m = keys.HmacSha256(b"p"), keys.HmacSha256(b"m")
    assert keys.master_secret(b"p", client, server) == keys.prf(p, b"master secret", client + server, 48)
    assert keys.extended_master_secret(b"p", client) == keys.prf(p, b"extended master secret", client, 48)
    assert keys.verify_data(m, True, client) == keys.prf(m, b"client finished", client, 12)
    assert keys.verify_data(m, False, client) == keys.prf(m, b"server finished", client, 12)


def test_key_block_takes_the_server_random_first() -> None:
    block = keys.key_block(keys.HmacSha256(b"m"), b"c" * 32, b"s" * 32, SUITES[0xC0A8])
    assert b"".join(block) == keys.prf(keys.HmacSha256(b"m"), b"key expansion", b"s" * 32 + b"c" * 32, 40)
    assert [len(part) for part in block] == [16, 16, 4, 4, 0, 0]


def test_key_block_of_a_cbc_suite_begins_with_the_mac_keys_and_has_no_ivs() -> None:
    block = keys.key_block(keys.HmacSha256(b"m"), b"c" * 32, b"s" * 32, SUITES[0x00AE])
    in_order = block.client_mac, block.server_mac, block.client_key, block.server_key
    assert b"".join(in_order) == keys.prf(keys.HmacSha256(b"m"), b"key expansion", b"s" * 32 + b"c" * 32, 96)
    assert [len(part) for part in block] == [16, 16, 0, 0, 32, 32]


def test_ecdhe_psk_premaster_has_the_shared_secret_then_the_key() -> None:
    assert keys.ecdhe_psk_premaster(b"shared", b"abc") == b"\0\6shared\0\3abc"


@pytest.mark.parametrize("spare", range(5))
@pytest.mark.parametrize("length", [0, 1, 64, 200])
def test_mac_in_even_time_is_the_mac(spare: int, length: int) -> None:
    mac = keys.HmacSha256(b"key")
    message = bytes(range(length))
    for at in (0, length // 2, length):
        assert mac.digest_evenly(message[:at], message[at:], spare) == mac.digest(message)


def test_session_hash_is_not_the_randoms() -> None:
    session_hash = hashlib.sha256(b"handshake").digest()
    plain = keys.master_secret(b"p", bytes(32), bytes(32))
    assert keys.extended_master_secret(b"p", session_hash) != plain
