"""`registry.commands`: commands as rows, and what administrators may do with them."""

from __future__ import annotations

import pytest

from registry import commands
from registry.commands import Command, CommandResult, CommandState, NewCommand
from registry.errors import NotAllowed, NotFound
from registry.model import Security

READ = NewCommand("read", ("/3/0/0",), b"request", True, ttl_s=60)


def waiting_s(command: Command) -> float:
    return (command.expires_at_ms - command.created_at_ms) / 1000


@pytest.fixture
def administration(place):
    place.create("a", Security.PSK)
    place.create("b")
    with place.administration() as administration:
        yield administration


def test_command_waits_with_all_that_was_said(administration, place) -> None:
    command = administration.store_command("a", READ)
    now_ms = place.clock.wall_ms()
    assert (command.operation, command.paths, command.request) == ("read", ("/3/0/0",), b"request")
    assert command.state is CommandState.QUEUED
    assert not command.has_ended
    assert (command.created_at_ms, command.expires_at_ms) == (now_ms, now_ms + 60_000)
    assert administration.get_command(command.id) == command


def test_command_for_nobody_or_for_a_frozen_device_is_refused(administration) -> None:
    with pytest.raises(NotFound):
        administration.store_command("nobody", READ)
    administration.freeze("a")
    with pytest.raises(NotAllowed, match="unfreeze"):
        administration.store_command("a", READ)
    assert administration.commands() == []


def test_only_so_many_commands_wait_for_a_device(administration, monkeypatch) -> None:
    monkeypatch.setattr(commands, "MAX_OPEN", 2)
    administration.store_command("a", READ)
    administration.store_command("a", READ)
    with pytest.raises(NotAllowed, match="2 commands wait"):
        administration.store_command("a", READ)
    administration.store_command("b", READ)


def test_commands_are_listed_in_their_order_by_device_and_state(administration) -> None:
    first, second = administration.store_command("a", READ), administration.store_command("b", READ)
    third = administration.store_command("a", READ)
    administration.cancel_command(first.id)
    ids = lambda **wanted: [command.id for command in administration.commands(**wanted)]  # noqa: E731
    assert ids() == [first.id, second.id, third.id]
    assert ids(id_="a") == [first.id, third.id]
    assert ids(id_="a", state=CommandState.QUEUED) == [third.id]
    with pytest.raises(NotFound):
        administration.commands("nobody")


def test_only_a_queued_command_is_taken_back(administration) -> None:
    command = administration.store_command("a", READ)
    cancelled = administration.cancel_command(command.id)
    assert cancelled.state is CommandState.CANCELLED
    assert cancelled.request is None
    assert cancelled.result == CommandResult(error="taken back")
    with pytest.raises(NotAllowed, match="is cancelled"):
        administration.cancel_command(command.id)
    with pytest.raises(NotFound):
        administration.cancel_command(999)
    with pytest.raises(NotFound):
        administration.get_command(999)


@pytest.mark.parametrize("revoke", ["freeze", "reset_secret", "delete"])
def test_commands_end_with_the_credential(administration, revoke: str) -> None:
    command = administration.store_command("a", READ)
    other = administration.store_command("b", READ)
    getattr(administration, revoke)("a")
    ended = administration.get_command(command.id)
    assert ended.state is CommandState.CANCELLED
    assert "the device" in (ended.result.error or "")
    assert administration.get_command(other.id).state is CommandState.QUEUED


def test_commands_that_ended_long_ago_are_pruned(administration, place) -> None:
    command = administration.store_command("a", READ)
    waiting = administration.store_command("a", READ)
    administration.cancel_command(command.id)
    with place.database() as database, database.transaction() as connection:
        assert commands.prune(connection, place.clock.wall_ms()) == 0
        assert commands.prune(connection, place.clock.wall_ms() + 1) == 1
        assert commands.find(connection, command.id) is None
        assert commands.find(connection, waiting.id) == waiting
