from array import array

import pytest

from tests.support.reporting import device, started
from tools.simulator.events import (
    AttemptFailed,
    Deregistered,
    Ended,
    GaveUp,
    HandshakeDone,
    Rebooted,
    Registered,
    Sent,
    SessionLost,
    Updated,
)
from tools.simulator.report import percentile, summarize

PLACE = ("rd", "x")


def test_report_is_settled_once_each_device_registered_or_gave_up():
    first, second = device("a"), device("b", b"k" * 16)
    report = started(first, second)
    assert report.undecided == 2
    report.record(first, Registered(PLACE, 0.1, 0.2))
    assert (report.is_settled, report.is_success, report.undecided) == (False, False, 1)
    report.record(second, GaveUp("handshaking", "no answer"))
    assert (report.is_settled, report.is_success) == (True, False)


def test_device_that_gives_up_later_spoils_the_success():
    one = device()
    report = started(one)
    report.record(one, Registered(PLACE, 0.1, 0.1))
    assert report.is_success
    report.record(one, GaveUp("registering", "4.03"))
    assert not report.is_success


def test_second_register_of_a_device_does_not_count_as_another_device():
    one = device()
    report = started(one)
    for _ in range(2):
        report.record(one, Registered(PLACE, 0.1, 0.1))
    tally = report.tallies["coap"]
    assert (tally.registered, tally.registers, len(tally.total_s)) == (1, 2, 1)


def test_result_names_schemes_times_and_failures():
    plain, secure = device("a"), device("b", b"k" * 16)
    report = started(plain, secure)
    for one, event in (
        (plain, Registered(PLACE, 0.010, 0.020)),
        (plain, Updated(0.005)),
        (plain, SessionLost("x")),
        (plain, Deregistered()),
        (plain, Ended()),
        (secure, HandshakeDone(0.030)),
        (secure, AttemptFailed("registering", "4.03")),
        (secure, GaveUp("registering", "4.03")),
    ):
        report.record(one, event)
    result = report.as_dict(1.23456)
    assert (result["count"], result["registered"], result["failed"], result["duration_s"]) == (2, 1, 1, 1.235)
    assert result["failures"] == [
        {"node_id": "b", "scheme": "coaps", "stage": "registering", "reason": "4.03"}
    ]
    coap, coaps = result["schemes"]["coap"], result["schemes"]["coaps"]
    assert coap["register"] == {"count": 1, "min_ms": 10.0, "median_ms": 10.0, "p95_ms": 10.0, "max_ms": 10.0}
    assert coap["total"]["max_ms"] == 20.0
    assert (coap["updates"], coap["deregistered"], coap["sessions_lost"], coap["handshake"]) == (
        1,
        1,
        1,
        None,
    )
    assert (coaps["failed_attempts"], coaps["handshake"]["max_ms"], coaps["register"]) == (1, 30.0, None)


def test_undecided_devices_have_failed_when_it_is_over():
    one, never = device("a"), device("b")
    report = started(one)
    report.expect("b", "coap")
    report.record(one, AttemptFailed("registering", "4.03"))
    report.close({"a": "handshaking"})
    assert [(failure.node_id, failure.stage, failure.reason) for failure in report.failures] == [
        ("a", "handshaking", "interrupted, last registering: 4.03"),
        (never.settings.node_id, "not started", "interrupted"),
    ]
    assert report.tallies["coap"].failed == 2


@pytest.mark.parametrize(("percent", "expected"), [(50, 50), (95, 95), (100, 100), (1, 1), (0, 1)])
def test_percentiles_are_values_that_occurred(percent, expected):
    assert percentile([float(value) for value in range(1, 101)], percent) == expected


def test_nothing_measured_is_no_summary():
    assert summarize(array("d")) is None


def test_sends_and_reboots_are_counted():
    one = device()
    report = started(one)
    for event in (Registered(PLACE, 0.1, 0.1), Sent(0.1), Sent(0.1), Rebooted()):
        report.record(one, event)
    schemes = report.as_dict(1.0)["schemes"]
    assert (schemes["coap"]["sends"], schemes["coap"]["reboots"]) == (2, 1)
