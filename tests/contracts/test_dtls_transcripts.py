"""The codecs against exchanges between foreign stacks: same keys, same Finished, same content."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from gateway.dtls.messages import decode_client_hello, decode_fragments
from gateway.dtls.record import ContentType, decode_records
from tests.support.transcripts import DIRECTIONS, Handshake, Opened, load, replay

TRANSCRIPTS = {row["name"]: row for row in load("psk_transcripts.json", "transcripts")}
CLIENT_HELLOS = {row["name"]: row for row in load("client_hellos.json", "client_hellos")}
HANDSHAKES = [
    pytest.param(name, number, id=f"{name}-{number}" if number else name)
    for name, transcript in TRANSCRIPTS.items()
    for number in range(len(transcript["sessions"]))
]
WRONG_KEY = "psk-ccm8-openssl-openssl-wrong-key"


def hexed(data: bytes | None) -> str | None:
    return None if data is None else data.hex()


@cache
def replayed(name: str) -> list[Handshake]:
    return replay(TRANSCRIPTS[name], TRANSCRIPTS[name]["psk"])


def both(name: str, number: int) -> tuple[Handshake, dict[str, Any]]:
    return replayed(name)[number], TRANSCRIPTS[name]["sessions"][number]


def in_order(found: Handshake) -> list[Opened]:
    return sorted(found.opened, key=lambda one: (one.seen.datagram, one.seen.offset))


def is_ours_to_repeat(one: Opened, row: dict[str, Any]) -> bool:
    """Whether our own rule for the explicit nonce was used, and no padding."""
    return one.seen.record.fragment[:8] == one.seen.record.number and not row.get("inner_zeros")


def test_no_transcript_was_lost() -> None:
    assert len(TRANSCRIPTS) == 26
    assert len(CLIENT_HELLOS) == 25
    sessions = [session for transcript in TRANSCRIPTS.values() for session in transcript["sessions"]]
    assert {session["cipher_suite"] for session in sessions} == {"c0a8", "c0a4", "00a8"}


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_each_new_client_random_is_a_handshake(name: str) -> None:
    assert len(replayed(name)) == len(TRANSCRIPTS[name]["sessions"])


@pytest.mark.parametrize(("name", "number"), HANDSHAKES)
def test_messages_become_whole_as_recorded(name: str, number: int) -> None:
    found, expected = both(name, number)
    assert found.messages == expected["messages"]
    assert found.alerts == expected["alerts"]
    assert found.has_hello_verify_request == expected["hello_verify_request"]


@pytest.mark.parametrize(("name", "number"), HANDSHAKES)
def test_hellos_say_what_was_negotiated(name: str, number: int) -> None:
    found, expected = both(name, number)
    client, server = found.client_hello, found.server_hello
    assert client is not None
    assert server is not None
    assert client.random.hex() == expected["client_random"]
    assert server.random.hex() == expected["server_random"]
    assert server.session_id.hex() == expected["session_id"]
    assert f"{server.cipher_suite:04x}" == expected["cipher_suite"]
    assert list(client.extensions) == expected["client_extensions"]
    assert list(server.extensions) == expected["server_extensions"]
    assert server.has_extended_master_secret == expected["extended_master_secret"]
    is_negotiated = server.connection_id is not None
    assert hexed(client.connection_id if is_negotiated else None) == expected["client_cid"]
    assert hexed(server.connection_id) == expected["server_cid"]
    assert found.identity.hex() == expected["psk_identity"]
    assert hexed(found.identity_hint) == expected["psk_identity_hint"]


@pytest.mark.parametrize(("name", "number"), HANDSHAKES)
def test_keys_are_those_of_the_foreign_stacks(name: str, number: int) -> None:
    found, expected = both(name, number)
    assert found.premaster.hex() == expected["premaster_secret"]
    assert hexed(found.session_hash) == expected["session_hash"]
    assert found.master.hex() == expected["master_secret"]
    assert found.key_block is not None
    for part, value in found.key_block._asdict().items():
        assert value.hex() == expected.get(part, "")


@pytest.mark.parametrize(("name", "number"), HANDSHAKES)
def test_both_finished_are_right(name: str, number: int) -> None:
    found, expected = both(name, number)
    for direction, role in zip(DIRECTIONS, ("client", "server"), strict=True):
        verify_data = expected[f"{role}_verify_data"]
        assert (direction in found.finished) == (verify_data is not None)
        if verify_data is not None:
            handshake_hash, ours, received = found.finished[direction]
            assert handshake_hash.hex() == expected[f"{role}_finished_hash"]
            assert ours.hex() == received.hex() == verify_data


@pytest.mark.parametrize(("name", "number"), HANDSHAKES)
def test_protected_records_open_to_the_recorded_content(name: str, number: int) -> None:
    found, expected = both(name, number)
    opened = [
        {
            "datagram": one.seen.datagram,
            "offset": one.seen.offset,
            "dir": one.seen.direction,
            "epoch": one.seen.record.epoch,
            "seq": one.seen.record.sequence,
            "type": one.content_type,
            "nonce": one.nonce.hex(),
            "aad": one.associated_data.hex(),
            "plaintext": one.plaintext.hex(),
        }
        for one in in_order(found)
    ]
    assert opened == [{k: v for k, v in row.items() if k != "inner_zeros"} for row in expected["records"]]
    assert all(one.is_fresh for one in found.opened)


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_only_records_under_another_key_stay_shut(name: str) -> None:
    unopened = [place for handshake in replayed(name) for place in handshake.unopened]
    assert unopened == TRANSCRIPTS[name]["cannot_be_opened"]


@pytest.mark.parametrize(("name", "number"), HANDSHAKES)
def test_sealing_again_gives_the_same_bytes(name: str, number: int) -> None:
    found, expected = both(name, number)
    for one, row in zip(in_order(found), expected["records"], strict=True):
        if is_ours_to_repeat(one, row):
            sealer = found.protection[one.seen.direction].sealer
            record = one.seen.record
            sealed = sealer.seal(one.content_type, record.epoch, record.sequence, one.plaintext)
            assert sealed.hex() == one.seen.raw.hex()


def test_sealing_again_covers_most_records_of_every_suite() -> None:
    kinds = [
        (expected["cipher_suite"], bool(one.seen.record.cid)) if is_ours_to_repeat(one, row) else None
        for name in TRANSCRIPTS
        for handshake, expected in zip(replayed(name), TRANSCRIPTS[name]["sessions"], strict=True)
        for one, row in zip(in_order(handshake), expected["records"], strict=True)
    ]
    assert set(kinds) >= {("c0a8", False), ("c0a8", True), ("c0a4", False), ("00a8", True)}
    assert kinds.count(None) < len(kinds) / 4


def test_client_with_another_key_made_a_finished_right_for_its_own() -> None:
    transcript = TRANSCRIPTS[WRONG_KEY]
    (handshake,) = replay(transcript, transcript["client_psk"])
    assert handshake.unopened == []
    assert [one.content_type for one in handshake.opened] == [ContentType.HANDSHAKE] * 3
    _, ours, received = handshake.finished["c2s"]
    assert ours == received


@pytest.mark.parametrize("name", CLIENT_HELLOS)
def test_first_hello_of_every_client_parses(name: str) -> None:
    row = CLIENT_HELLOS[name]
    fields = row["fields"]
    (record,) = decode_records(bytes.fromhex(row["hex"]), 8)
    (fragment,) = decode_fragments(record.fragment)
    hello = decode_client_hello(fragment.body)
    assert fragment.length == len(fragment.body)
    assert {
        "record_version": f"{record.version:04x}",
        "client_version": f"{hello.version:04x}",
        "random": hello.random.hex(),
        "session_id": hello.session_id.hex(),
        "cookie": hello.cookie.hex(),
        "cipher_suites": [f"{suite:04x}" for suite in hello.cipher_suites],
        "compression": hello.compression_methods.hex(),
        "extensions": [[kind, body.hex()] for kind, body in hello.extensions.items()],
    } == fields
