"""What peers hear of a refused credential."""

from __future__ import annotations

from gateway.dtls.refusal import CredentialFault, CredentialRefusal


def test_every_fault_has_one_of_the_alerts_that_devices_are_told() -> None:
    assert {fault.alert.value for fault in CredentialFault} == {40, 42, 43, 45, 46, 48, 51}


def test_alerts_fit_the_faults() -> None:
    expected = {
        CredentialFault.MISSING: 40,
        CredentialFault.MALFORMED: 42,
        CredentialFault.IS_CA: 43,
        CredentialFault.KEY_TYPE: 43,
        CredentialFault.RAW_KEY_TYPE: 43,
        CredentialFault.EXPIRED: 45,
        CredentialFault.NOT_YET_VALID: 45,
        CredentialFault.NO_DEVICE: 46,
        CredentialFault.NOT_PINNED: 48,
        CredentialFault.UNKNOWN_CA: 48,
        CredentialFault.NOT_PROVED: 51,
    }
    assert {fault: fault.alert.value for fault in expected} == expected


def test_words_for_the_operator_are_all_different() -> None:
    assert len({str(fault) for fault in CredentialFault}) == len(CredentialFault)


def test_refusal_has_the_alert_of_its_fault() -> None:
    refusal = CredentialRefusal(CredentialFault.UNKNOWN_CA)
    assert refusal.alert.value == 48
    assert refusal.names == ()
