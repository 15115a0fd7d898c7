"""The import format: what is read, what is refused and why, and the file of generated secrets."""

from __future__ import annotations

import io
import os
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import RowFault
from registry.model import Created, Device, NewDevice, Security
from tests.support.certificates import make, spki_of
from tools.admin.border import Refused
from tools.admin.csvformat import Content, LineFault, Row, open_secrets_file, parse, read_content

HEADER = b"node_id,security,secret,timeout\n"
SECRET = bytes(range(16))


def read(data: bytes) -> tuple[list[Row], list[str]]:
    faults: list[LineFault] = []
    rows = list(parse(data, faults))
    return rows, [f"line {fault.number}: {fault.reason}" for fault in faults]


def row(number: int, *values: object) -> Row:
    return Row(number, NewDevice(*values))


def make_created(node_id: str, timeout_s: int) -> Created:
    return Created(Device(0, "d-abcdefghijklmnop", node_id, Security.PSK, timeout_s, 0), SECRET)


def test_every_field_is_read() -> None:
    lines, faults = read(HEADER + f"meter-1,psk,{SECRET.hex()},60\n".encode())
    assert lines == [row(2, "meter-1", Security.PSK, SECRET, 60)]
    assert faults == []


def test_empty_fields_take_the_defaults() -> None:
    assert read(HEADER + b"meter-1,,,\n")[0] == [row(2, "meter-1", Security.PSK, None, 0)]


@pytest.mark.parametrize("data", [b"node_id\nmeter-1\n", b"node_id\nmeter-1", b"timeout,node_id\n,meter-1\n"])
def test_columns_are_optional_and_in_any_order(data: bytes) -> None:
    assert read(data)[0] == [row(2, "meter-1", Security.PSK, None, 0)]


def test_a_short_line_takes_the_defaults_for_the_rest() -> None:
    assert read(HEADER + b"meter-1,none\n")[0] == [row(2, "meter-1", Security.NONE, None, 0)]


def test_byte_order_mark_windows_line_ends_and_empty_lines_are_tolerated() -> None:
    data = b"\xef\xbb\xbf" + (HEADER + b"meter-1,none,,\n\nmeter-2,none,,\n").replace(b"\n", b"\r\n")
    lines, faults = read(data)
    assert [(line.number, line.device.node_id) for line in lines] == [(2, "meter-1"), (4, "meter-2")]
    assert faults == []


def test_quotes_hold_commas() -> None:
    assert read(HEADER + b'"a,b",none,,\n')[0][0].device.node_id == "a,b"


def test_header_alone_is_no_device_and_no_fault() -> None:
    assert read(HEADER) == ([], [])


def test_certificates_and_public_keys_are_read_from_files_beside_the_table(tmp_path: Path) -> None:
    device = make("meter-1")
    (tmp_path / "meter-1.pem").write_bytes(device.pem)
    (tmp_path / "meter-2.der").write_bytes(spki_of(device))
    table = tmp_path / "fleet.csv"
    table.write_text(
        "node_id,security,certificate,public_key\nmeter-1,x509,meter-1.pem,\nmeter-2,rpk,,meter-2.der\n"
        "meter-3,x509,,\nmeter-4,rpk,,\nmeter-5,x509,none.pem,\nmeter-6,psk,meter-1.pem,\n"
    )
    content = read_content(str(table))
    assert [line.device for line in content.rows] == [
        NewDevice("meter-1", Security.X509, certificate=device.der),
        NewDevice("meter-2", Security.RPK, public_key=spki_of(device)),
        NewDevice("meter-3", Security.X509),
    ]
    assert not content.needs_secrets
    assert [(fault.number, fault.reason) for fault in content.faults] == [
        (5, "a device with security rpk proves itself by its public key; give it"),
        (6, f"{tmp_path / 'none.pem'}: cannot be read: No such file or directory"),
        (
            7,
            f"{tmp_path / 'meter-1.pem'}: the certificate names meter-1, not meter-6; "
            "its CN or SAN must be the node ID",
        ),
    ]


def test_line_with_the_same_fault_as_an_earlier_one_names_it() -> None:
    content = Content("f", [row(2, "a"), row(7, "b")], [])
    assert content.locate([RowFault(1, "its key stands here", 0)]) == [
        LineFault(7, "its key stands here, on line 2")
    ]


def test_lines_that_need_a_secret_say_so() -> None:
    lines, _ = read(HEADER + f"a,psk,,\nb,none,,\nc,psk,{SECRET.hex()},\n".encode())
    assert [line.needs_secret for line in lines] == [True, False, False]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", None),
        (" ,psk,,", None),
        (",psk,,", "the node ID is empty"),
        (f"{'x' * 129},psk,,", "the node ID has 129 bytes"),
        ("a\x07b,psk,,", "control character"),
        ("d-abcdefghijklmnop,psk,,", "form of a device ID"),
        ("a,tls,,", "security 'tls' is not known; write one of none, psk, x509, rpk"),
        ("a,PSK,,", "security 'PSK' is not known"),
        ("a,psk,xyz,", "the secret is not hex"),
        ("a,psk,abc,", "the secret is not hex"),
        ("a,psk,00,", "the secret has 1 bytes; 8 to 64"),
        (f"a,psk,{'00' * 65},", "the secret has 65 bytes; 8 to 64"),
        (f"a,none,{'00' * 16},", "a device with security none has no secret"),
        ("a,psk,,-1", "the timeout -1 is negative"),
        ("a,psk,,1.5", "the timeout '1.5' is not a whole number"),
        ("a,psk,,1_0", "the timeout '1_0' is not a whole number"),
        ("a,psk,,9999999999", "the timeout 9999999999 is above"),
        ("a,psk,,,", "5 fields under 4 columns"),
    ],
)
def test_bad_line_is_named_with_its_reason(line: str, reason: str | None) -> None:
    _, faults = read(HEADER + b"good,none,,\n" + line.encode() + b"\n")
    if reason is None:
        assert faults == []
    else:
        assert len(faults) == 1
        assert faults[0].startswith("line 3: ")
        assert reason in faults[0]


def test_no_fault_repeats_a_secret() -> None:
    _, faults = read(HEADER + b"a,psk,deadbeef,\nb,psk,deadbeefzz,\nc,none,deadbeef,\n")
    assert len(faults) == 3
    assert not [fault for fault in faults if "deadbeef" in fault]


def test_second_line_of_the_same_node_id_names_the_first() -> None:
    lines, faults = read(HEADER + b"a,none,,\nb,none,,\na,psk,,\n")
    assert faults == ["line 4: node ID a stands on line 2 already"]
    assert [line.device.node_id for line in lines] == ["a", "b"]


def test_all_bad_lines_are_named() -> None:
    _, faults = read(HEADER + b"a,psk,zz,\nb,none,,\nc,,,-1\n,,,\n")
    assert [fault.partition(":")[0] for fault in faults] == ["line 2", "line 4", "line 5"]


def test_line_after_a_field_of_two_lines_is_counted_as_the_file_has_it() -> None:
    _, faults = read(HEADER + b'"a\nb",none,,\nc,psk,zz,\n')
    assert [fault.partition(":")[0] for fault in faults] == ["line 2", "line 4"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (b"meter-1,psk,,\n", "no column node_id"),
        (b"node_id;security\n", "no column node_id, separated by commas"),
        (b"node_id,colour\n", "unknown column 'colour'"),
        (b"node_id,secret,secret\n", "a column stands there twice"),
    ],
)
def test_bad_header_is_the_only_fault(data: bytes, reason: str) -> None:
    lines, faults = read(data + b"zz,zz,zz,zz,zz\n" * bool(data.strip(b"\xef\xbb\xbf")))
    assert lines == []
    assert len(faults) == 1
    assert faults[0].startswith("line 1: ")
    assert reason in faults[0]


def test_text_that_is_not_utf8_names_its_line() -> None:
    assert read(HEADER + b"a,none,,\n\xff,none,,\n")[1] == ["line 3: not UTF-8; save the file as “CSV UTF-8”"]


def test_broken_quotes_name_their_line() -> None:
    _, faults = read(HEADER + b'a,none,,\n"b"x,none,,\n')
    assert faults[0].startswith("line 3: not CSV: ")


@given(st.binary(max_size=200))
def test_any_bytes_give_lines_or_faults(tail: bytes) -> None:
    lines, faults = read(HEADER + tail)
    assert all(fault.startswith("line ") for fault in faults)
    assert len({line.device.node_id for line in lines}) == len(lines)


def test_dash_reads_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(HEADER + b"a,none,,\nb,psk,zz,\n")))
    content = read_content("-")
    assert content.title == "stdin"
    assert [row.device.node_id for row in content.rows] == ["a"]
    assert [fault.number for fault in content.faults] == [3]


def test_file_is_called_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(HEADER)
    assert read_content(str(file)) == Content(str(file), [], [])


def test_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_content(str(tmp_path / "none.csv"))


def test_faults_of_the_registry_are_found_on_their_lines() -> None:
    content = Content("a.csv", [row(2, "a"), row(5, "b")], [])
    assert content.locate([RowFault(1, "exists already")]) == [LineFault(5, "exists already")]


def test_secrets_are_written_in_the_import_format_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "secrets.csv"
    before = os.umask(0)
    try:
        with open_secrets_file(path) as file:
            file.write([make_created('a,"b', 60)])
            on_disk = path.read_bytes()
    finally:
        os.umask(before)
    assert on_disk == path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lines, faults = read(path.read_bytes())
    assert faults == []
    assert [(line.device.node_id, line.device.secret, line.device.timeout_s) for line in lines] == [
        ('a,"b', SECRET, 60)
    ]


def test_secrets_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "secrets.csv"
    path.write_text("precious")
    with pytest.raises(Refused, match="is there already"), open_secrets_file(path):
        raise AssertionError
    assert path.read_text() == "precious"


def test_secrets_file_is_taken_away_when_the_import_fails(tmp_path: Path) -> None:
    path = tmp_path / "secrets.csv"

    def fail() -> None:
        with open_secrets_file(path) as file:
            file.write([])
            assert path.exists()
            raise ValueError("disk full")

    with pytest.raises(ValueError, match="disk full"):
        fail()
    assert not path.exists()


def test_secrets_file_in_a_missing_folder_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), open_secrets_file(tmp_path / "none" / "secrets.csv"):
        raise AssertionError
