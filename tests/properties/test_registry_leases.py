"""The timer wheel against a dictionary: nothing early, nothing forgotten."""

from hypothesis import given
from hypothesis import strategies as st

from registry.leases import UNLIMITED, Leases, expiry_after, pack, unpack

NOW = 1_000_000
NUMBERS = st.integers(0, 3_000)
SPANS = st.one_of(st.integers(1, 30), st.integers(1, 20_000), st.just(UNLIMITED - NOW))

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("grant"), NUMBERS, SPANS),
        st.tuples(st.just("renew"), NUMBERS, SPANS),
        st.tuples(st.just("drop"), NUMBERS, st.just(0)),
        st.tuples(st.just("pass"), st.integers(1, 6_000), st.integers(1, 5)),
    ),
    max_size=60,
)


def take_due(leases: Leases, second: int, limit: int) -> list[int]:
    found = []
    while leases.is_behind(second):
        found += leases.due(second, limit)
    return found


@given(STEPS)
def test_due_are_exactly_those_whose_second_has_come(steps):
    leases, model, now = Leases(NOW), {}, NOW
    for kind, number, value in steps:
        if kind == "grant":
            model[number] = min(now + value, UNLIMITED)
            leases.grant(number, model[number])
        elif kind == "renew":
            expiry = min(now + value, UNLIMITED)
            if number in model and expiry > model[number]:
                model[number] = expiry
                leases.renew(number, expiry)
        elif kind == "drop":
            model.pop(number, None)
            leases.drop(number)
        else:
            now += number
            due = take_due(leases, now, value)
            assert sorted(due) == sorted(n for n, expiry in model.items() if expiry <= now)
            for ended in due:
                leases.drop(ended)
                del model[ended]
    for number, expiry in model.items():
        assert leases.find(number) == expiry


@given(st.floats(0, 4e9), st.floats(1e-3, 1e6))
def test_expiry_is_not_early_and_at_most_a_second_late(now, duration):
    expiry = expiry_after(now, duration)
    assert expiry == UNLIMITED or 0 < expiry - (now + duration) + 1e-6 <= 1 + 2e-6


@given(st.binary(max_size=5_000))
def test_any_bytes_unpack_and_whole_pages_survive(data):
    page = unpack(data)
    assert pack(page) == data[: len(data) // 4 * 4]
