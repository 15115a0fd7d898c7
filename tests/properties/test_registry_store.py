"""Memory and disk tell the same story, whatever the order of events and whenever the power is cut."""

import asyncio
import contextlib
import os
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import DatabaseUnusable, NotFound
from registry.model import Security
from registry.settings import RegistrySettings
from tests.support.registry import Outcomes, Place, make_registration

NODES = ["a", "b", "c"]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "register",
                "register",
                "change",
                "deregister",
                "move",
                "flush",
                "poll",
                "freeze",
                "unfreeze",
                "reset",
                "delete",
                "create",
                "disk fails",
                "disk works",
                "pass",
                "expire",
                "snapshot",
            ]
        ),
        st.sampled_from(NODES),
    ),
    min_size=15,
    max_size=40,
)
HELD = RegistrySettings(group_window_s=3600.0)


class Run:
    """One history, played on a store in a folder of its own."""

    def __init__(self, place, administration, registry):
        self.place = place
        self.administration = administration
        self.registry = registry
        self.outcomes = Outcomes()
        self.submitted = 0
        self.locations = iter(f"loc-{number}" for number in range(1_000))

    async def step(self, kind, node_id):
        device = self.registry.find_device(node_id)
        known = None if device is None else self.registry.find_registration_of(device.number)
        if kind == "register" and device is not None and not device.is_frozen:
            self.submitted += 1
            self.registry.register(make_registration(device, next(self.locations)), self.outcomes.append)
        elif kind == "change" and known is not None:
            self.submitted += 1
            self.registry.change(known._replace(lifetime_s=known.lifetime_s + 1), self.outcomes.append)
        elif kind == "deregister" and known is not None:
            self.submitted += 1
            self.registry.deregister(known, self.outcomes.append)
        elif kind == "move" and known is not None:
            self.registry.renew(known, f"192.0.2.{self.submitted}:1")
        elif kind in ("disk fails", "disk works"):
            self.registry._database.connection.execute(f"PRAGMA query_only = {int(kind == 'disk fails')}")
        elif kind == "pass":
            self.place.clock.advance(100)
        elif kind == "expire":
            self.registry.expire(self.place.clock.monotonic())
        else:
            await self.act(kind, node_id)

    async def act(self, kind, node_id):
        commands = {
            "freeze": self.administration.freeze,
            "unfreeze": self.administration.unfreeze,
            "reset": self.administration.reset_secret,
            "delete": self.administration.delete,
        }
        if kind in commands:
            with contextlib.suppress(NotFound):
                commands[kind](node_id)
        elif kind == "create" and self.administration.find(node_id) is None:
            self.administration.create(node_id, Security.PSK)
        elif kind == "flush":
            await self.registry.flush()
        elif kind == "poll":
            await self.registry.poll_changes()
        elif kind == "snapshot":
            with contextlib.suppress(DatabaseUnusable):
                await self.registry.snapshot()

    async def settle(self):
        self.registry._database.connection.execute("PRAGMA query_only = 0")
        await self.registry.flush()
        await self.registry.poll_changes()
        await self.registry.snapshot()

    def check(self):
        registry = self.registry
        assert len(self.outcomes) == self.submitted
        views = list(self.administration.list())
        assert {view.device.node_id: view.device for view in views} == registry._memory.devices
        on_disk = {view.device.number: view.registration for view in views if view.registration is not None}
        assert on_disk == registry._memory.registrations
        assert {one.location: one for one in on_disk.values()} == registry._memory.locations
        assert not registry._overlay.devices
        assert not registry._overlay.locations
        for number in registry._memory.numbers:
            assert (registry._memory.leases.find(number) != 0) == (number in on_disk)


async def play(folder, steps):
    place = Place(folder)
    with place.administration() as administration:
        for node_id in NODES:
            administration.create(node_id, Security.PSK)
        registry = await place.open(HELD)
        run = Run(place, administration, registry)
        for kind, node_id in steps:
            await run.step(kind, node_id)
        await run.settle()
        run.check()
        crashed = place.after_power_cut()
        async with crashed.registry() as after:
            assert after._memory.registrations == registry._memory.registrations
            assert after._memory.devices == registry._memory.devices
        await registry.close()
        async with place.registry() as after:
            assert after._memory.registrations == registry._memory.registrations


@settings(max_examples=30)
@given(STEPS)
def test_memory_is_what_the_disk_says_once_all_is_settled(steps):
    # In memory where there is such a folder: the syncs cost more than all the rest.
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        asyncio.run(play(Path(folder), steps))
