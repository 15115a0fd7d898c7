"""``nodegate device`` with certificates and public keys, and ``nodegate server-key``."""

from __future__ import annotations

import base64
from hashlib import sha256
from pathlib import Path

import pytest

from registry.serverkey import note_chain
from registry.sqlite import Database
from tests.support.certificates import DAY_S, Issued, authority, make, spki_of
from tests.support.command import Answer, Nodegate


@pytest.fixture
def nodegate(tmp_path: Path) -> Nodegate:
    return Nodegate(tmp_path)


def make_current(name: str) -> Issued:
    return make(name, not_before_s=-20_000 * DAY_S, not_after_s=80_000 * DAY_S)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "meter-1.pem").write_bytes(make_current("meter-1").pem)
    (tmp_path / "meter-1.der").write_bytes(spki_of(make("meter-1")))
    return tmp_path


def create(nodegate: Nodegate, node_id: str, security: str, *options: str) -> Answer:
    return nodegate("device", "create", node_id, "--security", security, *options)


def test_device_with_a_certificate_of_any_trusted_ca(nodegate: Nodegate) -> None:
    created = create(nodegate, "meter-1", "x509", "--json").json
    assert (created["security"], created["secret"]) == ("x509", None)
    shown = nodegate("device", "show", "meter-1", "--json").json
    assert (shown["certificate_sha256"], shown["public_key_sha256"]) == (None, None)
    [listed] = nodegate("device", "list", "--security", "x509", "--json").json
    assert listed["node_id"] == "meter-1"


def test_device_with_a_pinned_certificate(nodegate: Nodegate) -> None:
    device = make_current("meter-1")
    path = nodegate.folder / "meter-1.pem"
    path.write_bytes(device.pem)
    assert create(nodegate, "meter-1", "x509", "--certificate", str(path), "--json").json["secret"] is None
    digest = sha256(device.der).hexdigest()
    assert nodegate("device", "show", "meter-1", "--json").json["certificate_sha256"] == digest
    [listed] = nodegate("device", "list", "--json").json
    assert listed["certificate_sha256"] == digest
    assert digest in nodegate("device", "show", "meter-1").out


def test_pinned_certificate_that_has_expired_is_told_of_at_once(nodegate: Nodegate) -> None:
    path = nodegate.folder / "old.pem"
    path.write_bytes(make("meter-1", not_before_s=-20_000 * DAY_S, not_after_s=-15_000 * DAY_S).pem)
    answer = create(nodegate, "meter-1", "x509", "--certificate", str(path))
    assert answer.status == 0
    assert answer.err == "nodegate: meter-1 was created, but cannot come today: its certificate has expired\n"


def test_public_key_belongs_to_one_device_at_a_time(nodegate: Nodegate, files: Path) -> None:
    key = files / "meter-1.der"
    assert create(nodegate, "meter-1", "rpk", "--public-key", str(key), "--json").json["security"] == "rpk"
    shown = nodegate("device", "show", "meter-1", "--json").json
    assert shown["public_key_sha256"] == sha256(key.read_bytes()).hexdigest()
    fault = create(nodegate, "meter-2", "rpk", "--public-key", str(key)).fault
    assert fault == "meter-1 has this public key already; each device needs its own"
    nodegate("device", "delete", "meter-1", "--yes")
    assert create(nodegate, "meter-2", "rpk", "--public-key", str(key)).status == 0


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (("rpk",), "--security rpk needs --public-key FILE"),
        (("rpk", "--public-key", "none"), "none: cannot be read: No such file or directory"),
        (("rpk", "--public-key", "meter-1.pem"), "no public key, or one that cannot be read"),
        (("psk", "--certificate", "meter-1.pem"), "a device with security psk has no certificate"),
        (("x509", "--public-key", "meter-1.der"), "a device with security x509 has no public key"),
        (("x509", "--certificate", "meter-1.der"), "no certificate, or one that cannot be read"),
        (("x509", "--secret", "00" * 16), "a device with security x509 has no secret"),
    ],
)
def test_credentials_that_do_not_fit_are_refused(
    nodegate: Nodegate, files: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], fault: str
) -> None:
    monkeypatch.chdir(files)
    assert fault in create(nodegate, "meter-1", *options).fault
    assert nodegate("device", "list", "--json").out == "[]\n"


def test_certificate_and_key_have_no_secret_to_reset(nodegate: Nodegate, files: Path) -> None:
    create(nodegate, "a", "x509")
    create(nodegate, "b", "rpk", "--public-key", str(files / "meter-1.der"))
    assert nodegate("device", "reset-secret", "a").fault == "a has no secret: its security is x509"
    assert nodegate("device", "reset-secret", "b").fault == "b has no secret: its security is rpk"


def test_import_names_credentials_by_files_beside_the_table(nodegate: Nodegate, files: Path) -> None:
    table = files / "fleet.csv"
    table.write_text(
        "node_id,security,certificate,public_key\nmeter-1,x509,meter-1.pem,\nmeter-2,rpk,,meter-1.der\n"
    )
    answer = nodegate("device", "import", str(table), "--json").json
    assert [(one["security"], one["secret"]) for one in answer["devices"]] == [("x509", None), ("rpk", None)]


def test_import_with_one_key_for_two_devices_names_the_line(nodegate: Nodegate, files: Path) -> None:
    create(nodegate, "there", "rpk", "--public-key", str(files / "meter-1.der"))
    (files / "other.der").write_bytes(spki_of(make()))
    table = files / "fleet.csv"
    table.write_text("node_id,security,public_key\na,rpk,meter-1.der\nb,rpk,other.der\nc,rpk,other.der\n")
    answer = nodegate("device", "import", str(table))
    assert answer.status == 1
    assert answer.err.splitlines() == [
        f"nodegate: {table}, line 2: there has this public key already; each device needs its own",
        f"nodegate: {table}, line 4: its public key stands in this import already, on line 3",
        "nodegate: nothing was imported",
    ]


# The gateway's own key


def test_server_key_is_made_once_and_is_the_same_ever_after(nodegate: Nodegate) -> None:
    shown = nodegate("server-key", "show", "--json").json
    assert list(shown) == ["public_key", "sha256", "certificate"]
    lines = shown["public_key"].splitlines()
    assert (lines[0], lines[-1]) == ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----")
    assert shown["sha256"] == sha256(base64.b64decode("".join(lines[1:-1]))).hexdigest()
    assert shown["certificate"].startswith("-----BEGIN CERTIFICATE-----")
    assert nodegate("server-key", "show", "--json").json == shown
    text = nodegate("server-key", "show").out
    assert shown["sha256"] in text
    assert shown["public_key"] + shown["certificate"] in text


def test_server_key_is_sealed(nodegate: Nodegate) -> None:
    nodegate("server-key", "show")
    assert b"PRIVATE KEY" not in nodegate.database.read_bytes()
    (nodegate.folder / "nodegate.db.key").unlink()
    assert "their key is missing" in nodegate("device", "create", "meter-1").fault


def test_chain_that_the_gateway_shows_is_told_instead(nodegate: Nodegate) -> None:
    server = authority().issue("gateway.example")
    with Database.open(nodegate.database) as database:
        note_chain(database, server.pem)
    shown = nodegate("server-key", "show", "--json").json
    assert shown["certificate"] == server.pem.decode()
    assert shown["sha256"] == sha256(spki_of(server)).hexdigest()
