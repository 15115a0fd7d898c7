from __future__ import annotations

import pytest

from gateway.lwm2m.formats.base64text import decode_base64, encode_url
from gateway.lwm2m.values import Unfit


@pytest.mark.parametrize("text", ["-_8BAgM", "+/8BAgM=", "-_8BAgM=", "+/8BAgM"])
def test_both_alphabets_padded_or_not(text):
    assert decode_base64(text) == bytes.fromhex("fbff010203")


def test_what_is_written_has_no_padding():
    assert encode_url(bytes.fromhex("fbff010203")) == "-_8BAgM"
    assert decode_base64("") == b""


@pytest.mark.parametrize("text", ["A", "AAAAA", "AA=A", "AA===", "A A=", "ä", "A\n==", "===="])
def test_anything_else_is_refused(text):
    with pytest.raises(Unfit):
        decode_base64(text)
