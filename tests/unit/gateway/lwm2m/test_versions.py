from __future__ import annotations

import pytest

from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.versions import Version, decode_version


@pytest.mark.parametrize(
    ("text", "version"),
    [("1.0", (1, 0)), ("1.2", (1, 2)), ("1.3", (1, 3)), ("2.0", (2, 0)), ("01.10", (1, 10))],
)
def test_two_numbers_are_a_version(text: str, version: tuple[int, int]) -> None:
    assert decode_version(text) == version


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.", ".1", "1.2.1", "1.x", "v1.0", " 1.0", "1.0 ", "-1.0", "1,0", "1.0\n", "١.٠", "1.000000"],
)
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(DecodeError):
        decode_version(text)


@pytest.mark.parametrize(
    ("version", "effective"), [((1, 0), (1, 0)), ((1, 2), (1, 2)), ((1, 3), (1, 2)), ((1, 99), (1, 2))]
)
def test_later_minors_are_served_as_1_2(version: tuple[int, int], effective: tuple[int, int]) -> None:
    assert Version(*version).is_supported
    assert Version(*version).effective == effective


@pytest.mark.parametrize("major", [0, 2, 10])
def test_other_majors_are_not_served(major: int) -> None:
    assert not Version(major, 0).is_supported
