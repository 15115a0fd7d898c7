"""The codecs against exchanges between foreign stacks: same keys, same Finished, same content."""

from __future__ import annotations

from functools import cache
from itertools import chain
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from gateway.dtls.certificates import LeafCertificate, decode_certificates
from gateway.dtls.keys import HmacSha256
from gateway.dtls.messages import HandshakeType, decode_client_hello, decode_fragments
from gateway.dtls.rawkeys import RawPublicKey, encode_spki
from gateway.dtls.record import ContentType, Opener, decode_records
from gateway.dtls.suites import SUITES
from gateway.dtls.trust import Role, TrustAnchors, TrustedCertificate, verify_chain
from tests.support.transcripts import DIRECTIONS, ECDSA_SHA512, Handshake, Opened, load, replay

FILES = ("psk", "cbc", "ecdhe", "resumption")
TRANSCRIPTS = {row["name"]: row for file in FILES for row in load(f"{file}_transcripts.json", "transcripts")}
CLIENT_HELLOS = {row["name"]: row for row in load("client_hellos.json", "client_hellos")}
CREDENTIALS = {row["name"]: row for row in load("credentials.json", "credentials")}
HANDSHAKES = [
    pytest.param(name, number, id=f"{name}-{number}" if number else name)
    for name, transcript in TRANSCRIPTS.items()
    for number in range(len(transcript["sessions"]))
]
WITH_SIGNATURES = [
    name for name, row in TRANSCRIPTS.items() if any("server_spki" in session for session in row["sessions"])
]
WRONG_KEY = "psk-ccm8-openssl-openssl-wrong-key"
UNKNOWN_IDENTITY = "psk-ccm8-mbedtls-scandium-unknown-identity"
MACED_TWICE = "psk-cbc-pion-mbedtls-cid"
WITHOUT_CID = "resume-id-psk-pion-scandium-cid"
IN_2027 = 1_800_000_000.0

GROUPS = {23: "secp256r1", 24: "secp384r1", 25: "secp521r1", 29: "x25519"}


def hexed(data: bytes | None) -> str | None:
    return None if data is None else data.hex()


@cache
def replayed(name: str) -> list[Handshake]:
    return replay(TRANSCRIPTS[name], TRANSCRIPTS[name].get("psk", ""))


def both(name: str, number: int) -> tuple[Handshake, dict[str, Any]]:
    return replayed(name)[number], TRANSCRIPTS[name]["sessions"][number]


def in_order(found: Handshake) -> list[Opened]:
    return sorted(found.opened, key=lambda one: (one.seen.datagram, one.seen.offset))


def by_number(found: list[list[Any]]) -> list[list[Any]]:
    """Messages in the order of their numbers: ours pass on in order what came out of it."""
    return sorted(found, key=lambda message: (message[0], message[2], message[1]))


def as_recorded(one: Opened, row: dict[str, Any] | list[Any]) -> dict[str, Any] | list[Any]:
    """What was opened, in the form of its row of the vectors."""
    record = one.seen.record
    assert record.epoch == 1
    if isinstance(row, list):
        where = [one.seen.datagram, one.seen.offset, one.seen.direction]
        return [*where, record.sequence, one.content_type, one.plaintext.hex()]
    found = {
        "datagram": one.seen.datagram,
        "offset": one.seen.offset,
        "dir": one.seen.direction,
        "epoch": record.epoch,
        "seq": record.sequence,
        "type": one.content_type,
        "nonce": one.nonce.hex(),
        "aad": one.associated_data.hex(),
        "plaintext": one.plaintext.hex(),
    }
    return {**found, **{name: value for name, value in row.items() if name == "inner_zeros"}}


def test_no_transcript_was_lost() -> None:
    assert len(TRANSCRIPTS) == 67
    assert len(CLIENT_HELLOS) == 25
    sessions = [session for transcript in TRANSCRIPTS.values() for session in transcript["sessions"]]
    chosen = {session["cipher_suite"] for session in sessions}
    assert chosen == {f"{number:04x}" for number in SUITES} | {"00a9", "c02c"}
    assert {session.get("group") for session in sessions} == {None, *GROUPS.values()}
    credentials = [session.get(f"{side}_credential") for session in sessions for side in ("server", "client")]
    assert set(credentials) == {None, "X.509", "raw public key", "empty"}
    assert sum(session.get("handshake") == "abbreviated" for session in sessions) == 7


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_each_new_client_random_is_a_handshake(name: str) -> None:
    assert len(replayed(name)) == len(TRANSCRIPTS[name]["sessions"])


@pytest.mark.parametrize(("name", "number"), HANDSHAKES)
def test_messages_become_whole_as_recorded(name: str, number: int) -> None:
    found, expected = both(name, number)
    assert by_number(found.messages) == by_number(expected["messages"])
    assert found.alerts == expected["alerts"]
    assert found.has_hello_verify_request == expected["hello_verify_request"]
    assert found.is_abbreviated == (expected.get("handshake") == "abbreviated")


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
    assert found.is_encrypt_then_mac == expected.get("encrypt_then_mac", found.is_encrypt_then_mac)
    is_negotiated = server.connection_id is not None
    assert hexed(client.connection_id if is_negotiated else None) == expected["client_cid"]
    assert hexed(server.connection_id) == expected["server_cid"]
    assert hexed(found.identity) == expected.get("psk_identity")
    assert hexed(found.identity_hint) == expected.get("psk_identity_hint")


@pytest.mark.parametrize(("name", "number"), HANDSHAKES)
def test_shares_and_credentials_are_those_recorded(name: str, number: int) -> None:
    found, expected = both(name, number)
    assert (None if found.group is None else GROUPS[found.group]) == expected.get("group")
    for direction, side in zip(DIRECTIONS, ("client", "server"), strict=True):
        assert hexed(found.publics.get(direction)) == expected.get(f"{side}_public")
        credential = found.credentials.get(direction)
        kind = {LeafCertificate: "X.509", RawPublicKey: "raw public key"}.get(type(credential))
        is_empty = credential is None and direction in found.credentials
        assert ("empty" if is_empty else kind) == expected.get(f"{side}_credential")
        if credential is not None:
            assert credential.public_key is not None
            assert encode_spki(credential.public_key).hex() == expected[f"{side}_spki"]


@pytest.mark.parametrize(("name", "number"), HANDSHAKES)
def test_keys_are_those_of_the_foreign_stacks(name: str, number: int) -> None:
    found, expected = both(name, number)
    assert hexed(found.premaster) == expected.get("premaster_secret")
    assert hexed(found.session_hash) == expected.get("session_hash")
    assert found.master.hex() == expected["master_secret"]
    logged = found.knowledge.masters.get(found.client_random, found.master)
    assert found.master == logged
    assert found.key_block is not None
    for part, value in found.key_block._asdict().items():
        assert value.hex() == expected.get(part, "")


@pytest.mark.parametrize(("name", "number"), HANDSHAKES)
def test_both_finished_are_right(name: str, number: int) -> None:
    found, expected = both(name, number)
    for direction, role in zip(DIRECTIONS, ("client", "server"), strict=True):
        verify_data = expected.get(f"{role}_verify_data")
        assert (direction in found.finished) == (verify_data is not None)
        if verify_data is not None:
            handshake_hash, ours, received = found.finished[direction]
            assert handshake_hash.hex() == expected[f"{role}_finished_hash"]
            assert ours.hex() == received.hex() == verify_data


@pytest.mark.parametrize("name", WITH_SIGNATURES)
def test_all_signatures_are_right(name: str) -> None:
    (found,) = replayed(name)
    (expected,) = TRANSCRIPTS[name]["sessions"]
    sides = [("s2c", "server"), ("c2s", "client")]
    recorded = [
        (direction, expected[f"{side}_signature"])
        for direction, side in sides
        if f"{side}_signature" in expected
    ]
    assert [(one.direction, f"{one.scheme:04x}") for one in found.signatures] == recorded
    assert found.has_certificate_request == (expected.get("client_credential") is not None)


def test_signatures_were_checked_by_the_engine_but_for_three() -> None:
    schemes = [one.scheme for name in WITH_SIGNATURES for one in replayed(name)[0].signatures]
    assert len(schemes) == 35
    assert set(schemes) == {0x0403, 0x0503, ECDSA_SHA512}
    assert schemes.count(ECDSA_SHA512) == 3


@pytest.mark.parametrize("name", WITH_SIGNATURES)
def test_certificates_of_the_recorded_ca_are_trusted(name: str) -> None:
    (found,) = replayed(name)
    anchors = TrustAnchors(decode_certificates(CREDENTIALS["ca"]["certificate_pem"].encode()))
    for direction, role in (("c2s", Role.CLIENT), ("s2c", Role.SERVER)):
        leaf = found.credentials.get(direction)
        if isinstance(leaf, LeafCertificate):
            issuers = found.chains[direction][1:]
            assert isinstance(verify_chain(leaf, issuers, anchors, IN_2027, role), TrustedCertificate)


@pytest.mark.parametrize(("name", "number"), HANDSHAKES)
def test_protected_records_open_to_the_recorded_content(name: str, number: int) -> None:
    found, expected = both(name, number)
    assert len(found.opened) == len(expected["records"])
    for one, row in zip(in_order(found), expected["records"], strict=True):
        assert as_recorded(one, row) == row
    assert all(one.is_fresh for one in found.opened)


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_only_records_that_a_right_peer_drops_stay_shut(name: str) -> None:
    unopened = [place for handshake in replayed(name) for place in handshake.unopened]
    assert unopened == TRANSCRIPTS[name]["cannot_be_opened"]


# --- sealing


def is_ours_to_repeat(found: Handshake, one: Opened) -> bool:
    """Whether it was written by our own rules: the nonce is the number, padding is the shortest there is."""
    if not found.schedule.suite.is_cbc and one.seen.record.fragment[:8] != one.seen.record.number:
        return False
    return len(found.protection[one.seen.direction].seal_again(one)) == len(one.seen.raw)


@pytest.mark.parametrize(("name", "number"), HANDSHAKES)
def test_sealing_again_gives_the_same_bytes(name: str, number: int) -> None:
    found, _ = both(name, number)
    for one in in_order(found):
        if is_ours_to_repeat(found, one):
            assert found.protection[one.seen.direction].seal_again(one).hex() == one.seen.raw.hex()


def test_sealing_again_covers_most_records_of_every_suite() -> None:
    handshakes = list(chain.from_iterable(replayed(name) for name in TRANSCRIPTS))
    kinds = [
        (found.schedule.suite.id, bool(one.seen.record.cid), found.is_encrypt_then_mac)
        if is_ours_to_repeat(found, one)
        else None
        for found in handshakes
        for one in found.opened
    ]
    ours = {kind for kind in kinds if kind}
    # The only recorded stack with ECDHE and CCM counts its nonces in a way of its own.
    assert {number for number, *_ in ours} >= set(SUITES) - {0xC0AC}
    # Nobody who does both pads as little as we do.
    assert {(0x00AE, False, False), (0x00AE, True, False), (0x00AE, False, True)} <= ours
    assert kinds.count(None) < len(kinds) / 3


# --- where the peers never agreed: each for the reason that was noted


def test_transcripts_that_failed_are_these() -> None:
    failed = {name for name, row in TRANSCRIPTS.items() if row["outcome"] == "failed"}
    assert failed == {WRONG_KEY, UNKNOWN_IDENTITY, MACED_TWICE, WITHOUT_CID}


def test_client_with_another_key_made_a_finished_right_for_its_own() -> None:
    transcript = TRANSCRIPTS[WRONG_KEY]
    (handshake,) = replay(transcript, transcript["client_psk"])
    assert handshake.unopened == []
    assert [one.content_type for one in handshake.opened] == [ContentType.HANDSHAKE] * 3
    _, ours, received = handshake.finished["c2s"]
    assert ours == received


def test_client_that_nobody_knew_made_a_finished_right_for_its_key() -> None:
    (handshake,) = replayed(UNKNOWN_IDENTITY)
    assert handshake.identity == b"nobody"
    assert handshake.unopened == []
    assert list(handshake.finished) == ["c2s"]


def test_d11_cbc_record_whose_inner_plaintext_was_maced_twice_is_dropped() -> None:
    (handshake,) = replayed(MACED_TWICE)
    assert handshake.finished == {}
    datagram = bytes.fromhex(TRANSCRIPTS[MACED_TWICE]["datagrams"][4]["hex"])
    record = decode_records(datagram, handshake.cid_bytes("c2s"))[2]
    assert handshake.key_block is not None
    inner, mac = decrypt_cbc(handshake.key_block.client_key, record.fragment)
    start = b"\xff" * 8 + bytes((25, len(record.cid))) + b"\x19\xfe\xfd" + record.number + record.cid
    covered = start + len(inner).to_bytes(2, "big") + inner
    sender = HmacSha256(handshake.key_block.client_mac)
    assert mac == sender.digest(covered + inner) != sender.digest(covered)
    assert inner[0] == HandshakeType.FINISHED
    assert inner[-1] == ContentType.HANDSHAKE


def decrypt_cbc(key: bytes, fragment: bytes) -> tuple[bytes, bytes]:
    padded = Cipher(algorithms.AES(key), modes.CBC(fragment[:16])).decryptor().update(fragment[16:])
    content = padded[: -1 - padded[-1]]
    return content[:-32], content[-32:]


def test_d9_finished_without_the_negotiated_connection_id_is_dropped() -> None:
    _, handshake = replayed(WITHOUT_CID)
    assert list(handshake.finished) == ["s2c"]
    datagram = bytes.fromhex(TRANSCRIPTS[WITHOUT_CID]["datagrams"][14]["hex"])
    record = decode_records(datagram, handshake.cid_bytes("c2s"))[1]
    assert record.content_type == ContentType.HANDSHAKE
    assert handshake.key_block is not None
    key, iv = handshake.key_block.client_key, handshake.key_block.client_iv
    assert Opener(handshake.schedule.suite, key, iv, handshake.cid("c2s")).open(record) is None
    opened = Opener(handshake.schedule.suite, key, iv, b"").open(record)
    assert opened is not None
    assert opened[1][0] == HandshakeType.FINISHED


# --- first hellos


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
