"""Foreign clients with certificates and raw public keys register at a gateway with a certificate of a CA."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.support.certificates import NOW, Issued, alternative_names, authority, make, new_key
from tests.support.foreign import (
    LINKS,
    Gateway,
    Program,
    register_datagram,
    register_query,
    require,
    require_folder,
    run_nodegate,
    started_gateway,
)

pytestmark = pytest.mark.interop

TODAY_S = (datetime.now(UTC) - NOW).total_seconds()
DATES = {"not_before_s": TODAY_S - 86_400, "not_after_s": TODAY_S + 86_400 * 100}
ACK_CREATED = rb"\x61\x41\x12\x34\xb2\x82rd"
POOL = 40
RAW = "raw-00"


@dataclass
class Place:
    """A gateway with a certificate, the CA of everybody, and a folder for files of clients."""

    gateway: Gateway
    ca: Issued
    folder: Path
    certified: list[str]
    "Devices that no test has used."

    @property
    def ca_file(self) -> str:
        return str(self.folder / "cas" / "ca.pem")

    def write(self, name: str, issued: Issued) -> tuple[str, str]:
        """Certificate and key of *issued*, in PEM; in DER beside them. The first two as arguments."""
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(issued.pem)
        (self.folder / f"{name}.der").write_bytes(issued.der)
        key.touch(0o600)
        key.write_bytes(issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        (self.folder / f"{name}.key.der").write_bytes(
            issued.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        )
        return str(certificate), str(key)

    def new_device(self) -> tuple[str, str, str]:
        """Node ID, certificate file and key file of a device that may come."""
        node_id = self.certified.pop()
        return node_id, *self.write(node_id, self.ca.issue(node_id, **DATES))


def _raw_device(folder: Path, node_id: str) -> str:
    """Make a bare key in PEM (SEC 1), and its public key; gives a line of an import."""
    key = new_key()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / f"{node_id}.pub").write_bytes(public)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    (folder / f"{node_id}.key").write_bytes(private)
    return f"{node_id},rpk,{node_id}.pub"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("certified")
    (folder / "cas").mkdir()
    ca = authority(**DATES)
    (folder / "cas" / "ca.pem").write_bytes(ca.pem)
    names = alternative_names(x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1")))
    settings = {
        "certificate_file": folder / "gateway.pem",
        "private_key_file": folder / "gateway.key",
        "trust_dir": folder / "cas",
    }
    certified = [f"certified-{number:02}" for number in range(POOL)]
    table = folder / "certified.csv"
    rows = [*(f"{node_id},x509," for node_id in certified), _raw_device(folder, RAW)]
    table.write_text("\n".join(["node_id,security,public_key", *rows, ""]))
    run_nodegate("device", "import", str(table), "--db", f"sqlite:///{folder / 'nodegate.db'}")
    place = Place(Gateway(folder, []), ca, folder, certified)
    place.write("gateway", ca.issue("localhost", extensions=[names], **DATES))
    flags = [word for key, path in settings.items() for word in ("--set", f"dtls.{key}={path}")]
    with started_gateway(folder, *flags) as gateway:
        place.gateway = gateway
        yield place


OPENSSL_SUITES = (
    "ECDHE-ECDSA-AES128-CCM8",
    "ECDHE-ECDSA-AES128-CCM",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES128-SHA256",
)


def _s_client(place: Place, certificate: str, key: str, *more: str) -> Program:
    target = f"{place.gateway.host}:{place.gateway.coaps_port}"
    return Program(
        [
            require("openssl"), "s_client", "-dtls1_2", "-connect", target, "-cert", certificate, "-key", key,
            "-CAfile", place.ca_file, "-verify_return_error", "-brief", "-nocommands", *more,
        ]
    )  # fmt: skip


@pytest.mark.parametrize("more", [(), ("-mtu", "256")], ids=["", "small datagrams"])
@pytest.mark.parametrize("suite", OPENSSL_SUITES)
def test_s_client_registers_with_a_certificate(place: Place, suite: str, more: tuple[str, ...]) -> None:
    node_id, certificate, key = place.new_device()
    with _s_client(place, certificate, key, "-cipher", f"{suite}:@SECLEVEL=0", *more) as client:
        client.say(register_datagram(node_id))
        client.expect(b"Verification: OK")
        client.expect(ACK_CREATED)
    assert place.gateway.wait_until_online(node_id)


def test_s_client_with_a_certificate_of_a_stranger_is_told_and_the_operator_knows_why(place: Place) -> None:
    node_id, _, _ = place.new_device()
    with _s_client(place, *place.write("stranger", make(node_id, **DATES))) as client:
        client.expect(b"alert unknown ca")
    refused = place.gateway.wait_for(node_id, lambda shown: shown["refused"])["refused"]
    assert refused[-1]["reason"] == "DTLS handshake failed: issuer is not trusted"


@pytest.mark.parametrize("flavour", ["openssl", "gnutls"])
def test_libcoap_registers_with_a_certificate(place: Place, flavour: str) -> None:
    node_id, certificate, key = place.new_device()
    uri = f"{place.gateway.coaps}/rd?{register_query(node_id)}"
    command = [require(f"coap-client-{flavour}"), "-B", "6", "-v", "6", "-m", "post", "-t", "40", "-e", LINKS]
    with Program([*command, "-c", certificate, "-j", key, "-R", place.ca_file, uri]) as client:
        client.expect(rb"(ACK|CON) c:2\.01")
    assert place.gateway.wait_until_online(node_id)


def test_libcoap_registers_with_a_raw_public_key(place: Place) -> None:
    uri = f"{place.gateway.coaps}/rd?{register_query(RAW)}"
    command = [require("coap-client-gnutls"), "-B", "6", "-v", "6", "-m", "post", "-t", "40", "-e", LINKS]
    with Program([*command, "-M", str(place.folder / f"{RAW}.key"), uri]) as client:
        client.expect(rb"(ACK|CON) c:2\.01")
    assert place.gateway.wait_until_online(RAW)


MBEDTLS_SUITES = ("CCM-8", "CCM", "GCM-SHA256", "CBC-SHA256")


@pytest.mark.parametrize("suite", MBEDTLS_SUITES)
def test_ssl_client2_shakes_hands_with_a_certificate_and_a_connection_id(place: Place, suite: str) -> None:
    _, certificate, key = place.new_device()
    command = [require("ssl_client2"), "dtls=1", "cid=1", "read_timeout=2000", "server_name=localhost"]
    command += [f"server_addr={place.gateway.host}", f"server_port={place.gateway.coaps_port}"]
    command += [f"ca_file={place.ca_file}", f"crt_file={certificate}", f"key_file={key}"]
    with Program([*command, f"force_ciphersuite=TLS-ECDHE-ECDSA-WITH-AES-128-{suite}"]) as client:
        client.expect(rb"Verifying peer X\.509 certificate\.\.\. ok")
        client.expect(rb"Peer CID \(length 8")


@pytest.mark.parametrize("suite", ["0xC0AE", "0xC02B", "0xC023"])
def test_anjay_registers_with_a_certificate_and_comes_back_on_its_connection_id(
    place: Place, suite: str
) -> None:
    node_id, _, _ = place.new_device()
    uri = f"coaps://localhost:{place.gateway.coaps_port}"
    command = [require("demo"), "-e", node_id, "-u", uri, "-s", "cert", "-l", "120", "--use-connection-id"]
    command += ["-C", str(place.folder / f"{node_id}.der"), "-K", str(place.folder / f"{node_id}.key.der")]
    command += ["-P", str(place.folder / "gateway.der"), "--ciphersuites", suite]
    with Program(command) as client:
        client.expect(rb"negotiated CID = ")
        client.expect(rb"registration successful, location = /rd/")
        client.say(b"send-update 0\n")
        client.expect(rb"registration successfully updated")
    assert place.gateway.wait_until_online(node_id)


def test_californium_registers_with_a_raw_public_key_once_it_is_known(place: Place, tmp_path: Path) -> None:
    jars = require_folder("californium", "a client on Californium with its jars in lib/") / "lib" / "*"
    key = tmp_path / "device.key"
    command = [require("java"), "-cp", str(jars), "Client", place.gateway.coaps, "rpk", str(key)]
    node_id = "raw-01"
    register = f"POST /rd?{register_query(node_id)} 40 {LINKS}\n".encode()
    with Program(command) as client:
        client.say(register)
        spki = bytes.fromhex(client.expect(rb"rpk ([0-9a-f]+)")[1].decode())
        client.expect(rb"CERTIFICATE_UNKNOWN")
    public = tmp_path / "device.pub"
    public.write_bytes(spki)
    place.gateway.create(node_id, "--security", "rpk", "--public-key", str(public))
    answer = b""
    while not answer.startswith(b"2.01"):
        # Until the gateway has noticed what the command line did.
        with Program(command) as client:
            client.say(register)
            answer = client.expect(rb"2\.01|CERTIFICATE_UNKNOWN")[0]
    assert place.gateway.wait_until_online(node_id)


def test_pion_with_a_certificate_of_its_own_making_is_told(place: Place) -> None:
    pion = require_folder("pion", "a sender on pion/dtls") / "pion"
    target = f"{place.gateway.host}:{place.gateway.coaps_port}"
    with Program([str(pion), "-to", target, "-hex", register_datagram("nobody").hex()]) as client:
        assert re.search("Alert Fatal", client.finish())
