from random import Random

import pytest

from tools.simulator.pacing import Pacing
from tools.simulator.settings import DeviceSettings


def make_pacing(**settings):
    return Pacing(DeviceSettings("node", **settings), Random(1))


def test_pauses_double_up_to_a_bound_and_vary():
    pacing = make_pacing(backoff_s=1.0, backoff_max_s=8.0)
    for middle_s in (1, 2, 4, 8, 8, 8):
        pauses = {pacing.pause_s() for _ in range(20)}
        assert len(pauses) > 1
        assert all(0.75 * middle_s <= pause <= 1.25 * middle_s for pause in pauses)
        pacing.note_failure()


def test_success_makes_patient_again():
    pacing = make_pacing(retries=2)
    assert [pacing.note_failure() for _ in range(3)] == [False, False, True]
    pacing.note_success()
    assert not pacing.note_failure()


@pytest.mark.parametrize(("lifetime_s", "at"), [(300, 1207.0), (20, 1010.0), (0, None)])
def test_update_leaves_room_for_retransmissions_or_half_the_lifetime(lifetime_s, at):
    assert make_pacing(update_jitter=0.0).next_update_at(1000.0, lifetime_s) == at


def test_updates_of_many_devices_do_not_come_together():
    pacing = make_pacing(update_jitter=0.1)
    times = {pacing.next_update_at(0.0, 300) for _ in range(50)}
    assert len(times) == 50
    assert all(207 * 0.9 <= at <= 207 for at in times)
