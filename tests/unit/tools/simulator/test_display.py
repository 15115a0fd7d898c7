from rich.console import Console

from tests.support.reporting import device, started
from tools.simulator.display import LiveLine, build_table, build_times, describe_failure, describe_progress
from tools.simulator.events import GaveUp, Registered, Updated

PLACE = ("rd", "x")


def test_progress_is_one_line_with_what_stands():
    plain, secure = device("a"), device("b", b"k" * 16)
    report = started(plain, secure)
    report.record(plain, Registered(PLACE, 0.1, 0.1))
    report.record(plain, Updated(0.1))
    report.record(secure, GaveUp("handshaking", "no answer"))
    line = describe_progress(report, 7.0)
    assert "coap 1/1 registered" in line
    assert "1 updates" in line
    assert "coaps 0/1 registered" in line
    assert "1 gave up" in line
    assert "\n" not in line


def test_failure_is_one_line_with_the_commonest_reasons():
    devices = [device(str(number)) for number in range(6)]
    report = started(*devices)
    for one, reason in zip(devices, ["4.03", "4.03", "4.00", "4.12", "5.00", "5.03"], strict=True):
        report.record(one, GaveUp("registering", reason))
    line = describe_failure(report)
    assert line.startswith("6 of 6 devices are not registered: 2 × registering: 4.03")
    assert line.endswith("and 2 other reasons")


def test_tables_hold_a_row_for_each_scheme_and_time():
    plain = device("a")
    report = started(plain)
    report.record(plain, Registered(PLACE, 0.010, 0.010))
    console = Console(width=120, record=True, quiet=True)
    console.print(build_table(report, 1.0), build_times(report))
    assert build_table(report, 1.0).row_count == 1
    assert build_times(report).row_count == 2


def test_live_line_is_silent_where_there_is_no_terminal(capsys):
    report = started(device())
    with LiveLine(report, Console(stderr=True, force_terminal=False)) as line:
        line.update(1.0)
    assert capsys.readouterr().err == ""


def test_live_line_is_drawn_on_a_terminal(capsys):
    report = started(device())
    with LiveLine(report, Console(stderr=True, force_terminal=True, width=100)) as line:
        line.update(1.0)
    assert "coap 0/1 registered" in capsys.readouterr().err
