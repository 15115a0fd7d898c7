"""The foreign clients of the matrix: what each can be told, how it is told, and what it then prints.

A driver connects, sends `QUESTION` and waits for the answer to show in what the client prints; to
resume, it does so twice. Which suite and which sizes it came to is judged on the server's side.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gateway.dtls.suites import SUITES
from tests.interop.matrix.row import CID_BOTH, CID_SENT, ETM, MTE, NO_CID, PSK, RPK, X509, Abilities, Row
from tests.support.certificates import Issued, authority
from tests.support.dtls_server import ANSWER
from tests.support.foreign import DEADLINE_S, Program, require, require_folder

IDENTITY = "urn:imei:490154203237518"
KEY = bytes(range(0x30, 0x40))
QUESTION = b"question of a foreign client\n"
GET = bytes.fromhex("4101123401b474657374")
"A confirmable GET of /test (RFC 7252), for those that carry CoAP."


@dataclass(frozen=True)
class Material:
    """Certificates and keys, also as files."""

    folder: Path
    ca: Issued
    gateway: Issued
    device: Issued

    @classmethod
    def make(cls, folder: Path) -> Material:
        """All of it new."""
        ca = authority()
        made = cls(folder, ca, ca.issue("gateway"), ca.issue("device-1"))
        key = made.device.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public, spki = made.device.key.public_key(), PublicFormat.SubjectPublicKeyInfo
        for name, content in (
            ("device.pem", made.device.pem + ca.pem),
            ("device.key", key),
            ("device.pub", public.public_bytes(Encoding.PEM, spki)),
            ("device.spki", public.public_bytes(Encoding.DER, spki)),
            ("ca.pem", ca.pem),
            ("identity", IDENTITY.encode()),
            ("psk", KEY),
        ):
            (folder / name).write_bytes(content)
        return made

    def path(self, name: str) -> str:
        """Of one of the files."""
        return str(self.folder / name)


@dataclass(frozen=True)
class Task:
    """What a driver is to do."""

    row: Row
    host: str
    port: int
    suite: str
    "By the client's own name."

    material: Material


@dataclass(frozen=True)
class Stack:
    """A foreign client."""

    name: str
    abilities: Abilities
    drive: Callable[[Task], None]
    shows_own_credential: bool = False
    "It makes its certificate or key itself, and cannot be given one."

    fixed_port: int = 0
    "The only one that it can be told to send to."


def openssl(task: Task) -> None:
    """`openssl s_client`; a session is kept in a file between two runs."""
    row, material = task.row, task.material
    command = [
        require("openssl"),
        "s_client",
        "-dtls1_2",
        "-connect",
        f"{task.host}:{task.port}",
        "-nocommands",
    ]
    # CCM_8 counts as 64 bits of strength: only security level 0 has it.
    command += ["-cipher", f"{task.suite}:@SECLEVEL=0", "-no_ticket", "-brief"]
    if row.authentication == PSK:
        command += ["-psk_identity", IDENTITY, "-psk", KEY.hex()]
    else:
        command += ["-cert", material.path("device.pem"), "-key", material.path("device.key")]
        command += ["-CAfile", material.path("ca.pem"), "-verify_return_error"]
    command += ["-no_etm"] if row.protection == MTE else []
    if row.mtu_bytes:
        command += ["-mtu", str(row.mtu_bytes)]
    runs = [["-sess_out", material.path("session")], ["-sess_in", material.path("session")]]
    for more in runs if row.is_resumed else [[]]:
        with Program(command + more) as client:
            client.say(QUESTION)
            client.expect(QUESTION.strip())
            client.close_input()
            client.finish()


_GNUTLS_CIPHERS = {
    "CCM_8": "+AES-128-CCM-8:+AEAD",
    "CCM": "+AES-128-CCM:+AEAD",
    "GCM": "+AES-128-GCM:+AEAD",
    "CBC": "+AES-128-CBC:+SHA256",
}


def gnutls(task: Task) -> None:
    """`gnutls-cli`; resumes by itself when told to."""
    row, material = task.row, task.material
    types = "+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK" if row.authentication == RPK else "+CTYPE-X509"
    exchange, cipher = task.suite.split()
    priority = (
        f"NONE:+VERS-DTLS1.2:+COMP-NULL:+GROUP-ALL:+SIGN-ALL:+{exchange}:{_GNUTLS_CIPHERS[cipher]}:{types}"
    )
    priority += ":%NO_ETM" if row.protection == MTE else ""
    command = [require("gnutls-cli"), "--udp", "--insecure", "--priority", priority, "-p", str(task.port)]
    if row.authentication == PSK:
        command += ["--pskusername", IDENTITY, "--pskkey", KEY.hex()]
    elif row.authentication == X509:
        command += [
            "--x509certfile",
            material.path("device.pem"),
            "--x509keyfile",
            material.path("device.key"),
        ]
    else:
        command += ["--rawpkfile", material.path("device.pub"), "--rawpkkeyfile", material.path("device.key")]
    command += ["--mtu", str(row.mtu_bytes)] if row.mtu_bytes else []
    command += ["--resume"] if row.is_resumed else []
    with Program([*command, task.host], terminal=True) as client:
        client.expect(rb"This is a resumed session" if row.is_resumed else rb"Handshake was completed")
        client.say(QUESTION)
        client.expect(QUESTION.strip())


def mbedtls(task: Task) -> None:
    """`ssl_client2` of Mbed TLS, which reconnects by itself when told to."""
    row, material = task.row, task.material
    command = [require("ssl_client2"), f"server_addr={task.host}", f"server_port={task.port}", "dtls=1"]
    command += [f"force_ciphersuite={task.suite}", "read_timeout=5000", "tickets=0", "max_resend=2"]
    if row.authentication == PSK:
        command += [f"psk={KEY.hex()}", f"psk_identity={IDENTITY}"]
    else:
        command += [f"crt_file={material.path('device.pem')}", f"key_file={material.path('device.key')}"]
        command += [f"ca_file={material.path('ca.pem')}", "auth_mode=required", "server_name=gateway"]
    command += (
        [] if row.cid == NO_CID else ["cid=1", "cid_val=" + ("aabbccdd" if row.cid == CID_BOTH else "")]
    )
    command += ["etm=0"] if row.protection == MTE else []
    command += [f"mtu={row.mtu_bytes}"] if row.mtu_bytes else []
    command += ["reconnect=1"] if row.is_resumed else []
    with Program(command, terminal=True) as client:
        for _ in range(1 + row.is_resumed):
            client.expect(rb"Read from server: \d+ bytes read\s+GET ")


def python_mbedtls(task: Task) -> None:
    """The wheel with Mbed TLS in it."""
    tls = pytest.importorskip("mbedtls.tls", reason="python-mbedtls is not there: pip install python-mbedtls")
    configuration = tls.DTLSConfiguration(
        pre_shared_key=(IDENTITY, KEY), ciphers=(task.suite,), validate_certificates=False
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        plain.settimeout(DEADLINE_S)
        plain.connect((task.host, task.port))
        wrapped = tls.ClientContext(configuration).wrap_socket(plain, None)
        wrapped.do_handshake()
        wrapped.send(QUESTION)
        assert _read(tls, wrapped) == QUESTION
        wrapped.shutdown(socket.SHUT_RDWR)


def _read(tls: Any, connection: Any) -> bytes:
    while True:
        # A datagram without application data, such as a repeated Finished, is not an answer.
        with contextlib.suppress(tls.WantReadError):
            return bytes(connection.recv(4096))


def tinydtls(task: Task) -> None:
    """`dtls-client` of tinydtls; what comes before the end of the handshake is lost, so it is asked again."""
    command = [require("dtls-client"), "-c", task.suite, "-o", "-", "-v", "6"]
    command += ["-i", task.material.path("identity"), "-k", task.material.path("psk")]
    with Program([*command, task.host], terminal=True) as client:
        client.expect(rb"Handshake complete")
        client.say(QUESTION)
        client.expect(QUESTION.strip())


def pion(task: Task) -> None:
    """A sender on pion/dtls; shows a certificate that it makes itself."""
    row = task.row
    command = [require("pion"), "-to", f"{task.host}:{task.port}", "-suites", task.suite, "-hex", GET.hex()]
    if row.authentication == PSK:
        command += ["-identity", IDENTITY, "-key", KEY.hex()]
    command += ["-cid", {NO_CID: "-1", CID_SENT: "0", CID_BOTH: "4"}[row.cid]]
    with Program(command) as client:
        client.expect(b"received [0-9a-f]*" + ANSWER.hex().encode())


def wolfssl(task: Task) -> None:
    """A sender on wolfSSL, which connects once more, resumed, when told to."""
    row, material = task.row, task.material
    command = [require("wolfssl-sender"), "-to", f"{task.host}:{task.port}", "-suite", task.suite]
    if row.authentication == PSK:
        command += ["-identity", IDENTITY, "-key", KEY.hex()]
    elif row.authentication == X509:
        command += ["-cert", material.path("device.pem"), "-private", material.path("device.key")]
        command += ["-ca", material.path("ca.pem")]
    else:
        command += ["-rpk", "1", "-cert", material.path("device.spki")]
        command += ["-private", material.path("device.key")]
    command += ["-hex", GET.hex(), "-cid", {NO_CID: "-1", CID_SENT: "0", CID_BOTH: "4"}[row.cid]]
    command += ["-mtu", str(row.mtu_bytes)] if row.mtu_bytes else []
    command += ["-resume", "1"] if row.is_resumed else []
    with Program(command) as client:
        for _ in range(1 + row.is_resumed):
            client.expect(b"received [0-9a-f]*" + ANSWER.hex().encode())


def californium(task: Task) -> None:
    """A client on Scandium; makes its raw public key itself."""
    jars = require_folder("californium", "a client on Californium with its jars in lib/") / "lib" / "*"
    command = [require("java"), "-cp", str(jars), "Client", f"coaps://{task.host}:{task.port}"]
    if task.row.authentication == PSK:
        command += ["psk", IDENTITY, KEY.hex()]
    else:
        command += ["rpk", task.material.path("californium.key")]
    with Program([*command, task.suite]) as client:
        for _ in range(1 + task.row.is_resumed):
            client.say(b"GET /test\n")
            client.expect(rb"2\.05 .*" + ANSWER.hex().encode())
            client.say(b"resume\n")


def _names(style: Callable[[str], str], *numbers: int) -> dict[int, str]:
    """Suite to a client's name of it, made from IANA's."""
    return {number: style(SUITES[number].name) for number in numbers or SUITES}


_MBEDTLS = _names(lambda name: name.removesuffix("_SHA256").replace("_", "-"))
_MBEDTLS |= _names(
    lambda name: name.replace("_", "-"),
    *(n for n in SUITES if SUITES[n].name.endswith(("GCM_SHA256", "CBC_SHA256"))),
)

STACKS = (
    Stack(
        "OpenSSL s_client",
        Abilities(
            {
                0xC0A8: "PSK-AES128-CCM8",
                0xC0A4: "PSK-AES128-CCM",
                0x00A8: "PSK-AES128-GCM-SHA256",
                0x00AE: "PSK-AES128-CBC-SHA256",
                0xC037: "ECDHE-PSK-AES128-CBC-SHA256",
                0xC0AE: "ECDHE-ECDSA-AES128-CCM8",
                0xC0AC: "ECDHE-ECDSA-AES128-CCM",
                0xC02B: "ECDHE-ECDSA-AES128-GCM-SHA256",
                0xC023: "ECDHE-ECDSA-AES128-SHA256",
            },
            cbc=(ETM, MTE),
            resumes=True,
        ),
        openssl,
    ),
    Stack(
        "GnuTLS gnutls-cli",
        Abilities(
            {
                0xC0A8: "PSK CCM_8",
                0xC0A4: "PSK CCM",
                0x00A8: "PSK GCM",
                0x00AE: "PSK CBC",
                0xC0AE: "ECDHE-ECDSA CCM_8",
                0xC0AC: "ECDHE-ECDSA CCM",
                0xC02B: "ECDHE-ECDSA GCM",
                0xC023: "ECDHE-ECDSA CBC",
            },
            certificates=(X509, RPK),
            cbc=(ETM, MTE),
            resumes=True,
        ),
        gnutls,
    ),
    Stack(
        "Mbed TLS ssl_client2",
        Abilities(
            {number: name for number, name in _MBEDTLS.items() if number not in (0xD003, 0xD001)},
            cbc=(ETM, MTE),
            cids=(NO_CID, CID_SENT, CID_BOTH),
            resumes=True,
        ),
        mbedtls,
    ),
    Stack(
        "python-mbedtls",
        Abilities({number: _MBEDTLS[number] for number in (0xC0A8, 0xC0A4, 0x00A8, 0x00AE, 0xC037)}),
        python_mbedtls,
    ),
    Stack(
        "tinydtls dtls-client",
        Abilities(_names(str, 0xC0A8, 0xC0A4, 0xC0AE, 0xC0AC), certificates=(RPK,), mtus=(0,)),
        tinydtls,
        shows_own_credential=True,
        fixed_port=20_220,
    ),
    Stack(
        "pion",
        Abilities(
            {
                0xC0A8: "psk-ccm8",
                0xC0A4: "psk-ccm",
                0x00A8: "psk-gcm",
                0x00AE: "psk-cbc",
                0xC037: "ecdhe-psk-cbc",
                0xC0AE: "ecdhe-ecdsa-ccm8",
                0xC0AC: "ecdhe-ecdsa-ccm",
                0xC02B: "ecdhe-ecdsa-gcm",
            },
            cbc=(MTE,),
            cids=(NO_CID, CID_SENT, CID_BOTH),
            # Under a CBC suite its records with connection ID carry the inner plaintext in the MAC twice.
            cannot=lambda row: SUITES[row.suite].is_cbc and row.cid != NO_CID,
        ),
        pion,
        shows_own_credential=True,
    ),
    Stack(
        "wolfSSL",
        Abilities(
            {
                0xC0A8: "PSK-AES128-CCM-8",
                0xC0A4: "PSK-AES128-CCM",
                0x00A8: "PSK-AES128-GCM-SHA256",
                0x00AE: "PSK-AES128-CBC-SHA256",
                0xD001: "ECDHE-PSK-AES128-GCM-SHA256",
                0xC037: "ECDHE-PSK-AES128-CBC-SHA256",
                0xC0AE: "ECDHE-ECDSA-AES128-CCM-8",
                0xC0AC: "ECDHE-ECDSA-AES128-CCM",
                0xC02B: "ECDHE-ECDSA-AES128-GCM-SHA256",
                0xC023: "ECDHE-ECDSA-AES128-SHA256",
            },
            certificates=(X509, RPK),
            cids=(NO_CID, CID_SENT, CID_BOTH),
            resumes=True,
            # Under a CBC suite it verifies no record without a connection ID once its own carry one.
            cannot=lambda row: SUITES[row.suite].is_cbc and row.cid == CID_SENT,
        ),
        wolfssl,
    ),
    Stack(
        "Californium (Scandium)",
        Abilities(_names(str), certificates=(RPK,), cbc=(MTE,), cids=(CID_SENT,), resumes=True),
        californium,
        shows_own_credential=True,
    ),
)
