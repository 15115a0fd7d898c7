"""One row against one stack: an endpoint as the row has it, the client, and what must have come of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gateway.dtls.cbc import CbcOpener
from gateway.dtls.credential import make_credential
from gateway.dtls.events import CertificatePresented, CredentialAccepted
from gateway.dtls.refusal import CredentialFault, CredentialRefusal
from gateway.dtls.settings import EndpointConfig
from gateway.dtls.trust import TrustAnchors, TrustedCertificate, verify_chain
from tests.interop.matrix.row import AEAD, ETM, NO_CID, PSK, Row, pairwise
from tests.interop.matrix.stacks import IDENTITY, KEY, STACKS, Material, Stack, Task
from tests.support.certificates import NOW_S
from tests.support.dtls_server import DtlsServer, Presented

DEVICE = b"device-1"
LONGEST_BYTES = 1_200


def rows() -> list[tuple[Stack, Row]]:
    """The whole matrix."""
    return [(stack, row) for stack in STACKS for row in pairwise(stack.abilities.combinations())]


def run(stack: Stack, row: Row, folder: Path) -> None:
    """Do what *row* says.

    Raises:
        AssertionError: it did not come out as it must. A client that is not there skips the test.
    """
    material = Material.make(folder)
    credential = make_credential(material.gateway.key, (material.gateway.der, material.ca.der))
    config = EndpointConfig(credential=credential, mtu_bytes=row.mtu_bytes or LONGEST_BYTES)
    psks = {IDENTITY.encode(): KEY}
    with DtlsServer(config, psks, _judge(stack, material), stack.fixed_port) as server:
        try:
            stack.drive(Task(row, server.host, server.port, stack.abilities.suites[row.suite], material))
        except AssertionError as error:
            failures = [failure.reason.value for failure in server.failures]
            raise AssertionError(f"server: {failures} {server.fault!r}\n{error}") from None
        _check(server, row)


def _judge(stack: Stack, material: Material) -> Callable[[Presented], CredentialAccepted | CredentialRefusal]:
    anchors = TrustAnchors([material.ca.der])

    def judge(presented: Presented) -> CredentialAccepted | CredentialRefusal:
        if stack.shows_own_credential:
            return CredentialAccepted(DEVICE)
        if isinstance(presented, CertificatePresented):
            verdict = verify_chain(presented.leaf, presented.issuers, anchors, NOW_S)
            return CredentialAccepted(DEVICE) if isinstance(verdict, TrustedCertificate) else verdict
        is_known = presented.key.public_key == material.device.key.public_key()
        return CredentialAccepted(DEVICE) if is_known else CredentialRefusal(CredentialFault.RAW_KEY_UNKNOWN)

    return judge


def _check(server: DtlsServer, row: Row) -> None:
    sessions = [each.session for each in server.sessions]
    assert len(sessions) == 1 + row.is_resumed
    assert len(server.asked) == 1, "a resumed session rests on what the first one showed"
    assert set(server.suites()) == {row.suite}
    assert {session.identity for session in sessions} == {
        IDENTITY.encode() if row.authentication == PSK else DEVICE
    }
    assert all(bool(session.cid) is (row.cid != NO_CID) for session in sessions)
    openers = [session.opener for session in sessions]
    encrypts_first = {opener.encrypt_then_mac for opener in openers if isinstance(opener, CbcOpener)}
    assert encrypts_first == (set() if row.protection == AEAD else {row.protection == ETM})
    assert len(server.received) >= 1
    if row.mtu_bytes:
        assert max(map(len, server.sent)) <= row.mtu_bytes
