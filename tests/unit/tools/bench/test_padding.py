"""The forged records that the benchmark times are what it says they are."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from gateway.dtls.cbc import CbcOpener
from tools.bench.padding import PaddingTimes, make_forgeries, measure_padding

KEY = bytes(range(16))


@pytest.mark.parametrize("is_right", [True, False])
def test_padding_of_each_length_is_as_right_as_was_asked_for(is_right: bool) -> None:
    lengths = set()
    for record in make_forgeries(KEY, is_right=is_right):
        cipher = Cipher(algorithms.AES(KEY), modes.CBC(record.fragment[:16]))
        padded = cipher.decryptor().update(record.fragment[16:])
        length = padded[-1]
        lengths.add(length)
        assert padded.endswith(bytes((length,)) * (length + 1)) is is_right
    assert lengths == set(range(0 if is_right else 1, 256))


@pytest.mark.parametrize("is_right", [True, False])
def test_no_forged_record_opens(is_right: bool) -> None:
    opener = CbcOpener(KEY, bytes(32), b"", encrypt_then_mac=False)
    assert not any(map(opener.open, make_forgeries(KEY, is_right=is_right)))


def test_both_kinds_are_timed() -> None:
    times = measure_padding(10)
    assert times.count == 10
    assert min(times.right_us, times.wrong_us) > 0


def test_difference_has_no_sign() -> None:
    assert PaddingTimes(1, 2.0, 3.5).apart_us == PaddingTimes(1, 3.5, 2.0).apart_us == 1.5
