"""The files that `dtls.certificate_file` and `dtls.private_key_file` name: read, checked, put together."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from gateway.credentials.errors import CredentialError
from gateway.dtls.certificates import decode_certificates
from gateway.dtls.credential import Credential, decode_private_key, make_credential
from gateway.dtls.errors import DecodeError, LocalProtocolError

MAX_FILE_BYTES = 4 << 20
"Of one file; the certificates of all the world's CAs are a twentieth of it."

_FOR_OTHERS = stat.S_IRGRP | stat.S_IROTH


def load_server_files(certificate_file: Path | None, private_key_file: Path | None) -> Credential | None:
    """What the gateway shows of its two files; None where neither is named.

    Raises:
        CredentialError: one cannot be read or used, they do not belong together, or one is not named.
    """
    if certificate_file is None and private_key_file is None:
        return None
    if certificate_file is None or private_key_file is None:
        given, missing = ("certificate_file", "private_key_file")[:: 1 if certificate_file else -1]
        raise CredentialError(f"dtls.{given} is set and dtls.{missing} is not: a certificate needs its key")
    chain = _decode_chain(certificate_file)
    try:
        key = decode_private_key(_read(private_key_file, "dtls.private_key_file", is_secret=True))
    except DecodeError as error:
        raise CredentialError(
            f"dtls.private_key_file {private_key_file}: {error.what}; "
            "give an unencrypted PEM key on P-256 (PKCS #8 or SEC 1)"
        ) from None
    try:
        return make_credential(key, chain)
    except LocalProtocolError as error:
        raise CredentialError(
            f"dtls.private_key_file {private_key_file}: {error}; "
            f"the first certificate of {certificate_file} and the key must be a pair on P-256"
        ) from None


def read_file(path: Path, *, is_secret: bool = False) -> bytes:
    """What an ordinary file holds.

    Raises:
        OSError: it cannot be read, is no file, is too large, or is a secret that others may read.
    """
    # Without this flag opening a pipe would wait for somebody to write into it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(None, "not a file", str(path))
        if is_secret and status.st_mode & _FOR_OTHERS:
            mode = stat.S_IMODE(status.st_mode)
            raise OSError(None, f"group or others can read it (mode {mode:04o}): chmod 600", str(path))
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise OSError(None, f"larger than {MAX_FILE_BYTES} bytes", str(path))
    return data


def _decode_chain(path: Path) -> tuple[bytes, ...]:
    try:
        return decode_certificates(_read(path, "dtls.certificate_file"))
    except DecodeError as error:
        raise CredentialError(
            f"dtls.certificate_file {path}: {error.what}; give a PEM chain, the gateway's own first"
        ) from None


def _read(path: Path, setting: str, *, is_secret: bool = False) -> bytes:
    try:
        return read_file(path, is_secret=is_secret)
    except OSError as error:
        # Faults of our own finding say themselves what to do.
        remedy = "" if error.errno is None else "; name a file that the gateway may read"
        raise CredentialError(f"{setting} {path}: cannot be used: {error.strerror}{remedy}") from None
