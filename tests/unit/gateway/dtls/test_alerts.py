"""Alerts."""

import pytest

from gateway.dtls.alerts import (
    CLOSE_NOTIFY,
    Alert,
    AlertDescription,
    AlertLevel,
    decode_alert,
    encode_alert,
    fatal,
)
from gateway.dtls.errors import DecodeError


def test_every_alert_comes_back() -> None:
    for level in AlertLevel:
        for description in AlertDescription:
            alert = Alert(level, description)
            assert decode_alert(encode_alert(alert)) == alert


def test_close_notify_is_a_warning_that_closes() -> None:
    assert encode_alert(CLOSE_NOTIFY) == b"\1\0"
    assert CLOSE_NOTIFY.is_close
    assert not CLOSE_NOTIFY.is_fatal


def test_fatal_alert_is_no_close_and_says_what_it_is() -> None:
    alert = fatal(AlertDescription.HANDSHAKE_FAILURE)
    assert encode_alert(alert) == b"\2\x28"
    assert alert.is_fatal
    assert not alert.is_close
    assert str(alert) == "fatal handshake_failure"


def test_b10_unknown_description_is_kept_as_a_number() -> None:
    alert = decode_alert(b"\1\xc8")
    assert alert.description == 200
    assert str(alert) == "warning alert 200"


@pytest.mark.parametrize("fragment", [b"", b"\2", b"\2\x28\0", b"\1\0\1\0", b"\0\0", b"\3\0", b"\xff\xff"])
def test_b10_alert_of_another_length_or_level_is_refused(fragment: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_alert(fragment)
