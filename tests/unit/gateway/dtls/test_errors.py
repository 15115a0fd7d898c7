"""What the errors say."""

from gateway.dtls.alerts import AlertDescription
from gateway.dtls.errors import AlertError, DecodeError, DtlsError, LocalProtocolError


def test_decode_error_names_the_place() -> None:
    error = DecodeError("bytes missing", 7)
    assert (error.what, error.offset) == ("bytes missing", 7)
    assert str(error) == "bytes missing at byte 7"


def test_alert_error_names_the_alert() -> None:
    error = AlertError(AlertDescription.ILLEGAL_PARAMETER, "suite was not offered")
    assert error.description is AlertDescription.ILLEGAL_PARAMETER
    assert str(error) == "suite was not offered (illegal_parameter)"


def test_all_errors_have_one_root() -> None:
    assert {DecodeError, AlertError, LocalProtocolError} <= set(DtlsError.__subclasses__())
