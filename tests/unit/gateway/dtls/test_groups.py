"""Key shares: what both sides compute, and what is no public value. Recorded ones: test_dtls_transcripts."""

from __future__ import annotations

import os

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, x25519

from gateway.dtls.alerts import AlertDescription
from gateway.dtls.errors import AlertError, LocalProtocolError
from gateway.dtls.groups import (
    EXCHANGE_GROUPS,
    OFFERED_GROUPS,
    KeyShare,
    NamedGroup,
    choose_group,
    generate,
)

groups = pytest.mark.parametrize("group", EXCHANGE_GROUPS, ids=lambda group: group.name)


@groups
def test_both_sides_compute_the_same(group: NamedGroup) -> None:
    ours, theirs = generate(group, os.urandom), generate(group, os.urandom)
    shared = ours.agree(theirs.public)
    assert shared == theirs.agree(ours.public)
    assert len(shared) == 32
    assert ours.group is theirs.group is group


@groups
def test_share_comes_from_the_entropy_alone(group: NamedGroup) -> None:
    first, again = generate(group, lambda length: b"\x42" * length), generate(group, lambda n: b"\x42" * n)
    assert first.public == again.public != generate(group, lambda n: b"\x43" * n).public


@pytest.mark.parametrize("fill", [b"\0", b"\xff"])
@groups
def test_extreme_entropy_gives_a_share(group: NamedGroup, fill: bytes) -> None:
    other = generate(group, os.urandom)
    assert generate(group, lambda length: fill * length).agree(other.public)


def test_leading_zeros_of_the_shared_secret_are_kept() -> None:
    for number in range(1, 2_000):
        ours = KeyShare(ec.derive_private_key(number, ec.SECP256R1()))
        shared = ours.agree(KeyShare(ec.derive_private_key(1, ec.SECP256R1())).public)
        assert len(shared) == 32
        if not shared[0]:
            return
    pytest.fail("no shared secret begins with a zero")


def test_private_keys_from_elsewhere_are_fine() -> None:
    assert KeyShare(ec.generate_private_key(ec.SECP256R1())).group is NamedGroup.SECP256R1
    assert KeyShare(x25519.X25519PrivateKey.generate()).group is NamedGroup.X25519


def test_no_share_is_made_on_the_curve_of_certificates() -> None:
    with pytest.raises(LocalProtocolError):
        KeyShare(ec.generate_private_key(ec.SECP384R1()))
    with pytest.raises(LocalProtocolError):
        generate(NamedGroup.SECP384R1, os.urandom)


def test_client_decides_among_ours() -> None:
    assert choose_group((25, 24, 29, 23)) is NamedGroup.X25519
    assert choose_group((23, 29)) is NamedGroup.SECP256R1
    assert choose_group((24, 25, 0x6A6A)) is None
    assert choose_group(()) is None


def test_client_that_lists_no_groups_takes_p_256() -> None:
    assert choose_group(None) is NamedGroup.SECP256R1


def test_curve_of_chains_is_offered_last() -> None:
    assert OFFERED_GROUPS == (23, 29, 24)


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64, 65, 66, 255])
@groups
def test_b5_wrong_length_is_refused(group: NamedGroup, size: int) -> None:
    share = generate(group, os.urandom)
    with pytest.raises(AlertError) as raised:
        share.agree(b"\4" + bytes(size - 1) if size else b"")
    assert raised.value.description is AlertDescription.ILLEGAL_PARAMETER
