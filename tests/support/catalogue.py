"""The negative catalogue: its cases in a few words each, and which tests bear their names.

A test names its case first: ``test_A1_…``. What broke where, and how, is told in the tests.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.support.sources import ROOT

DOCUMENT = ROOT / "docs" / "security.md"
BEGIN, END = "<!-- catalogue: begin -->\n", "<!-- catalogue: end -->\n"

THEMES = {
    "A": "cookies and hellos",
    "B": "parsing",
    "C": "fragments and order",
    "D": "record protection",
    "E": "identity and resources",
    "F": "CoAP",
}

CASES = {
    "A1": "a hello without cookie leaves nothing, and gets no more than it brought",
    "A2": "a cookie of another address, random or offer",
    "A3": "cookies of any wrong length",
    "A4": "a resumption that becomes a full handshake",
    "A5": "no way into a handshake around the cookie",
    "A6": "what an unverified address gets",
    "A7": "cookies of secrets long gone",
    "A8": "a forged hello from a live peer's address",
    "A9": "a rebooted device at its old address",
    "A10": "floods of hellos with right cookies",
    "A11": "failed handshakes give their place back",
    "A12": "failed certificate handshakes harm nobody later",
    "A13": "a hello in pieces",
    "A14": "a hello that is not alone in its datagram",
    "A15": "versions that we do not speak",
    "A16": "messages of servers, sent to the server",
    "B1": "lengths of the suite list",
    "B2": "lengths and repetitions of extensions",
    "B3": "session ids and compressions that cannot be",
    "B4": "identities of any length and content",
    "B5": "points that are no shares",
    "B6": "signatures that prove nothing",
    "B7": "Certificate messages that hold none, many, or something else",
    "B8": "a server's messages cut off at every byte",
    "B9": "record lengths, and datagrams of a few bytes",
    "B10": "alerts of other lengths, levels and numbers",
    "B11": "ChangeCipherSpec with another content",
    "B12": "lengths of connection IDs",
    "B13": "fragment lengths and record size limits",
    "B14": "server names",
    "B15": "signature schemes, groups and point formats",
    "C1": "empty fragments without end",
    "C2": "a length announced and never sent",
    "C3": "fragments that disagree about their message",
    "C4": "fragments that overlap, or reach beyond",
    "C5": "message numbers far ahead",
    "C6": "records before their key",
    "C7": "messages across a change of keys",
    "C8": "Certificate, key exchange and proof out of order",
    "C9": "no certificate where one is asked for",
    "C10": "a certificate without its key",
    "C11": "ChangeCipherSpec and Finished at the wrong time",
    "C12": "a Finished in clear",
    "C13": "a Finished that is wrong",
    "C14": "complete only after both Finished",
    "C15": "another hello amid a handshake",
    "C16": "handshake messages after the Finished",
    "C17": "renegotiation",
    "C18": "our last flight is lost",
    "C19": "retransmission ends",
    "C20": "an answer of the owner that comes too late",
    "D1": "application data in clear",
    "D2": "application data before the Finished",
    "D3": "alerts in clear against a session",
    "D4": "replays, at every edge of the window",
    "D5": "forged numbers do not move the window",
    "D6": "forged epochs",
    "D7": "a forged record from a new address",
    "D8": "moves of address: newest only, and little until confirmed",
    "D9": "record types against what was negotiated",
    "D10": "what the padding of a connection ID record hides",
    "D11": "every bit of a record is authenticated",
    "D12": "records too short, and empty ones",
    "D13": "a nonce is used once",
    "D14": "record numbers that are used up",
    "D15": "forged records without end",
    "D16": "CBC: nothing tells one wrong record from another",
    "D17": "records after the end of a session",
    "D18": "a restored state older than the wire",
    "D19": "several records in a datagram",
    "D20": "another version within a session",
    "E1": "an unknown identity looks like a wrong key",
    "E2": "our own messages, reflected",
    "E3": "what a resumption must agree with",
    "E4": "failed resumptions leave nothing",
    "E5": "a resumed session has a new connection ID",
    "E6": "a key taken back ends its sessions",
    "E7": "two devices with one identity",
    "E8": "what is random, is",
    "E9": "stored state that was changed or cut",
    "E10": "faults of those whom the engine asks",
    "E11": "certificates that no device may come with",
    "E12": "no answer to alerts, nor to strangers",
    "E13": "connection IDs guessed or of another node",
    "E14": "memory under half-open handshakes and idle peers",
    "F1": "a request again: answered again, done once",
    "F2": "token lengths that cannot be",
    "F3": "options and payloads cut off",
    "F4": "critical options that nobody knows",
    "F5": "Block1 with gaps, overlaps and false sizes",
    "F6": "Block1 transfers that are mixed up",
    "F7": "an answer from another session",
    "F8": "notifications that nobody waits for",
    "F9": "empty messages that are not empty",
    "F10": "pings",
    "F11": "proxy options and multicast",
    "F12": "message ids used up",
    "F13": "floods of notifications",
    "F14": "Echo without end",
}

NOT_BUILT: dict[str, str] = {}
"Case → what it is about. What a decoder alone can judge of it may be tested already."

_NAME = re.compile(r"test_([A-F]\d+)_")


def case_of(test: str) -> str | None:
    """The case that a test bears the name of, given the name of its function."""
    match = _NAME.match(test)
    return match[1] if match else None


@cache
def catalogue_tests() -> dict[str, list[str]]:
    """Case → the tests that bear its name, as ``path:function``."""
    found: dict[str, list[str]] = {}
    for path, function in test_functions():
        case = case_of(function.name)
        if case:
            found.setdefault(case, []).append(f"{path}:{function.name}")
    return found


def test_functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Path and tree of every test function."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path.relative_to(ROOT).as_posix(), node


def where(case: str) -> str:
    """The files in which a case is tested, with how many tests each has of it."""
    files: dict[str, int] = {}
    for test in catalogue_tests().get(case, ()):
        name = Path(test.partition(":")[0]).name
        files[name] = files.get(name, 0) + 1
    return ", ".join(f"`{name}` {count}" for name, count in files.items())


def documented() -> dict[str, tuple[str, str, str]]:
    """Case → words, tests and result, as the table in the document has them."""
    table = DOCUMENT.read_text("utf-8").split(BEGIN)[1].split(END)[0]
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in table.splitlines()]
    return {row[0]: (row[1], row[2], row[3]) for row in rows if row[0] in CASES}


test_functions.__test__ = False  # type: ignore[attr-defined] # It finds tests and is none.
