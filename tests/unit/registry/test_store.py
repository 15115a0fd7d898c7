import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256

import pytest

from registry import store as store_module
from registry.administration import Administration
from registry.clock import SystemClock
from registry.errors import DatabaseUnusable, KeyUnusable, StorageUnavailable
from registry.events import (
    DeviceCreated,
    DeviceDeleted,
    DeviceFrozen,
    DevicePurged,
    DeviceUnfrozen,
    RegistrationExpired,
    SecretReset,
)
from registry.model import ObjectLink, ObjectList, Origin, Reading, Security
from registry.outcomes import CommitFailure
from registry.sealing import KeySource
from registry.settings import RegistrySettings
from registry.store import Registry
from tests.support.registry import (
    AT_ONCE,
    OBJECTS,
    Outcomes,
    event_types,
    let_loop_run,
    make_registration,
    register,
)

HELD = RegistrySettings(group_window_s=3600.0)
"Settings under which changes stay pending until they are flushed."


async def expire(registry, place, after_s=0):
    place.clock.advance(after_s)
    registry.expire(place.clock.monotonic())
    await registry.flush()


async def purge(registry, place, after_s=0):
    place.clock.advance(after_s)
    registry.purge_claims(place.clock.monotonic())
    await registry.flush()


def fill_disk(registry):
    (pages,) = registry._database.query("PRAGMA page_count")[0]
    registry._database.connection.execute(f"PRAGMA max_page_count = {pages}")


def empty_disk(registry):
    registry._database.connection.execute("PRAGMA max_page_count = 1000000")


BIG = ObjectList(tuple(ObjectLink(number, 0) for number in range(2_000)))
"Does not fit on a disk that is full."


def types(place):
    with place.administration() as administration:
        return event_types(administration)


# Opening and closing


async def test_devices_and_registrations_are_there_after_a_clean_stop(place):
    place.create("plain")
    place.create("secure", Security.PSK, secret=b"12345678")
    async with place.registry() as registry:
        first = await register(registry, "plain", parameters=(("v", "1"),), sms="+49")
        second = await register(registry, "secure", lifetime_s=0, objects=ObjectList())
    async with place.registry() as registry:
        assert (registry.device_count, registry.registration_count) == (2, 2)
        assert registry.find_registration(first.location) == first
        assert registry.find_registration_of(second.device) == second
        assert registry.find_secret(registry.find_device("secure")) == b"12345678"
        assert registry.find_secret(registry.find_device("plain")) is None
        assert registry.find_device("nobody") is None
        assert registry.find_registration("nowhere") is None
        assert registry.find_device("plain").connected_at_ms == first.registered_at_ms


async def test_second_gateway_on_the_same_file_is_refused_and_the_first_unharmed(place):
    place.create("n")
    async with place.registry() as registry:
        with pytest.raises(DatabaseUnusable, match="another gateway"):
            await place.open()
        await register(registry, "n")
    async with place.registry():
        pass


async def test_sealed_secrets_and_no_key_refuse_the_start_and_give_the_file_back(place):
    place.create("n", Security.PSK)
    key = place.path.with_name("nodegate.db.key")
    content = key.read_text()
    key.unlink()
    with pytest.raises(KeyUnusable, match="missing"):
        await place.open()
    assert not key.exists()
    key.write_text(content)
    async with place.registry():
        pass


async def test_failed_start_leaves_no_thread(place, monkeypatch):
    made = []

    class Counted(ThreadPoolExecutor):
        def __init__(self, *args):
            super().__init__(*args)
            made.append(self)

    monkeypatch.setattr(store_module, "ThreadPoolExecutor", Counted)
    place.create("n", Security.PSK)
    with pytest.raises(KeyUnusable):
        await Registry.open(place.database(KeySource("00" * 32)), clock=place.clock)
    [executor] = made
    with pytest.raises(RuntimeError):
        executor.submit(print)


async def test_without_an_executor_a_thread_of_its_own_writes(place):
    place.create("n")
    registry = await Registry.open(place.database(), clock=place.clock, settings=AT_ONCE)
    registration = await register(registry, "n")
    await registry.close()
    await registry.close()
    outcomes = Outcomes()
    registry.register(registration, outcomes.append)
    await let_loop_run()
    assert [outcome.failure for outcome in outcomes] == [CommitFailure.OVERLOADED]
    async with place.registry() as registry:
        assert registry.registration_count == 1


async def test_defaults_are_the_machines_clock_and_the_contracts_settings(place):
    began_ms = SystemClock().wall_ms()
    with Administration(place.database()) as administration:
        administration.create("n", Security.NONE)
    registry = await Registry.open(place.database())
    await register(registry, "n")
    await registry.close()
    [(created_at_ms, written_at_ms)] = place.rows(
        "SELECT created_at_ms, written_at_ms FROM device, registration"
    )
    assert began_ms <= created_at_ms <= written_at_ms <= SystemClock().wall_ms()


async def test_full_disk_at_the_stop_is_said_and_the_file_given_back(place):
    place.create("n")
    registry = await place.open()
    await register(registry, "n")
    await registry.snapshot()
    for number in range(1, 9):
        registry._memory.leases.grant(number * 1000, 5)
    fill_disk(registry)
    with pytest.raises(StorageUnavailable):
        await registry.close()
    async with place.registry() as registry:
        assert registry.registration_count == 1


async def test_first_snapshot_that_fails_refuses_the_start(place, monkeypatch):
    place.create("n")

    async def fail(self):
        raise StorageUnavailable("full")

    monkeypatch.setattr(Registry, "snapshot", fail)
    with pytest.raises(StorageUnavailable):
        await place.open()
    monkeypatch.undo()
    async with place.registry():
        pass


# Changes


async def test_answer_comes_after_the_commit_and_memory_changes_with_it(place):
    device = place.create("n")
    async with place.registry(HELD) as registry:
        seen = []

        def done(outcome):
            rows = place.rows("SELECT location FROM registration")
            seen.append((outcome.is_committed, rows, registry.registration_count))

        registry.register(make_registration(device, "loc"), done)
        assert registry.registration_count == 0
        assert place.rows("SELECT * FROM registration") == []
        await registry.flush()
        assert seen == [(True, [("loc",)], 1)]


async def test_pending_register_is_found_and_hides_what_it_replaces(place):
    device = place.create("n")
    async with place.registry(HELD) as registry:
        await register(registry, "n", "old")
        new = make_registration(device, "new")
        registry.register(new, lambda outcome: None)
        assert registry.find_registration("old") is None
        assert registry.find_registration("new") is new
        assert registry.find_registration_of(device.number) is new
        assert registry.registration_count == 1
        await registry.flush()
        assert registry.find_registration("old") is None
        assert registry.find_registration("new") is new


async def test_second_change_builds_on_the_first(place):
    device = place.create("n")
    async with place.registry(HELD) as registry:
        outcomes = Outcomes()
        first = make_registration(device, "loc")
        registry.register(first, outcomes.append)
        second = first._replace(lifetime_s=60)
        registry.change(second, outcomes.append)
        third = second._replace(binding="UQ")
        registry.change(third, outcomes.append)
        assert registry.find_registration("loc") is third
        await registry.flush()
        assert outcomes.are_committed == [True] * 3
        assert registry.find_registration("loc") is third
    assert types(place)[1:] == ["registered", "registration_changed", "registration_changed"]
    assert place.rows("SELECT lifetime_s, binding FROM registration") == [(60, "UQ")]


async def test_location_is_unknown_while_its_deregistration_is_pending(place):
    device = place.create("n")
    async with place.registry(HELD) as registry:
        registration = await register(registry, "n")
        outcomes = Outcomes()
        registry.deregister(registration, outcomes.append)
        assert registry.find_registration(registration.location) is None
        assert registry.find_registration_of(device.number) is None
        registry.change(registration._replace(lifetime_s=9), outcomes.append)
        registry.deregister(registration, outcomes.append)
        await registry.flush()
        assert sorted(outcomes.are_committed) == [False, False, True]
        assert {outcome.failure for outcome in outcomes} == {None, CommitFailure.OVERTAKEN}
        assert registry.registration_count == 0


async def test_changes_of_what_is_not_there_are_overtaken(place):
    device = place.create("n")
    async with place.registry() as registry:
        outcomes = Outcomes()
        registration = make_registration(device)
        stranger = registration._replace(device=4711)
        registry.register(stranger, outcomes.append)
        for wrong in (registration, stranger):
            registry.change(wrong, outcomes.append)
            registry.deregister(wrong, outcomes.append)
            registry.renew(wrong, wrong.address)
        assert outcomes == []
        await let_loop_run()
        assert {outcome.failure for outcome in outcomes} == {CommitFailure.OVERTAKEN}
        assert len(outcomes) == 5


async def test_register_over_a_full_queue_is_refused_at_once(place):
    device = place.create("n")
    async with place.registry(replace(HELD, max_pending=1)) as registry:
        outcomes = Outcomes()
        registration = make_registration(device)
        assert not registry.is_overloaded
        registry.register(registration, outcomes.append)
        assert registry.is_overloaded
        registry.register(registration, outcomes.append)
        registry.change(registration, outcomes.append)
        registry.deregister(registration, outcomes.append)
        registry.refuse("n", "192.0.2.1:1", "why")
        await let_loop_run()
        assert [outcome.failure for outcome in outcomes] == [CommitFailure.OVERLOADED] * 3
        assert registry.refusals_suppressed == 1
        await registry.flush()
        assert not registry.is_overloaded
        assert registry.registration_count == 1


async def test_failed_commit_leaves_memory_as_it_was_and_service_resumes(place):
    device = place.create("n")
    async with place.registry() as registry:
        old = await register(registry, "n", "old")
        faults = []
        registry.on_fault(faults.append)
        fill_disk(registry)
        outcomes = Outcomes()
        big = make_registration(device, "new", objects=BIG)
        registry.register(big, outcomes.append)
        registry.change(big._replace(lifetime_s=9), outcomes.append)
        await registry.flush()
        assert [outcome.failure for outcome in outcomes] == [CommitFailure.STORAGE] * 2
        assert registry.find_registration("old") is old
        assert registry.find_registration("new") is None
        assert "full" in registry.fault
        # A plain Update needs no disk.
        registry.renew(old, old.address)
        empty_disk(registry)
        registry.register(big, outcomes.append)
        await registry.flush()
        assert outcomes[2].is_committed
        assert registry.fault is None
        assert [fault is None for fault in faults] == [False, True]


async def test_deregistration_that_fails_leaves_the_registration(place):
    place.create("n")
    async with place.registry() as registry:
        registration = await register(registry, "n")
        registry._database.connection.execute("PRAGMA busy_timeout = 1")
        outcomes = Outcomes()
        with place.database() as other, other.transaction():
            registry.deregister(registration, outcomes.append)
            await registry.flush()
        assert outcomes.are_committed == [False]
        assert registry.find_registration(registration.location) is registration


async def test_equal_object_lists_are_kept_once(place):
    place.create_many(2)
    async with place.registry() as registry:
        first = await register(registry, "node-0")
        copy = ObjectList(tuple(replace(link) for link in OBJECTS.links))
        second = await register(registry, "node-1", objects=copy)
        assert second.objects is first.objects
        outcomes = Outcomes()
        registry.change(
            second._replace(objects=ObjectList(tuple(replace(link) for link in OBJECTS.links)), lifetime_s=5),
            outcomes.append,
        )
        await registry.flush()
        assert registry.find_registration_of(second.device).objects is first.objects
    assert place.rows("SELECT count(*) FROM object_list") == [(1,)]
    async with place.registry() as registry:
        assert (
            registry.find_registration("at-node-0").objects is registry.find_registration("at-node-1").objects
        )


async def test_profile_is_known_from_that_device_also_after_a_restart(place):
    device = place.create("n")
    async with place.registry() as registry:
        assert registry.find_profile(device.number, "p") is None
        registration = await register(registry, "n", profile_id="p")
        outcomes = Outcomes()
        registry.change(registration._replace(objects=ObjectList()), outcomes.append)
        registry.deregister(registration, outcomes.append)
        await registry.flush()
        assert registry.find_profile(device.number, "p") == OBJECTS
    async with place.registry() as registry:
        assert registry.find_profile(device.number, "p") == OBJECTS
        assert registry.find_profile(device.number, "q") is None
        await register(registry, "n")
        registry.change(make_registration(device, profile_id="q", objects=ObjectList()), outcomes.append)
        await registry.flush()
        assert registry.find_profile(device.number, "q") == ObjectList()


# Leases


async def test_registration_expires_after_its_lifetime_and_not_before(place):
    place.create("n")
    async with place.registry() as registry:
        facts, ends = [], []
        registry.on_fact(facts.append)
        registry.on_end(ends.append)
        registration = await register(registry, "n", lifetime_s=60)
        await expire(registry, place, after_s=60)
        assert registry.registration_count == 1
        await expire(registry, place, after_s=1)
        assert registry.registration_count == 0
        assert facts == ends == [RegistrationExpired(registry.find_device("n"), registration)]
    assert types(place)[-1] == "registration_expired"
    assert place.rows("SELECT * FROM registration") == []


async def test_plain_update_renews_in_memory_alone(place):
    place.create("n")
    async with place.registry() as registry:
        registration = await register(registry, "n", lifetime_s=60)
        before = types(place)
        for _ in range(5):
            place.clock.advance(50)
            registry.renew(registration, registration.address)
            await expire(registry, place)
        assert registry.registration_count == 1
        assert types(place) == before


async def test_grace_is_added_to_every_lifetime_but_not_to_no_limit(place):
    place.create_many(2)
    async with place.registry(replace(AT_ONCE, lifetime_grace_s=30)) as registry:
        registration = await register(registry, "node-0", lifetime_s=60)
        unlimited = await register(registry, "node-1", lifetime_s=0)
        registry.renew(unlimited, unlimited.address)
        await expire(registry, place, after_s=89)
        registry.renew(registration, registration.address)
        await expire(registry, place, after_s=89)
        assert registry.registration_count == 2
        await expire(registry, place, after_s=10_000_000)
        assert registry.registration_count == 1


async def test_changed_lifetime_counts_from_its_commit(place):
    place.create("n")
    async with place.registry(HELD) as registry:
        registration = await register(registry, "n", lifetime_s=1_000)
        shorter = registration._replace(lifetime_s=10)
        registry.change(shorter, lambda outcome: None)
        # Not committed yet: what it renews is the lifetime that stands.
        registry.renew(shorter, shorter.address)
        place.clock.advance(20)
        registry.expire(place.clock.monotonic())
        await registry.flush()
        assert registry.registration_count == 1
        await expire(registry, place, after_s=9)
        assert registry.registration_count == 1
        await expire(registry, place, after_s=3)
        assert registry.registration_count == 0


async def test_pending_change_protects_from_expiry(place):
    place.create("n")
    async with place.registry(HELD) as registry:
        registration = await register(registry, "n", lifetime_s=10)
        place.clock.advance(20)
        registry.change(registration._replace(binding="UQ"), lambda outcome: None)
        await expire(registry, place)
        assert registry.registration_count == 1
        await expire(registry, place, after_s=12)
        assert registry.registration_count == 0


async def test_expiry_on_its_way_makes_the_location_unknown_and_a_register_follows_it(place):
    device = place.create("n")
    async with place.registry(HELD) as registry:
        registration = await register(registry, "n", "old", lifetime_s=10)
        place.clock.advance(20)
        registry.expire(place.clock.monotonic())
        assert registry.find_registration("old") is None
        outcomes = Outcomes()
        registry.register(make_registration(device, "new"), outcomes.append)
        registry.expire(place.clock.monotonic())
        await registry.flush()
        assert outcomes.are_committed == [True]
        assert registry.find_registration("new").location == "new"
        assert registration.location == "old"
    assert types(place)[-2:] == ["registration_expired", "registered"]


async def test_expiry_is_tried_again_when_the_disk_works_again(place):
    place.create("n")
    async with place.registry() as registry:
        await register(registry, "n", lifetime_s=10)
        place.clock.advance(20)
        registry._database.connection.execute("PRAGMA busy_timeout = 1")
        with place.database() as other, other.transaction():
            await expire(registry, place)
        assert registry.registration_count == 1
        await expire(registry, place, after_s=10)
        assert registry.registration_count == 0


async def test_many_ends_come_in_chunks_without_another_call(place):
    place.create_many(1_200)
    async with place.registry() as registry:
        outcomes = Outcomes()
        for index in range(1_200):
            device = registry.find_device(f"node-{index}")
            registry.register(make_registration(device, lifetime_s=10), outcomes.append)
        await registry.flush()
        place.clock.advance(20)
        registry.expire(place.clock.monotonic())
        assert registry._writer.pending == 500
        await registry.flush()
        assert registry.registration_count == 0


# Restarts


@pytest.mark.parametrize("step_ms", [-86_400_000, 0, 86_400_000])
async def test_clean_stop_resumes_the_remaining_lifetime_whatever_the_wall_clock_does(place, step_ms):
    place.create_many(2)
    async with place.registry() as registry:
        await register(registry, "node-0", lifetime_s=100)
        await register(registry, "node-1", lifetime_s=0)
        place.clock.advance(40)
    place.clock.advance(1_000)
    place.clock.step_wall(step_ms)
    async with place.registry() as registry:
        await expire(registry, place, after_s=59)
        assert registry.registration_count == 2
        await expire(registry, place, after_s=2)
        assert registry.registration_count == 1
        assert registry.find_registration("at-node-1") is not None


async def test_unclean_stop_gives_every_registration_its_full_lifetime(place):
    place.create("n")
    async with place.registry() as registry:
        await register(registry, "n", lifetime_s=100)
        place.clock.advance(90)
        await registry.snapshot()
        crashed = place.after_power_cut()
    crashed.clock.advance(1_000)
    async with crashed.registry() as registry:
        await expire(registry, crashed, after_s=99)
        assert registry.registration_count == 1
        await expire(registry, crashed, after_s=2)
        assert registry.registration_count == 0


async def test_clean_mark_is_gone_from_the_disk_while_a_gateway_runs(place):
    async with place.registry():
        pass
    assert place.rows("SELECT count(*) FROM meta WHERE key = 'clean_stop'") == [(1,)]
    async with place.registry():
        assert place.rows("SELECT count(*) FROM meta WHERE key = 'clean_stop'") == [(0,)]
        crashed = place.after_power_cut()
    assert crashed.rows("SELECT count(*) FROM meta WHERE key = 'clean_stop'") == [(0,)]


async def test_everything_acknowledged_is_there_after_a_power_cut(place):
    place.create_many(50)
    async with place.registry() as registry:
        for index in range(50):
            await register(registry, f"node-{index}")
        gone = registry.find_registration("at-node-0")
        registry.deregister(gone, lambda outcome: None)
        await registry.flush()
        crashed = place.after_power_cut()
    async with crashed.registry() as registry:
        assert registry.registration_count == 49
        assert registry.find_registration("at-node-0") is None


async def test_clock_step_while_running_expires_nothing(place):
    place.create("n", timeout_s=0)
    async with place.registry() as registry:
        await register(registry, "n", lifetime_s=100)
        place.clock.step_wall(10 * 365 * 86_400_000)
        await expire(registry, place)
        await registry.snapshot()
        await expire(registry, place)
        assert registry.registration_count == 1


async def test_moved_address_is_kept_at_once_and_written_with_the_next_snapshot(place):
    place.create("n")
    async with place.registry() as registry:
        registration = await register(registry, "n")
        registry.renew(registration, "192.0.2.77:7")
        moved = registry.find_registration(registration.location)
        assert moved == registration._replace(address="192.0.2.77:7")
        assert place.rows("SELECT address FROM registration") == [("192.0.2.1:5683",)]
        await registry.snapshot()
        assert place.rows("SELECT address FROM registration") == [("192.0.2.77:7",)]
        registry.renew(moved, "192.0.2.78:8")
    assert place.rows("SELECT address FROM registration") == [("192.0.2.78:8",)]


async def test_move_during_a_pending_change_survives_its_commit(place):
    device = place.create("n")
    async with place.registry(HELD) as registry:
        registration = await register(registry, "n")
        registry.change(registration._replace(lifetime_s=9), lambda outcome: None)
        pending = registry.find_registration_of(device.number)
        registry.renew(pending, "192.0.2.77:7")
        assert registry.find_registration(registration.location).address == "192.0.2.77:7"
        await registry.flush()
        current = registry.find_registration(registration.location)
        assert (current.address, current.lifetime_s) == ("192.0.2.77:7", 9)
        await registry.snapshot()
    assert place.rows("SELECT address, lifetime_s FROM registration") == [("192.0.2.77:7", 9)]


async def test_move_of_a_first_registration_that_is_pending(place):
    device = place.create("n")
    async with place.registry(HELD) as registry:
        registration = make_registration(device)
        registry.register(registration, lambda outcome: None)
        registry.renew(registration, "192.0.2.77:7")
        await registry.flush()
        assert registry.find_registration(registration.location).address == "192.0.2.77:7"
        await registry.snapshot()
    assert place.rows("SELECT address FROM registration") == [("192.0.2.77:7",)]


async def test_move_while_the_end_is_pending_comes_to_nothing(place):
    place.create("n")
    async with place.registry(HELD) as registry:
        registration = await register(registry, "n")
        registry.deregister(registration, lambda outcome: None)
        registry.renew(registration, "192.0.2.77:7")
        await registry.flush()
        assert registry.registration_count == 0
        await registry.snapshot()


# Claims


async def test_device_that_does_not_connect_in_time_is_purged_and_the_event_says_why(place):
    device = place.create("n", Security.PSK, timeout_s=60)
    async with place.registry() as registry:
        facts = []
        registry.on_end(facts.append)
        await purge(registry, place, after_s=60)
        assert registry.device_count == 1
        await purge(registry, place, after_s=1)
        assert registry.device_count == 0
        assert facts == [DevicePurged(device)]
    with place.administration() as administration:
        event = administration.events()[-1]
    assert (event.type, event.data) == ("device_purged", {"reason": "claim_timeout"})
    assert place.rows("SELECT * FROM device") == []


async def test_first_register_ends_the_deadline_for_ever(place):
    place.create("n", timeout_s=60)
    async with place.registry() as registry:
        registration = await register(registry, "n")
        registry.deregister(registration, lambda outcome: None)
        await registry.flush()
        await purge(registry, place, after_s=1_000)
        assert registry.device_count == 1
    async with place.registry() as registry:
        await purge(registry, place)
        assert registry.device_count == 1


async def test_deadline_is_absolute_over_restarts(place):
    place.create("n", timeout_s=60)
    async with place.registry() as registry:
        await purge(registry, place, after_s=30)
    place.clock.advance(29)
    async with place.registry() as registry:
        await purge(registry, place)
        assert registry.device_count == 1
        await purge(registry, place, after_s=2)
        assert registry.device_count == 0


async def test_clock_step_while_running_purges_nothing(place):
    place.create("n", timeout_s=60)
    async with place.registry() as registry:
        place.clock.step_wall(10_000_000)
        await purge(registry, place)
        assert registry.device_count == 1


async def test_frozen_device_is_purged_only_after_it_is_unfrozen(place):
    place.create("n", timeout_s=60)
    with place.administration() as administration:
        administration.freeze("n")
        async with place.registry() as registry:
            await purge(registry, place, after_s=100)
            await purge(registry, place, after_s=100)
            assert registry.device_count == 1
            administration.unfreeze("n")
            await registry.poll_changes()
            await purge(registry, place, after_s=1)
            assert registry.device_count == 0


async def test_pending_register_protects_from_the_purge(place):
    device = place.create("n", timeout_s=60)
    async with place.registry(HELD) as registry:
        place.clock.advance(100)
        outcomes = Outcomes()
        registry.register(make_registration(device), outcomes.append)
        await purge(registry, place)
        assert outcomes.are_committed == [True]
        await purge(registry, place, after_s=100)
        assert registry.device_count == 1


async def test_device_frozen_meanwhile_is_not_purged(place):
    place.create("n", timeout_s=60)
    async with place.registry() as registry:
        place.clock.advance(100)
        with place.administration() as administration:
            administration.freeze("n")
        await purge(registry, place)
        assert registry.device_count == 1
        await registry.poll_changes()
        await purge(registry, place, after_s=100)
        assert registry.find_device("n").is_frozen


async def test_many_purges_come_in_chunks_without_another_call(place):
    place.create_many(1_200, timeout_s=60)
    async with place.registry() as registry:
        place.clock.advance(100)
        registry.purge_claims(place.clock.monotonic())
        registry.purge_claims(place.clock.monotonic())
        assert registry._writer.pending == 500
        await registry.flush()
        assert registry.device_count == 0


# The change feed


async def test_what_administrators_do_is_noticed_and_told(place):
    async with place.registry() as registry:
        facts, ends = [], []
        registry.on_fact(facts.append)
        registry.on_end(ends.append)
        with place.administration() as administration:
            device = administration.create("n", secret=b"12345678").device
            await registry.poll_changes()
            assert registry.find_secret(registry.find_device("n")) == b"12345678"
            first = await register(registry, "n", "first")
            administration.reset_secret("n", b"abcdefgh")
            await registry.poll_changes()
            assert registry.find_secret(registry.find_device("n")) == b"abcdefgh"
            assert registry.find_registration("first") is None
            second = await register(registry, "n", "second")
            administration.freeze("n")
            await registry.poll_changes()
            assert registry.find_device("n").is_frozen
            assert registry.registration_count == 0
            administration.unfreeze("n")
            await registry.poll_changes()
            assert not registry.find_device("n").is_frozen
            third = await register(registry, "n", "third")
            administration.delete("n")
            await registry.poll_changes()
            assert registry.find_device("n") is None
            assert registry.registration_count == 0
        assert [type(fact) for fact in facts] == [
            DeviceCreated,
            SecretReset,
            DeviceFrozen,
            DeviceUnfrozen,
            DeviceDeleted,
        ]
        assert [fact.registration for fact in ends] == [first, second, third]
        assert facts[0].device == device


async def test_own_changes_are_no_news(place):
    place.create("n")
    async with place.registry() as registry:
        facts = []
        registry.on_fact(facts.append)
        await register(registry, "n")
        await registry.poll_changes()
        await registry.poll_changes()
        assert facts == []


async def test_register_decided_before_the_freeze_is_noticed_is_overtaken(place):
    device = place.create("n")
    async with place.registry() as registry:
        with place.administration() as administration:
            administration.freeze("n")
            administration.unfreeze("n")
        outcomes = Outcomes()
        registry.register(make_registration(device), outcomes.append)
        await registry.flush()
        assert [outcome.failure for outcome in outcomes] == [CommitFailure.OVERTAKEN]
        assert registry.registration_count == 0
        await registry.poll_changes()
        await register(registry, "n")


async def test_device_deleted_and_created_again_is_another_one(place):
    old = place.create("n")
    async with place.registry() as registry:
        await register(registry, "n")
        with place.administration() as administration:
            administration.delete("n")
            new = administration.create("n", Security.NONE).device
        await registry.poll_changes()
        assert registry.find_device("n") == new
        assert new.number != old.number
        assert registry.registration_count == 0


async def test_large_imports_arrive_in_batches(place):
    async with place.registry() as registry:
        place.create_many(2_500, timeout_s=60)
        await registry.poll_changes()
        assert registry.device_count == 2_500
        await purge(registry, place, after_s=100)
        assert registry.device_count == 0


async def test_secrets_sealed_with_another_key_than_ours_are_a_fault_told_once(place):
    registry = await place.open(key=KeySource("11" * 32))
    faults = []
    registry.on_fault(faults.append)
    place.create("n", Security.PSK)
    await registry.poll_changes()
    device = registry.find_device("n")
    assert registry.find_secret(device) is None
    assert len(faults) == 1
    assert "another key" in faults[0]
    await registry.close()


async def test_secret_that_does_not_open_is_none_and_told_once(place):
    place.create("n", Security.PSK)
    place.execute("UPDATE device SET sealed_secret = x'00'")
    async with place.registry() as registry:
        faults = []
        registry.on_fault(faults.append)
        device = registry.find_device("n")
        assert registry.find_secret(device) is None
        assert registry.find_secret(device) is None
        assert len(faults) == 1


# Refusals


async def test_refusals_are_recorded_for_device_and_stranger(place):
    device = place.create("n")
    async with place.registry() as registry:
        told = []
        registry.on_refusal(lambda node_id, refusal: told.append((node_id, refusal)))
        registry.refuse("n", "192.0.2.1:1", "wrong key")
        registry.refuse("x" * 500, "y" * 500, "z\n" * 500)
        await registry.flush()
        with place.administration() as administration:
            [refusal] = administration.get("n").refusals
            events = administration.events(types=["refused"])
        assert (refusal.address, refusal.reason) == ("192.0.2.1:1", "wrong key")
        assert refusal.at_ms == place.clock.wall_ms()
        assert told[0] == ("n", refusal)
        assert [event.device_id for event in events] == [device.device_id, None]
        assert events[1].node_id == "x" * 128
        assert len(events[1].data["address"]) == 64
        assert len(events[1].data["reason"]) == 200
        assert events[1].data["reason"].isprintable()


async def test_flood_of_refusals_is_counted_and_not_written(place):
    async with place.registry() as registry:
        for index in range(1_000):
            registry.refuse(f"stranger-{index}", "192.0.2.1:1", "unknown")
        await registry.flush()
        written = len(types(place))
        assert written < 100
        assert registry.refusals_suppressed == 1_000 - written


# Values


async def test_values_are_told_when_they_are_committed(place):
    place.create("n")
    async with place.registry() as registry:
        device = registry.find_device("n")
        outcomes = Outcomes()
        registry.keep_values(device.number, [Reading("/3/0/9", "80", 5)], Origin.SEND, outcomes.append)
        assert outcomes == []
        await registry.flush()
        assert [outcome.is_committed for outcome in outcomes] == [True]
        registry.keep_values(4711, [Reading("/3/0/9", "80", 5)], Origin.SEND, outcomes.append)
        await asyncio.sleep(0)
        assert outcomes[-1].failure is CommitFailure.OVERTAKEN
    with place.administration() as administration:
        assert [value.value for value in administration.values("n")] == [80]


async def test_plain_registration_is_found_by_its_address(place):
    place.create("n")
    async with place.registry() as registry:
        assert registry.find_registration_from("192.0.2.1:5683") is None
        registration = await register(registry, "n")
        assert registry.find_registration_from("192.0.2.1:5683") == registration
        registry.renew(registration, "192.0.2.2:1")
        assert registry.find_registration_from("192.0.2.1:5683") is None
        assert registry.find_registration_from("192.0.2.2:1").location == registration.location


# Cost


async def test_registrations_of_a_fleet_take_little_memory(place):
    import tracemalloc

    place.create_many(2_000)
    async with place.registry() as registry:
        outcomes = Outcomes()
        for index in range(2_000):
            device = registry.find_device(f"node-{index}")
            registry.register(make_registration(device, f"{index:022d}"), outcomes.append)
        await registry.flush()
    gc.collect()
    tracemalloc.start()
    try:
        async with place.registry() as registry:
            gc.collect()
            size, _ = tracemalloc.get_traced_memory()
            assert registry.registration_count == 2_000
    finally:
        tracemalloc.stop()
    assert size / 2_000 < 1_300


# Certificates, public keys, the gateway's own key


async def test_devices_are_found_by_what_their_credential_says(place):
    place.create("Meter-7", Security.X509)
    place.create("n-1", Security.RPK, public_key=b"key")
    async with place.registry() as registry:
        assert [d.node_id for d in registry.find_devices_named([], ["meter-7"])] == ["Meter-7"]
        assert registry.find_devices_named(["meter-7"], []) == []
        found = registry.find_device_of_key(sha256(b"key").digest())
        assert found is registry.find_device("n-1")
        assert registry.find_device_of_key(bytes(32)) is None
        with place.administration() as administration:
            administration.delete("n-1")
        await registry.poll_changes()
        assert registry.find_device_of_key(sha256(b"key").digest()) is None
