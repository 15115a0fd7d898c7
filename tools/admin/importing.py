"""The CSV format of ``nodegate device import``: reading, checking, and writing generated secrets.

A header ``node_id,security,secret,timeout``, the last three optional, then a device a line; an empty
field takes its default. Knows files and lines; does not touch the registry.
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

from gateway.visible import visible
from registry.errors import InvalidValue
from registry.identifiers import check_node_id, check_timeout, parse_secret
from registry.model import Security
from registry.sqlite import sync_directory
from tools.admin.border import Refused

COLUMNS = ("node_id", "security", "secret", "timeout")
WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Line:
    """A good line of the file."""

    number: int
    "Where it begins, counted from 1, the header included."

    node_id: str
    security: Security
    secret: bytes | None
    "None: one has to be made, or none is needed."

    timeout_s: int

    @property
    def needs_secret(self) -> bool:
        """Whether a secret has to be made for it."""
        return self.security is Security.PSK and self.secret is None


def read_lines(name: str) -> list[Line]:
    """Every device of the file *name*; ``-`` is stdin.

    Raises:
        Refused: with a line for each bad line, and nothing else done.
        OSError: the file cannot be read.
    """
    data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    title = "stdin" if name == "-" else name
    faults: list[str] = []
    lines = [line for line in parse(data, faults) if line is not None]
    if faults:
        raise Refused(*(f"{title}, {fault}" for fault in faults), "nothing was imported")
    return lines


def parse(data: bytes, faults: list[str]) -> Iterator[Line | None]:
    """Read the format; a bad line is None and says why in *faults* (``line 3: …``)."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        faults.append(f"line {number}: not UTF-8; save the file as “CSV UTF-8”")
        return
    records = _read_records(text, faults)
    _, header = next(records, (1, []))
    columns = [name.strip() for name in header]
    problem = _find_fault_of_header(columns)
    if problem:
        faults.append(f"line 1: {problem}")
        return
    first_lines: dict[str, int] = {}
    for number, record in records:
        try:
            line = _read_line(number, columns, record)
            earlier = first_lines.setdefault(line.node_id, number)
            if earlier != number:
                raise InvalidValue(f"node ID {line.node_id!r} stands on line {earlier} already")
        except InvalidValue as error:
            faults.append(f"line {number}: {error}")
            yield None
        else:
            yield line


def _read_records(text: str, faults: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Records with the line each begins on; empty lines are passed over."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        number = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            faults.append(f"line {number}: not CSV: {error}; the lines behind it were not read")
            return
        if record:
            yield number, record


def _find_fault_of_header(columns: Sequence[str]) -> str | None:
    expected = f"the header is {','.join(COLUMNS)}, the last three optional"
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


def _read_line(number: int, columns: Sequence[str], record: Sequence[str]) -> Line:
    if len(record) > len(columns):
        raise InvalidValue(
            f"{len(record)} fields under {len(columns)} columns; put text with a comma in quotes"
        )
    fields = dict(zip(columns, record, strict=False))
    node_id = fields.get("node_id", "")
    check_node_id(node_id)
    security = _read_security(fields.get("security", "").strip())
    secret = fields.get("secret", "").strip()
    if secret and security is not Security.PSK:
        raise InvalidValue(f"a device with security {security} has no secret; leave the field empty")
    return Line(
        number,
        node_id,
        security,
        parse_secret(secret) if secret else None,
        _read_timeout(fields.get("timeout", "").strip()),
    )


def _read_security(text: str) -> Security:
    if not text:
        return Security.PSK
    try:
        return Security(text)
    except ValueError:
        kinds = " or ".join(Security)
        raise InvalidValue(f"security {text!r} is not known; write {kinds}") from None


def _read_timeout(text: str) -> int:
    if not text:
        return 0
    if not WHOLE_NUMBER.fullmatch(text):
        raise InvalidValue(f"the timeout {text!r} is not a whole number of seconds")
    check_timeout(int(text))
    return int(text)


@contextmanager
def secrets_file(path: Path) -> Iterator[SecretsFile]:
    """A new file for generated secrets, for its owner alone; taken away again if the block fails.

    Raises:
        Refused: it is there already: it may hold the only copy of other secrets.
        OSError: it cannot be made.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise Refused(f"{path} is there already and may hold secrets; name a new file") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            yield SecretsFile(file, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


class SecretsFile:
    """Generated secrets in the import format, so that a simulator or a production line can read them."""

    def __init__(self, file: io.TextIOWrapper, path: Path) -> None:
        self._file = file
        self._path = path

    def write(self, lines: Iterable[Line]) -> None:
        """Write *lines*, secrets filled in, and wait until they lie on the disk."""
        writer = csv.writer(self._file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for line in lines:
            assert line.secret is not None
            writer.writerow((line.node_id, line.security.value, line.secret.hex(), line.timeout_s))
        self._file.flush()
        os.fsync(self._file.fileno())
        sync_directory(self._path.parent)
