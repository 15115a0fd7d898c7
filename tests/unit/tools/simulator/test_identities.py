import pytest

from registry.administration import Administration
from registry.model import Security
from registry.sqlite import Database
from tools.simulator.errors import SimulatorError
from tools.simulator.identities import Identity, create_identities, read_identities, split_by_kind


@pytest.fixture
def file(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "devices.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def faults(path):
    with pytest.raises(SimulatorError) as caught:
        read_identities(path)
    return [line.removeprefix(str(path)) for line in caught.value.lines]


def test_both_kinds_are_read(file):
    path = file("node_id,security,secret,timeout\na,none,,\nb,psk,00112233445566778899,60\n")
    assert read_identities(path) == [Identity("a"), Identity("b", bytes.fromhex("00112233445566778899"))]


def test_every_bad_line_is_named(file):
    lines = faults(file("node_id,security,secret\n,psk,00\na,none,\nb,psk,\nc,psk,xyz\n"))
    assert [line.split(":")[0] for line in lines] == [", line 2", ", line 4", ", line 5"]
    assert "secrets-out" in lines[1]


def test_devices_whose_private_key_is_not_in_the_file_are_refused(file):
    [fault] = faults(file("node_id,security\na,x509\n"))
    assert fault == ", line 2: a device with security x509 cannot be simulated; leave it out"


def test_many_bad_lines_are_summed_up(file):
    lines = faults(file("node_id\n" + "".join(f"{number}\n" for number in range(30))))
    assert len(lines) == 21
    assert lines[-1] == ": 10 more bad lines"


def test_file_that_is_not_there_is_named(tmp_path):
    assert faults(tmp_path / "none.csv") == [": No such file or directory"]


@pytest.fixture
def administration(tmp_path):
    with Administration(Database.open(tmp_path / "registry.db")) as opened:
        yield opened


def made(administration, psk=0, none=0, prefix="sim-"):
    return create_identities(administration, prefix, {Security.PSK: psk, Security.NONE: none})


def test_devices_are_made_with_numbered_names_and_secrets(administration):
    identities = made(administration, psk=2)
    assert [identity.node_id for identity in identities] == ["sim-000001", "sim-000002"]
    assert all(len(identity.psk) == 16 for identity in identities)
    assert administration.get("sim-000001").device.security is Security.PSK


def test_both_kinds_alternate(administration):
    identities = made(administration, psk=2, none=2)
    assert [identity.security for identity in identities] == [Security.PSK, Security.NONE] * 2


def test_devices_that_are_there_get_a_new_secret(administration):
    before, after = made(administration, psk=1), made(administration, psk=1)
    assert before[0].node_id == after[0].node_id
    assert before[0].psk != after[0].psk
    assert len(list(administration.list())) == 1


def test_devices_of_another_kind_are_passed_over(administration):
    made(administration, none=2)
    assert [identity.node_id for identity in made(administration, psk=1)] == ["sim-000003"]
    assert [identity.node_id for identity in made(administration, none=1)] == ["sim-000001"]


def test_other_prefix_is_another_fleet(administration):
    made(administration, none=1)
    assert [identity.node_id for identity in made(administration, none=1, prefix="meter-")] == [
        "meter-000001"
    ]


def test_secrets_do_not_show():
    assert "ff" not in repr(Identity("a", b"\xff" * 8))


def test_devices_are_sorted_by_kind():
    plain, secure = Identity("a"), Identity("b", b"k" * 8)
    assert split_by_kind([plain, secure]) == {Security.NONE: [plain], Security.PSK: [secure]}
