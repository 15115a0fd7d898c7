"""`registry.vault`: the gateway's own key and the file of its sessions, as a running gateway has them."""

from __future__ import annotations

from registry.serverkey import ServerKey
from registry.sqlite import Database
from registry.store import Registry


async def test_server_key_and_chain_are_what_administrators_see(place):
    key = ServerKey(b"private", b"certificate")
    async with place.registry() as registry:
        assert await registry.vault.obtain_server_key(lambda: key) == key
        await registry.vault.note_server_chain(b"chain")
        with place.administration() as administration:
            assert administration.server_key(lambda: key).chain == b"chain"


async def test_sessions_are_handed_back_and_taken_over(tmp_path):
    registry = await Registry.open(Database.open(tmp_path / "sessions.db"))
    file = await registry.vault.take_over_sessions()
    file.write([], [], [b"entries"])
    await registry.vault.hand_back_sessions(file)
    file = await registry.vault.take_over_sessions()
    assert file.load()[1] == [b"entries"]
    file.close()
    file = await registry.vault.create_sessions()
    assert file.load()[1] == []
    file.close()
    await registry.vault.disown_sessions()
    assert not file.path.exists()
    await registry.close()
