"""The CSV format of ``nodegate device import``: reading, checking, and writing generated secrets.

A header of `COLUMNS`, all but the first optional, then a device a line; an empty field takes its default.
Certificates and public keys are named by their files. Knows files, lines and what a device may be; opens
no registry.
"""

from __future__ import annotations

import csv
import io
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from registry.errors import InvalidValue, RowFault
from registry.identifiers import parse_secret
from registry.model import Created, NewDevice, Security
from registry.newcomers import check_new_device
from registry.sqlite import sync_directory
from tools.admin.border import Refused
from tools.admin.credentials import read_certificate, read_public_key

SECRET_COLUMNS = ("node_id", "security", "secret", "timeout")
COLUMNS = (*SECRET_COLUMNS, "certificate", "public_key")
_HERE = Path()
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class LineFault:
    """Why a line cannot be imported."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """A good line of the file."""

    number: int
    "Where it begins, counted from 1, the header included."

    device: NewDevice

    @property
    def needs_secret(self) -> bool:
        """Whether a secret has to be made for it."""
        return self.device.security is Security.PSK and self.device.secret is None


@dataclass(frozen=True, slots=True)
class Content:
    """A file as it was read."""

    title: str
    "What messages call it."

    rows: Sequence[Row]
    faults: Sequence[LineFault]

    @property
    def needs_secrets(self) -> bool:
        """Whether a secret has to be made for any line."""
        return any(row.needs_secret for row in self.rows)

    def locate(self, faults: Iterable[RowFault]) -> list[LineFault]:
        """The lines of rows that the registry refused."""
        return [LineFault(self.rows[fault.index].number, self._explain(fault)) for fault in faults]

    def _explain(self, fault: RowFault) -> str:
        if fault.earlier is None:
            return fault.reason
        return f"{fault.reason}, on line {self.rows[fault.earlier].number}"


def read_content(name: str) -> Content:
    """Read the file *name*; ``-`` is stdin. Files that it names lie beside it.

    Raises:
        OSError: the file cannot be read.
    """
    data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    folder = Path() if name == "-" else Path(name).parent
    faults: list[LineFault] = []
    return Content("stdin" if name == "-" else name, list(parse(data, faults, folder)), faults)


def parse(data: bytes, faults: list[LineFault], folder: Path = _HERE) -> Iterator[Row]:
    """The good lines of *data*; why the others are not is put into *faults*.

    Relative names of files count from *folder*.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        faults.append(LineFault(number, "not UTF-8; save the file as “CSV UTF-8”"))
        return
    records = _read_records(text, faults)
    _, header = next(records, (1, []))
    columns = [name.strip() for name in header]
    problem = _find_fault_of_header(columns)
    if problem:
        faults.append(LineFault(1, problem))
        return
    first_lines: dict[str, int] = {}
    for number, record in records:
        try:
            device = _read_device(columns, record, folder)
            earlier = first_lines.setdefault(device.node_id, number)
            if earlier != number:
                raise InvalidValue(f"node ID {device.node_id} stands on line {earlier} already")
        except InvalidValue as error:
            faults.append(LineFault(number, str(error)))
        else:
            yield Row(number, device)


def _read_records(text: str, faults: list[LineFault]) -> Iterator[tuple[int, list[str]]]:
    """Records with the line each begins on; empty lines are passed over."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        number = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            faults.append(LineFault(number, f"not CSV: {error}; the lines behind it were not read"))
            return
        if record:
            yield number, record


def _find_fault_of_header(columns: Sequence[str]) -> str | None:
    expected = f"the header is {','.join(COLUMNS)}, all but the first optional"
    if not columns:
        return f"the file is empty; {expected}"
    if "node_id" not in columns:
        return f"no column node_id, separated by commas; {expected}"
    unknown = [column for column in columns if column not in COLUMNS]
    if unknown:
        return f"unknown column {unknown[0]!r}; {expected}"
    if len(set(columns)) != len(columns):
        return f"a column stands there twice; {expected}"
    return None


def _read_device(columns: Sequence[str], record: Sequence[str], folder: Path) -> NewDevice:
    if len(record) > len(columns):
        raise InvalidValue(
            f"{len(record)} fields under {len(columns)} columns; put text with a comma in quotes"
        )
    fields = dict(zip(columns, record, strict=False))
    node_id = fields["node_id"]
    secret, certificate, public_key = (
        fields.get(column, "").strip() for column in ("secret", "certificate", "public_key")
    )
    device = NewDevice(
        node_id,
        _read_security(fields.get("security", "").strip()),
        parse_secret(secret) if secret else None,
        _read_timeout(fields.get("timeout", "").strip()),
        read_certificate(folder / certificate, node_id) if certificate else None,
        read_public_key(folder / public_key) if public_key else None,
    )
    check_new_device(device)
    return device


def _read_security(text: str) -> Security:
    if not text:
        return Security.PSK
    try:
        return Security(text)
    except ValueError:
        kinds = ", ".join(Security)
        raise InvalidValue(f"security {text!r} is not known; write one of {kinds}") from None


def _read_timeout(text: str) -> int:
    if not text:
        return 0
    if not _WHOLE_NUMBER.fullmatch(text):
        raise InvalidValue(f"the timeout {text!r} is not a whole number of seconds")
    return int(text)


@contextmanager
def open_secrets_file(path: Path) -> Iterator[SecretsFile]:
    """A new file for generated secrets, for its owner alone; taken away again if the block fails.

    Raises:
        Refused: it is there already: it may hold the only copy of other secrets.
        OSError: it cannot be made.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise Refused(f"{path} is there already and may hold secrets; name a new file") from None
    is_needed = False
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            yield SecretsFile(file, path)
        is_needed = True
    finally:
        if not is_needed:
            path.unlink(missing_ok=True)


class SecretsFile:
    """Generated secrets in the import format, so that a simulator or a production line can read them."""

    def __init__(self, file: io.TextIOWrapper, path: Path) -> None:
        self._file = file
        self._path = path

    def write(self, devices: Iterable[Created]) -> None:
        """Write *devices*, and wait until they lie on the disk."""
        writer = csv.writer(self._file, lineterminator="\n")
        writer.writerow(SECRET_COLUMNS)
        for created in devices:
            assert created.secret is not None
            device = created.device
            writer.writerow((device.node_id, device.security.value, created.secret.hex(), device.timeout_s))
        self._file.flush()
        os.fsync(self._file.fileno())
        sync_directory(self._path.absolute().parent)
