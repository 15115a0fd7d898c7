import asyncio
import json
import socket
import threading
from typing import NamedTuple

import pytest

from registry.administration import Administration
from registry.lock import GatewayLock
from registry.sqlite import Database, parse_url
from tests.support.loopback import Accepting
from tools.admin.border import CommandGroup, LateCommand
from tools.simulator import command
from tools.simulator.identities import Identity


class Result(NamedTuple):
    exit_code: int
    stdout: str
    stderr: str


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs ``nodegate simulate`` with arguments; gives its exit status, stdout and stderr."""
    monkeypatch.setattr(command, "_NOTICED_AFTER_S", 0.0)
    group = CommandGroup(name="nodegate")
    group.add_command(LateCommand("simulate", "", "tools.simulator.command"))

    def invoke(*arguments):
        with pytest.raises(SystemExit) as ended:
            group.main(["simulate", *map(str, arguments)], prog_name="nodegate")
        written = capsys.readouterr()
        return Result(ended.value.code, written.out, written.err)

    return invoke


@pytest.fixture
def server():
    """A server in a thread that accepts everything; its URI, itself."""
    loop = asyncio.new_event_loop()
    transport, protocol = loop.run_until_complete(
        loop.create_datagram_endpoint(Accepting, local_addr=("127.0.0.1", 0))
    )
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield f"coap://127.0.0.1:{transport.get_extra_info('sockname')[1]}", protocol
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    transport.close()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


@pytest.fixture
def db(tmp_path):
    return f"sqlite:///{tmp_path / 'registry.db'}"


def test_devices_are_made_and_register(run, server, db):
    uri, protocol = server
    result = run("--server", uri, "--count", 3, "--db", db, "--json")
    assert result.exit_code == 0, result.stderr
    value = json.loads(result.stdout)
    assert (value["count"], value["registered"], value["failed"], value["failures"]) == (3, 3, 0, [])
    assert protocol.requests == ["register"] * 3
    assert result.stderr == (
        f"nodegate: no gateway runs on {db}, where the devices were made; another will not know them\n"
    )
    with Administration(Database.open(db)) as administration:
        assert [view.device.node_id for view in administration.list()] == [
            "sim-000001",
            "sim-000002",
            "sim-000003",
        ]


def test_gateway_on_the_registry_gets_time_to_notice_the_devices(run, server, db):
    Database.open(db).close()
    lock = GatewayLock(parse_url(db))
    try:
        assert run("--server", server[0], "--db", db).stderr == ""
    finally:
        lock.release()


def test_people_get_tables(run, server, db):
    result = run("--server", server[0], "--db", db, "--duration", 0)
    assert result.exit_code == 0
    assert "registered" in result.stdout
    assert "start to registered" in result.stdout


def test_duration_ends_with_deregistration(run, server, db):
    uri, protocol = server
    result = run("--server", uri, "--db", db, "--duration", 0, "--json")
    assert json.loads(result.stdout)["schemes"]["coap"]["deregistered"] == 1
    assert protocol.requests == ["register", "deregister"]


def test_devices_of_a_file_need_no_registry(run, server, tmp_path):
    path = tmp_path / "devices.csv"
    path.write_text("node_id,security,secret\nmeter-1,none,\nmeter-2,none,\nmeter-3,none,\n")
    result = run(
        "--server", server[0], "--devices", path, "--count", 2, "--db", tmp_path / "unused.db", "--json"
    )
    assert result.exit_code == 0
    assert json.loads(result.stdout)["count"] == 2
    assert not (tmp_path / "unused.db").exists()


def test_refused_devices_make_one_line_and_status_one(run, server, tmp_path, monkeypatch):
    uri, protocol = server
    protocol.refused = frozenset({"meter-1"})
    path = tmp_path / "devices.csv"
    path.write_text("node_id,security,secret\nmeter-1,none,\nmeter-2,none,\n")
    monkeypatch.setattr(command, "DeviceSettings", quick_settings)
    result = run("--server", uri, "--devices", path, "--json")
    assert result.exit_code == 1
    assert result.stderr == "nodegate: 1 of 2 devices are not registered: 1 × registering: 4.03\n"
    assert json.loads(result.stdout)["failures"] == [
        {"node_id": "meter-1", "scheme": "coap", "stage": "registering", "reason": "4.03"}
    ]


def quick_settings(**settings):
    from tools.simulator.settings import DeviceSettings

    return DeviceSettings(backoff_s=0.001, **settings)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--server"),
        (("--server", "http://x"), "not of the form"),
        (("--server", "coap://a", "--server", "coap://b"), "only one"),
        (("--server", "coap://a", "--security", "psk"), "coaps://"),
        (("--server", "coaps://a", "--security", "none"), "coap://"),
        (("--server", "coap://a", "--server", "coaps://b", "--count", "1"), "fewer devices than servers"),
        (("--server", "coap://a", "--loss", "1.5"), "--loss"),
        (("--server", "coap://a", "--count", "0"), "--count"),
        (("--server", "coap://a", "--lwm2m", "3.0"), "--lwm2m"),
    ],
)
def test_bad_arguments_are_refused_by_the_parser(run, arguments, words):
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_file_with_devices_for_no_server_is_refused(run, tmp_path):
    path = tmp_path / "devices.csv"
    path.write_text("node_id,security,secret\nmeter-1,psk,00112233445566778899\n")
    result = run("--server", "coap://127.0.0.1", "--devices", path)
    assert result.exit_code == 1
    assert "no server is given for its psk devices, such as meter-1" in result.stderr
    assert run("--server", "coap://127.0.0.1", "--devices", path, "--security", "none").exit_code == 1


def test_bad_file_gives_a_line_for_each_fault(run, tmp_path):
    path = tmp_path / "devices.csv"
    path.write_text("node_id,security,secret\n,none,\nmeter-1,psk,\n")
    result = run("--server", "coap://127.0.0.1", "--devices", path)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 2


def test_name_that_does_not_resolve_is_one_line(run, monkeypatch, db):
    def fail(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    result = run("--server", "coap://nowhere.invalid", "--db", db)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1


def test_big_secure_fleets_start_below_the_limits_of_a_gateway():
    secure = [Identity(str(number), b"k" * 16) for number in range(4001)]
    assert command._default_rate(secure) * 60 < 5000
    assert command._default_rate(secure[:-1]) > 75
    assert command._default_rate([Identity("a")] * 10_000) > 75


def test_help_names_every_option(run):
    result = run("--help")
    for option in (
        "--server",
        "--count",
        "--security",
        "--devices",
        "--duration",
        "--db",
        "--cid",
        "--lifetime",
    ):
        assert option in result.stdout
