"""`registry.defaults`: what the command line goes by of the gateway's settings."""

from __future__ import annotations

import pytest

from registry import defaults
from registry.commands import NewCommand
from registry.model import Origin, Reading
from registry.settings import RegistrySettings
from tests.support.registry import Place

COMMAND = NewCommand("read", ("/3/0/0",), b"request", True)


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    place.create("n")
    return place


def waiting_s(command) -> float:
    return (command.expires_at_ms - command.created_at_ms) / 1000


def test_before_the_first_gateway_those_without_settings_hold(place) -> None:
    with place.database() as database:
        assert defaults.find(database) == (86_400, 100)


def test_those_that_were_noted_last_hold(place) -> None:
    with place.database() as database:
        for ttl_s, history in ((60, 2), (60, 2), (5, 3)):
            defaults.note(database, RegistrySettings(command_ttl_s=ttl_s, value_history=history))
            assert defaults.find(database) == (ttl_s, history)


async def test_command_without_a_time_of_its_own_waits_as_long_as_the_last_gateway_says(place) -> None:
    with place.administration() as administration:
        assert waiting_s(administration.store_command("n", COMMAND)) == 86_400
        for ttl_s in (7_200, 3_600):
            async with place.registry(RegistrySettings(command_ttl_s=ttl_s)):
                assert waiting_s(administration.store_command("n", COMMAND)) == ttl_s
        assert waiting_s(administration.store_command("n", NewCommand("read", (), b"", True, 60))) == 60


async def test_as_much_history_is_told_as_is_kept(place) -> None:
    for kept in (150, 2):
        async with place.registry(RegistrySettings(value_history=kept)) as registry:
            number = registry.find_device("n").number
            for value in range(200):
                reading = Reading("/3/0/9", str(value), value)
                registry.keep_values(number, [reading], Origin.SEND, lambda _: None)
            await registry.flush()
        with place.administration() as administration:
            assert len(administration.values("n", with_history=True)) == kept
