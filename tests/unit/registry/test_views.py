from registry.model import DeviceState, Security
from tests.support.registry import OBJECTS, make_registration, register


def show(place, node_id="n"):
    with place.administration() as administration:
        return administration.get(node_id)


async def test_states_follow_the_device_from_creation_to_silence(place):
    place.create("n")
    assert show(place).state is DeviceState.INACTIVE
    async with place.registry() as registry:
        registration = await register(registry, "n")
        assert show(place).state is DeviceState.ONLINE
        registry.deregister(registration, lambda outcome: None)
        await registry.flush()
    view = show(place)
    assert view.state is DeviceState.OFFLINE
    assert view.registration is None
    assert view.expires_at_ms is None
    assert view.device.connected_at_ms == 1_800_000_000_000


async def test_registration_is_shown_as_it_was_made(place):
    device = place.create("n", Security.PSK)
    wanted = make_registration(
        device, lwm2m="1.2", binding="UQ", sms="+4912", profile_id="p1", parameters=(("v", "1"), ("v", "ä"))
    )
    async with place.registry() as registry:
        registry.register(wanted, lambda outcome: None)
        await registry.flush()
        view = show(place)
    assert view.registration == wanted
    assert view.registration.objects == OBJECTS


async def test_end_of_the_lease_is_that_of_the_last_snapshot(place):
    place.create("n")
    async with place.registry() as registry:
        registration = await register(registry, "n")
        before_snapshot = show(place).expires_at_ms
        assert before_snapshot == place.clock.wall_ms() + 300_000
        place.clock.advance(100)
        registry.renew(registration, registration.address)
        assert show(place).expires_at_ms == before_snapshot
        await registry.snapshot()
        assert 0 < show(place).expires_at_ms - (place.clock.wall_ms() + 300_000) <= 1_000
        # A registration newer than the snapshot counts from its own row again.
        place.clock.advance(50)
        await register(registry, "n", "elsewhere", lifetime_s=10)
        assert show(place).expires_at_ms == place.clock.wall_ms() + 10_000


async def test_end_of_the_lease_follows_the_wall_clock_when_that_steps(place):
    place.create("n")
    async with place.registry() as registry:
        await register(registry, "n")
        await registry.snapshot()
        place.clock.step_wall(3_600_000)
        place.clock.advance(10)
        await registry.snapshot()
        assert 0 <= show(place).expires_at_ms - (place.clock.wall_ms() + 290_000) <= 1_000


async def test_unlimited_registration_has_no_end(place):
    place.create("n")
    async with place.registry() as registry:
        await register(registry, "n", lifetime_s=0)
        place.clock.advance(1)
        await registry.snapshot()
        assert show(place).expires_at_ms is None


async def test_snapshot_without_an_entry_is_passed_over(place):
    place.create("n")
    async with place.registry() as registry:
        await register(registry, "n")
    place.clock.advance(10)
    place.execute("UPDATE lease_page SET expiries = x'', written_at_ms = ?", place.clock.wall_ms())
    written_at_ms = place.rows("SELECT written_at_ms FROM registration")[0][0]
    assert show(place).expires_at_ms == written_at_ms + 300_000


async def test_filter_by_state_agrees_with_the_state_shown(place):
    for name in ("inactive", "online", "offline", "frozen", "frozen-after-coming"):
        place.create(name)
    async with place.registry() as registry:
        for name in ("online", "offline", "frozen-after-coming"):
            registration = await register(registry, name)
            if name == "offline":
                registry.deregister(registration, lambda outcome: None)
        await registry.flush()
        with place.administration() as administration:
            for name in ("frozen", "frozen-after-coming"):
                administration.freeze(name)
            for state in DeviceState:
                views = list(administration.list(state=state))
                assert {view.state for view in views} == {state}
            assert len(list(administration.list())) == 5
