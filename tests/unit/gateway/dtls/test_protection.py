"""Which keys are whose, for every suite."""

from __future__ import annotations

import pytest

from gateway.dtls.cbc import CbcOpener, CbcSealer
from gateway.dtls.keys import HmacSha256, key_block
from gateway.dtls.protection import Protection, protect
from gateway.dtls.record import Opener, Sealer, decode_records
from gateway.dtls.suites import SUITES, Suite

CLIENT_CID, SERVER_CID = b"to-client", b"to-serv"

suites = pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)


def sides(suite: Suite, *, etm: tuple[bool, bool] = (False, False)) -> tuple[Protection, Protection]:
    block = key_block(HmacSha256(b"m" * 48), b"c" * 32, b"s" * 32, suite)
    client = protect(
        suite,
        block,
        is_client=True,
        own_cid=CLIENT_CID,
        peer_cid=SERVER_CID,
        entropy=bytes,
        encrypt_then_mac=etm[0],
    )
    server = protect(
        suite,
        block,
        is_client=False,
        own_cid=SERVER_CID,
        peer_cid=CLIENT_CID,
        entropy=bytes,
        encrypt_then_mac=etm[1],
    )
    return client, server


@suites
@pytest.mark.parametrize("is_etm", [False, True])
def test_both_sides_understand_each_other(suite: Suite, is_etm: bool) -> None:
    client, server = sides(suite, etm=(is_etm, is_etm))
    for sender, receiver, cid in ((client, server, SERVER_CID), (server, client, CLIENT_CID)):
        (record,) = decode_records(sender.sealer.seal(23, 1, 5, b"content"), len(cid))
        assert record.cid == cid
        assert receiver.opener.open(record) == (23, b"content")


@suites
def test_nobody_opens_what_it_sealed_itself(suite: Suite) -> None:
    block = key_block(HmacSha256(b"m" * 48), b"c" * 32, b"s" * 32, suite)
    for is_client in (True, False):
        side = protect(suite, block, is_client=is_client, own_cid=b"", peer_cid=b"", entropy=bytes)
        (record,) = decode_records(side.sealer.seal(23, 1, 5, b"content"), 0)
        assert side.opener.open(record) is None


@suites
def test_encrypt_then_mac_counts_for_cbc_only(suite: Suite) -> None:
    client, server = sides(suite, etm=(True, False))
    (record,) = decode_records(client.sealer.seal(23, 1, 5, b"content"), len(SERVER_CID))
    assert (server.opener.open(record) is None) == suite.is_cbc


@suites
def test_class_fits_the_suite(suite: Suite) -> None:
    expected = (CbcOpener, CbcSealer) if suite.is_cbc else (Opener, Sealer)
    assert tuple(type(part) for part in sides(suite)[0]) == expected
