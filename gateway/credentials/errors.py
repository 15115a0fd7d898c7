"""What is wrong with the files of certificates and keys, for the operator."""

from __future__ import annotations


class CredentialError(Exception):
    """One line: what, where, what to do."""
