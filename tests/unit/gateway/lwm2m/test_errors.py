from __future__ import annotations

import pytest

from gateway.lwm2m.errors import DecodeError, OptionTooLong, RefusalReason, TooLarge, UnsupportedFormat


def test_text_names_the_place_where_there_is_one() -> None:
    assert str(DecodeError("no link", 7)) == "no link at 7"
    assert str(DecodeError("lwm2m is missing")) == "lwm2m is missing"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DecodeError, RefusalReason.MALFORMED),
        (TooLarge, RefusalReason.TOO_LARGE),
        (OptionTooLong, RefusalReason.OPTION_TOO_LONG),
        (UnsupportedFormat, RefusalReason.UNSUPPORTED_FORMAT),
    ],
)
def test_every_decode_error_is_a_refusal(error: type[DecodeError], reason: RefusalReason) -> None:
    assert error("x").reason is reason


def test_operators_can_tell_reasons_apart() -> None:
    assert len({reason.value for reason in RefusalReason}) == len(RefusalReason)
