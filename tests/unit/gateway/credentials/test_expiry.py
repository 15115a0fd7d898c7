from gateway.credentials.expiry import find_expiry_fault
from tests.support.certificates import DAY_S, NOW_S, make


def test_certificate_is_told_of_thirty_days_before_it_ends_and_after() -> None:
    long, short = make(not_after_s=100 * DAY_S).der, make(not_after_s=40.5 * DAY_S).der
    assert find_expiry_fault([long, short], NOW_S) is None
    assert find_expiry_fault([long, short], NOW_S + 20 * DAY_S) == "expires in 20 days"
    assert find_expiry_fault([long, short], NOW_S + 41 * DAY_S) == "has expired: devices will refuse it"


def test_no_certificate_cannot_expire() -> None:
    assert find_expiry_fault([], NOW_S) is None
