"""The table of cipher suites."""

import pytest

from gateway.dtls.suites import DEFAULT_SUITES, SUITES, KeyExchange, by_name


def test_numbers_and_names_are_those_of_iana() -> None:
    assert {suite.id: suite.name for suite in SUITES.values()} == {
        0xC0A8: "TLS_PSK_WITH_AES_128_CCM_8",
        0xC0A4: "TLS_PSK_WITH_AES_128_CCM",
        0x00A8: "TLS_PSK_WITH_AES_128_GCM_SHA256",
    }
    assert all(number == suite.id for number, suite in SUITES.items())


def test_names_lead_to_suites() -> None:
    assert by_name("TLS_PSK_WITH_AES_128_CCM_8") is SUITES[0xC0A8]
    assert by_name("TLS_RSA_WITH_NULL_MD5") is None


def test_ccm_8_is_preferred() -> None:
    assert DEFAULT_SUITES == (0xC0A8, 0xC0A4, 0x00A8)


@pytest.mark.parametrize("number", SUITES)
def test_tag_is_as_long_as_the_row_says(number: int) -> None:
    suite = SUITES[number]
    assert suite.key_exchange is KeyExchange.PSK
    cipher = suite.aead(bytes(suite.key_bytes))
    nonce = bytes(suite.iv_bytes + suite.explicit_nonce_bytes)
    sealed = cipher.encrypt(nonce, b"content", b"header")
    assert len(sealed) == len(b"content") + suite.tag_bytes
    assert cipher.decrypt(nonce, sealed, b"header") == b"content"
