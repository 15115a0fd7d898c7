"""`gateway.dtls.clientoffer`: which extensions a client offers, and which answer it takes."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dtls.alerts import AlertDescription
from gateway.dtls.clientoffer import check_answer, offered_extensions
from gateway.dtls.errors import AlertError, DecodeError
from gateway.dtls.extensions import CertificateType
from gateway.dtls.messages import ServerHello
from gateway.dtls.settings import ClientConfig

BARE = {"suites": (0xC0A8,), "cid": None, "extended_master_secret": False}
RAW = (CertificateType.RAW_PUBLIC_KEY,)


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ({}, []),
        ({"extended_master_secret": True}, [23]),
        ({"cid": b"own"}, [54, 61]),
        ({"cid": b"", "return_routability": False}, [54]),
        ({"max_fragment_length": 512, "record_size_limit": 600}, [1, 28]),
        ({"server_name": b"gw.example"}, [0]),
        ({"suites": (0x00AE,)}, [22]),
        ({"suites": (0x00AE,), "encrypt_then_mac": False}, []),
        ({"suites": (0xC0AE,)}, [10, 11, 13]),
        ({"suites": (0xC0AE,), "client_certificate_types": RAW}, [10, 11, 13, 19]),
        ({"suites": (0xC0AE,), "server_certificate_types": RAW}, [10, 11, 13, 20]),
    ],
)
def test_each_extension_goes_with_what_needs_it(options: dict[str, Any], numbers: list[int]) -> None:
    extensions = offered_extensions(ClientConfig(**(BARE | options)))
    assert [int(number) for number in extensions] == [0xFF01, *numbers]


def test_suite_that_is_not_known_is_offered_without_extensions_of_its_own() -> None:
    assert list(offered_extensions(ClientConfig(**(BARE | {"suites": (0x1301,)})))) == [0xFF01]


def answer(**changes: Any) -> ServerHello:
    return ServerHello(0xFEFD, bytes(32), b"", 0xC0A8, {54: b"\0", 61: b""}, connection_id=b"")._replace(
        **changes
    )


def check(hello: ServerHello) -> None:
    config = ClientConfig(suites=(0xC0A8, 0x1301))
    check_answer(hello, config, offered_extensions(config))


@pytest.mark.parametrize("hello", [answer(), answer(extensions={}, connection_id=None)])
def test_answer_may_take_up_what_was_offered_or_not(hello: ServerHello) -> None:
    check(hello)


@pytest.mark.parametrize(
    ("changes", "alert"),
    [
        ({"version": 0xFEFF}, AlertDescription.PROTOCOL_VERSION),
        ({"cipher_suite": 0xC0AE}, AlertDescription.ILLEGAL_PARAMETER),
        ({"cipher_suite": 0x1301}, AlertDescription.ILLEGAL_PARAMETER),
        ({"extensions": {28: b"\2\0"}}, AlertDescription.UNSUPPORTED_EXTENSION),
        ({"renegotiation_info": b"x"}, AlertDescription.HANDSHAKE_FAILURE),
        ({"connection_id": None}, AlertDescription.ILLEGAL_PARAMETER),
    ],
)
def test_what_was_not_offered_or_does_not_go_together_is_refused(
    changes: dict[str, Any], alert: AlertDescription
) -> None:
    with pytest.raises(AlertError) as caught:
        check(answer(**changes))
    assert caught.value.description is alert


def test_malformed_routability_check_is_told_as_such() -> None:
    with pytest.raises(DecodeError):
        check(answer(extensions={54: b"\0", 61: b"x"}))
