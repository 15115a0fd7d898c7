"""Addresses as text and back."""

from __future__ import annotations

import pytest

from gateway.address import Address


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (Address("192.0.2.1", 5683), "192.0.2.1:5683"),
        (Address("2001:db8::1", 5684), "[2001:db8::1]:5684"),
        (Address("fe80::1", 5684, 3), "[fe80::1%3]:5684"),
    ],
)
def test_address_is_read_as_it_is_written(address: Address, text: str) -> None:
    assert str(address) == text
    assert Address.parse(text) == address
