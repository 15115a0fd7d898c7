"""The return routability check (RFC 9853) with a pion/dtls that knows it: each side challenges the other."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from gateway.dtls.refusal import CredentialFault, CredentialRefusal
from gateway.dtls.settings import EndpointConfig
from tests.support.dtls_server import DtlsServer, Presented
from tests.support.foreign import DEADLINE_S, Program, require

pytestmark = pytest.mark.interop

IDENTITY, KEY = "meter-7", bytes(range(0x30, 0x40))
GET = "4101123401b474657374"
"A confirmable GET of /test (RFC 7252)."

SUITES = ("psk-ccm8", "psk-ccm", "psk-gcm")


def _serve(*, is_moving: bool = False) -> DtlsServer:
    return DtlsServer(EndpointConfig(), {IDENTITY.encode(): KEY}, _refuse, is_moving=is_moving)


def _refuse(_: Presented) -> CredentialRefusal:
    return CredentialRefusal(CredentialFault.NO_DEVICE)


def _client(server: DtlsServer, *more: str) -> Program:
    command = [require("pion-rrc"), "-to", f"{server.host}:{server.port}", "-hex", GET]
    return Program([*command, "-identity", IDENTITY, "-key", KEY.hex(), *more])


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("cid_bytes", ["0", "4"], ids=["cid-sent-only", "cid-both-ways"])
def test_client_that_moved_answers_our_challenge(suite: str, cid_bytes: str) -> None:
    with _serve() as server:
        with _client(server, "-suites", suite, "-cid", cid_bytes, "-rebind") as client:
            client.expect(b"received ")
            client.expect(b"received ")
        _wait(lambda: server.count("path_checks_passed") == 1)
        assert server.count("path_checks_failed") == 0
        assert len(server.sessions) == 1


@pytest.mark.parametrize("suite", SUITES)
def test_challenge_of_a_client_that_hears_us_from_another_port_is_answered(suite: str) -> None:
    with _serve(is_moving=True) as server:
        with _client(server, "-suites", suite, "-cid", "4", "-exchanges", "2") as client:
            client.expect(b"received ")
            client.expect(b"received ")
            _wait(lambda: server.count("path_challenges_answered") == 1)
        assert len(server.sessions) == 1
