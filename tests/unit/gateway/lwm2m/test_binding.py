from __future__ import annotations

import pytest

from gateway.lwm2m.binding import check_binding, register_binding, update_binding
from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.versions import Version

V1_0, V1_1, V1_2, V1_3 = (Version(1, minor) for minor in range(4))


@pytest.mark.parametrize("binding", ["U", "UQ", "S", "SQ", "US", "UQS"])
@pytest.mark.parametrize("version", [V1_0, V1_1, V1_2, V1_3], ids=str)
def test_what_1_0_lists_is_taken_in_every_version(binding: str, version: Version) -> None:
    check_binding(binding, version)


@pytest.mark.parametrize(
    ("version", "binding"),
    [(V1_1, "UTSN"), (V1_1, "T"), (V1_1, "NQ"), (V1_2, "MH"), (V1_2, "UTSNMHQ"), (V1_3, "M")],
)
def test_each_version_adds_its_transports(version: Version, binding: str) -> None:
    check_binding(binding, version)


@pytest.mark.parametrize(
    ("version", "binding"),
    [
        *((V1_0, binding) for binding in ("T", "UT", "N", "M")),
        *((V1_1, binding) for binding in ("M", "UH")),
        *((V1_2, binding) for binding in ("", "Q", "UU", "UQQ", "u", "X", "U S", "Ü")),
    ],
)
def test_other_letters_repetition_and_no_transport_are_refused(version: Version, binding: str) -> None:
    with pytest.raises(DecodeError):
        check_binding(binding, version)


@pytest.mark.parametrize(
    ("sent", "is_queue_mode", "stored"),
    [
        (None, False, "U"),
        (None, True, "UQ"),
        ("U", True, "UQ"),
        ("UQ", True, "UQ"),
        ("UQS", False, "UQS"),
        ("UQS", True, "UQS"),
        ("US", True, "USQ"),
    ],
)
def test_register_keeps_what_was_sent_with_q_appended(
    sent: str | None, is_queue_mode: bool, stored: str
) -> None:
    assert register_binding(sent, is_queue_mode, V1_1) == stored


@pytest.mark.parametrize(
    ("version", "current", "sent", "is_queue_mode", "stored"),
    [
        (V1_1, "U", None, True, "UQ"),
        (V1_1, "UQ", None, False, "UQ"),
        (V1_1, "UQ", None, True, "UQ"),
        (V1_1, "U", "UT", False, "UT"),
        (V1_1, "UQ", "UT", False, "UTQ"),
        (V1_1, "U", "UT", True, "UTQ"),
        (V1_0, "UQ", "U", False, "U"),
        (V1_0, "U", "UQ", False, "UQ"),
    ],
)
def test_update_loses_queue_mode_only_where_b_says_so(
    version: Version, current: str, sent: str | None, is_queue_mode: bool, stored: str
) -> None:
    assert update_binding(current, sent, is_queue_mode, version) == stored


def test_ill_formed_binding_in_an_update_is_refused() -> None:
    with pytest.raises(DecodeError):
        update_binding("U", "X", False, V1_1)
