"""The folder that `dtls.trust_dir` names: every CA certificate in it is an anchor.

Reads files; call it off the loop's thread. Whether something has changed is told by names, sizes and times.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

from gateway.credentials.errors import CredentialError
from gateway.credentials.files import read_file
from gateway.dtls.certificates import decode_certificates
from gateway.dtls.errors import DecodeError
from gateway.dtls.trust import TrustAnchors

SUFFIXES = (".pem", ".crt")

_SETTLED_NS = 2_000_000_000
"A file changed later than this before it was read may change again without looking different."

Signature = tuple[tuple[object, ...], ...]


class TrustFolder(NamedTuple):
    """The folder as it was read."""

    anchors: TrustAnchors
    faults: tuple[str, ...] = ()
    "A line for each file that is not taken account of."

    signature: Signature = ()
    "Differs when the folder has changed; empty where that cannot be told yet."


def read_trust_folder(folder: Path) -> TrustFolder:
    """All anchors of *folder*.

    Raises:
        CredentialError: the folder itself cannot be read.
    """
    signature = find_signature(folder)
    certificates: list[bytes] = []
    faults = []
    for path in _list(folder):
        try:
            found = decode_certificates(read_file(path))
        except (OSError, DecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else error.what
            faults.append(f"{path}: skipped: {reason}")
            continue
        certificates += found
        if not len(TrustAnchors(found)):
            faults.append(f"{path}: no CA certificate in it")
    return TrustFolder(TrustAnchors(certificates), tuple(faults), signature)


def find_signature(folder: Path) -> Signature:
    """What tells this state of *folder* from others without reading its files.

    Raises:
        CredentialError: the folder cannot be read.
    """
    entries: list[tuple[object, ...]] = []
    newest_ns = 0
    for path in _list(folder):
        try:
            status = path.stat()
        except OSError as error:
            entries.append((path.name, error.errno))
            continue
        newest_ns = max(newest_ns, status.st_mtime_ns, status.st_ctime_ns)
        entries.append((path.name, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    is_settled = newest_ns + _SETTLED_NS < time.time_ns()
    return (*entries, ("settled",)) if is_settled else ()


def _list(folder: Path) -> list[Path]:
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise CredentialError(
            f"dtls.trust_dir {folder}: cannot be read: {error.strerror}; "
            "name a folder that the gateway may read"
        ) from None
    return [folder / name for name in sorted(names) if name.lower().endswith(SUFFIXES)]
