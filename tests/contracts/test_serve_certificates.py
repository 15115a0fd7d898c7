"""``nodegate serve`` with certificates: what stops the start, what SIGHUP does (docs/operations)."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from gateway.dtls.client import Client
from gateway.dtls.credential import Credential
from gateway.dtls.events import ClientEstablished, ClientFailed
from gateway.dtls.extensions import CertificateType
from gateway.dtls.settings import ClientConfig
from registry.model import NewDevice, Security
from tests.support.certificates import (
    NOW,
    Issued,
    alternative_names,
    authority,
    credential_of,
    make,
    spki_of,
    write_pair,
)
from tests.support.command import run_nodegate
from tests.support.serving import CLEAN, DEADLINE_S, Serving, import_devices, serving

TODAY_S = (datetime.now(UTC) - NOW).total_seconds()
DAY_S = 86_400
LASTING = {"not_before_s": TODAY_S - DAY_S, "not_after_s": TODAY_S + 100 * DAY_S}
CA = authority(**LASTING)


class Files:
    """A certificate with its key, and a trust folder."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "nodegate.db"
        self.folder, self.trust = folder, folder / "cas"
        self.trust.mkdir()
        (self.trust / "ca.pem").write_bytes(CA.pem)
        self.write(CA.issue("gateway", **LASTING))

    def write(self, server: Issued) -> None:
        self.certificate, self.key = write_pair(self.folder, server)

    @property
    def flags(self) -> tuple[str, ...]:
        named = {
            "certificate_file": self.certificate,
            "private_key_file": self.key,
            "trust_dir": self.trust,
        }
        return tuple(word for key, path in named.items() for word in ("--set", f"dtls.{key}={path}"))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def spoil_key(files: Files) -> None:
    files.write(make("other"))
    files.certificate.write_bytes(CA.issue("gateway").pem)


START_REFUSALS: dict[str, tuple[Callable[[Files], object], str]] = {
    "key of another certificate": (spoil_key, "the private key does not fit the certificate"),
    "no certificate": (lambda files: files.certificate.unlink(), "server.pem: cannot be used: No such file"),
    "no key": (lambda files: files.key.unlink(), "server.key: cannot be used: No such file"),
    "key for everybody": (lambda files: files.key.chmod(0o644), "group or others can read it (mode 0644)"),
    "no certificate in it": (lambda files: files.certificate.write_text("x"), "give a PEM chain"),
    "no key in it": (lambda files: files.key.write_text("x"), "give an unencrypted PEM key"),
    "no trust folder": (
        lambda files: files.trust.rename(files.trust.with_name("away")),
        "cas: cannot be read: No such file or directory",
    ),
}


@pytest.mark.parametrize("case", START_REFUSALS)
def test_start_is_refused_in_one_line(files: Files, case: str) -> None:
    spoil, reason = START_REFUSALS[case]
    spoil(files)
    words = ("serve", "--db", f"sqlite:///{files.database}", "--coap-port", "0", "--coaps-port", "0")
    assert reason in run_nodegate(*words, *files.flags, environment=CLEAN).fault


def test_certificate_without_its_key_and_unknown_suite_are_refused(files: Files) -> None:
    words = ("serve", "--db", f"sqlite:///{files.database}")
    fault = run_nodegate(*words, *files.flags[:2], environment=CLEAN).fault
    assert "dtls.certificate_file is set and dtls.private_key_file is not" in fault
    suite = ("--set", "dtls.suites=TLS_PSK_WITH_AES_128_CCM_9")
    fault = run_nodegate(*words, *suite, environment=CLEAN).fault
    assert "no cipher suite 'TLS_PSK_WITH_AES_128_CCM_9'" in fault
    assert "did you mean TLS_PSK_WITH_AES_128_CCM_8?" in fault


class Visit:
    """One handshake over loopback, and what the gateway showed in it."""

    def __init__(self, gateway: Serving, credential: Credential, mtu_bytes: int = 1200) -> None:
        kind = CertificateType.X509 if credential.chain else CertificateType.RAW_PUBLIC_KEY
        self.shown: tuple[bytes, ...] = ()
        self.failed = False
        config = ClientConfig(
            suites=(0xC0AE,),
            credential=credential,
            client_certificate_types=(kind,),
            server_certificate_types=(kind,),
            is_trusted=self._note,
            mtu_bytes=mtu_bytes,
        )
        client = Client(config, os.urandom)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", gateway.port("coaps")))
            self.is_established = self._shake(client, sock)

    def _note(self, kind: CertificateType, shown: tuple[bytes, ...]) -> bool:
        self.shown = shown
        return True

    def _shake(self, client: Client, sock: socket.socket) -> bool:
        deadline = time.monotonic() + DEADLINE_S
        client.start(time.monotonic())
        while time.monotonic() < deadline:
            for datagram in client.datagrams_to_send():
                sock.send(datagram)
            if select.select([sock], [], [], 0.2)[0]:
                events = client.receive_datagram(sock.recv(4096), time.monotonic())
            else:
                events = client.handle_timer(time.monotonic())
            if any(isinstance(event, ClientEstablished | ClientFailed) for event in events):
                return client.is_established
        raise AssertionError("no end of the handshake")


def test_devices_with_certificates_and_keys_come_and_the_certificate_is_replaced_on_sighup(
    files: Files,
) -> None:
    device, raw = CA.issue("meter-1", **LASTING), make()
    import_devices(
        files.database,
        [
            NewDevice("meter-1", Security.X509),
            NewDevice("meter-2", Security.RPK, public_key=spki_of(raw)),
        ],
    )
    renewed = CA.issue("gateway", **LASTING)
    with serving(files.database, *files.flags) as gateway:
        first = Visit(gateway, credential_of(device))
        assert first.is_established
        key = Credential(raw.key, spki_of(raw))
        assert Visit(gateway, key).is_established
        assert not Visit(gateway, credential_of(make("meter-1", **LASTING))).is_established
        files.write(renewed)
        gateway.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + DEADLINE_S
        while (shown := Visit(gateway, credential_of(device)).shown) == first.shown:
            assert time.monotonic() < deadline
        assert shown == (renewed.der,)
        answer = run_nodegate(
            "server-key", "show", "--json", "--db", f"sqlite:///{files.database}", environment=CLEAN
        )
        assert answer.json["certificate"] == renewed.pem.decode()
        status, err = gateway.stop()
        assert status == 0
        assert "Traceback" not in err


def test_chain_of_nearly_8_kb_may_come_in_one_datagram(files: Files) -> None:
    # Networks take datagrams apart that are longer than they carry, and clients of Mbed TLS count on that.
    filler = alternative_names(*(x509.DNSName(f"{number}.{'x' * 60}.example") for number in range(33)))
    between = CA.issue("between", extensions=((x509.BasicConstraints(True, None), True), filler), **LASTING)
    last = between.issue("last", extensions=((x509.BasicConstraints(True, None), True), filler), **LASTING)
    device = last.issue("meter-1", extensions=(filler,), **LASTING)
    chain = credential_of(device, last, between)
    assert 8_000 < sum(map(len, chain.chain)) <= 8_192
    import_devices(files.database, [NewDevice("meter-1", Security.X509)])
    with serving(files.database, *files.flags) as gateway:
        assert Visit(gateway, chain, mtu_bytes=16_384).is_established
        assert Visit(gateway, chain).is_established
        _, err = gateway.stop()
    # A client that had to repeat its flight would have cut it smaller.
    assert "dropped_too_long" not in err


def test_gateway_without_a_certificate_shows_its_own_key_ever_the_same(files: Files) -> None:
    device = make()
    import_devices(files.database, [NewDevice("meter-2", Security.RPK, public_key=spki_of(device))])
    key = Credential(device.key, spki_of(device))
    shown = set()
    for _ in range(2):
        with serving(files.database) as gateway:
            visit = Visit(gateway, key)
            assert visit.is_established
            shown.add(visit.shown)
            # Without files to read again, the signal is no reason to end.
            gateway.process.send_signal(signal.SIGHUP)
            assert Visit(gateway, key).is_established
            assert gateway.stop()[0] == 0
    assert len(shown) == 1


def test_certificate_that_runs_out_is_warned_of_at_the_start(files: Files) -> None:
    files.write(CA.issue("gateway", not_before_s=TODAY_S - DAY_S, not_after_s=TODAY_S + 10.5 * DAY_S))
    (files.trust / "bad.pem").write_text("nonsense")
    with serving(files.database, *files.flags) as gateway:
        _, err = gateway.stop()
    assert "the server certificate expires in 10 days" in err
    assert f"{files.trust}/bad.pem: skipped" in err
