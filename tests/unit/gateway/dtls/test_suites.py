"""The table of cipher suites."""

import pytest

from gateway.dtls import suites
from gateway.dtls.contexts import RecentContexts
from gateway.dtls.errors import LocalProtocolError
from gateway.dtls.suites import DEFAULT_SUITES, PREFERRED_SUITES, SUITES, KeyExchange, Suite, by_name

AEAD_ROWS = [suite for suite in SUITES.values() if not suite.is_cbc]
CBC_ROWS = [suite for suite in SUITES.values() if suite.is_cbc]
GCM = SUITES[0x00A8]


def named(suite: Suite) -> str:
    return suite.name


def test_numbers_and_names_are_those_of_iana() -> None:
    assert {suite.id: suite.name for suite in SUITES.values()} == {
        0x00A8: "TLS_PSK_WITH_AES_128_GCM_SHA256",
        0x00AE: "TLS_PSK_WITH_AES_128_CBC_SHA256",
        0xC023: "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
        0xC02B: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        0xC037: "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256",
        0xC0A4: "TLS_PSK_WITH_AES_128_CCM",
        0xC0A8: "TLS_PSK_WITH_AES_128_CCM_8",
        0xC0AC: "TLS_ECDHE_ECDSA_WITH_AES_128_CCM",
        0xC0AE: "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8",
        0xD001: "TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256",
        0xD003: "TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256",
    }
    assert all(number == suite.id for number, suite in SUITES.items())


def test_names_lead_to_suites() -> None:
    assert by_name("TLS_PSK_WITH_AES_128_CCM_8") is SUITES[0xC0A8]
    assert by_name("TLS_RSA_WITH_NULL_MD5") is None


def test_ccm_8_is_preferred() -> None:
    assert DEFAULT_SUITES == (0xC0A8, 0xC0A4, 0x00A8)


def test_names_say_what_the_rows_say() -> None:
    for suite in SUITES.values():
        assert suite.name.startswith(f"TLS_{suite.key_exchange.value}_WITH_AES_128_")
        assert ("_CBC_" in suite.name) == suite.is_cbc
        assert ("CCM_8" in suite.name) == (suite.tag_bytes == 8)


def test_preference_puts_psk_before_certificates_and_cbc_last() -> None:
    rows = [SUITES[number] for number in PREFERRED_SUITES]
    assert set(PREFERRED_SUITES) == set(SUITES)
    assert [suite.is_cbc for suite in rows] == sorted(suite.is_cbc for suite in rows)
    order = {KeyExchange.ECDHE_PSK: 0, KeyExchange.PSK: 1, KeyExchange.ECDHE_ECDSA: 2}
    families = [order[suite.key_exchange] for suite in rows]
    assert families[: len(AEAD_ROWS)] == sorted(families[: len(AEAD_ROWS)])
    assert families[len(AEAD_ROWS) :] == sorted(families[len(AEAD_ROWS) :])


def test_key_exchanges_say_what_they_need() -> None:
    needs = {
        exchange: (exchange.has_psk, exchange.is_ephemeral, exchange.has_certificates)
        for exchange in KeyExchange
    }
    assert needs == {
        KeyExchange.PSK: (True, False, False),
        KeyExchange.ECDHE_PSK: (True, True, False),
        KeyExchange.ECDHE_ECDSA: (False, True, True),
    }


@pytest.mark.parametrize("suite", AEAD_ROWS, ids=named)
def test_tag_is_as_long_as_the_row_says(suite: Suite) -> None:
    cipher = suite.aead(bytes(suite.key_bytes))
    nonce = bytes(suite.iv_bytes + suite.explicit_nonce_bytes)
    sealed = cipher.encrypt(nonce, b"content", b"header")
    assert len(sealed) == len(b"content") + suite.tag_bytes
    assert cipher.decrypt(nonce, sealed, b"header") == b"content"


@pytest.mark.parametrize("suite", CBC_ROWS, ids=named)
def test_cbc_suites_have_no_aead(suite: Suite) -> None:
    assert (suite.tag_bytes, suite.iv_bytes, suite.explicit_nonce_bytes, suite.mac_bytes) == (32, 0, 16, 32)
    with pytest.raises(LocalProtocolError):
        suite.aead(bytes(16))


def test_gcm_makes_its_context_when_first_used_and_again_after_a_release(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recent = RecentContexts(9)
    monkeypatch.setattr(suites, "RECENT", recent)
    cipher = GCM.aead(b"k" * 16)
    assert len(recent) == 0
    sealed = cipher.encrypt(bytes(12), b"content", b"")
    assert cipher.decrypt(bytes(12), sealed, b"") == b"content"
    assert len(recent) == 1
    cipher.release()  # type: ignore[attr-defined]
    assert cipher.decrypt(bytes(12), sealed, b"") == b"content"
    assert len(recent) == 2
    monkeypatch.setattr(suites, "RECENT", RecentContexts(0))
    cipher = GCM.aead(b"k" * 16)
    assert cipher.decrypt(bytes(12), cipher.encrypt(bytes(12), b"content", b""), b"") == b"content"
