"""`registry.observations`: relations as rows."""

from __future__ import annotations

import pytest

from registry import observations
from registry.observations import Observation, ObservationState
from tests.support.registry import Place

FIRST = Observation(b"first", 1, ("/3303/0/5700",), b"observe", ObservationState.WANTED, 10)
OTHER = Observation(
    b"other",
    1,
    ("/3/0/0", "/3/0/1"),
    b"observe",
    ObservationState.ESTABLISHED,
    5,
    (("pmin", 1), ("gt", 25.5)),
    "location",
)
ELSEWHERE = Observation(b"elsewhere", 2, ("/3303/0/5700",), b"observe", ObservationState.REFUSED, 7)


@pytest.fixture
def connection(tmp_path):
    with Place(tmp_path).database() as database, database.transaction() as connection:
        for each in (FIRST, OTHER, ELSEWHERE):
            connection.execute(observations.PUT, observations.to_row(each))
        yield connection


def test_rows_are_read_as_they_were_written_the_oldest_first(connection) -> None:
    assert observations.read(connection) == [OTHER, ELSEWHERE, FIRST]
    assert observations.read(connection, 1) == [OTHER, FIRST]
    assert observations.read(connection, 3) == []


def test_one_of_the_same_token_or_the_same_paths_takes_its_place(connection) -> None:
    again = Observation(b"again", 2, ELSEWHERE.paths, b"observe", ObservationState.WANTED, 8)
    refused = Observation(b"first", 1, FIRST.paths, b"observe", ObservationState.REFUSED, 10)
    for each in (again, refused):
        connection.execute(observations.PUT, observations.to_row(each))
    assert observations.read(connection) == [OTHER, again, refused]


def test_forgotten_are_one_or_all_of_a_device(connection) -> None:
    connection.execute(observations.FORGET, (FIRST.token,))
    assert observations.read(connection, 1) == [OTHER]
    observations.forget_all(connection, 2)
    assert observations.read(connection) == [OTHER]
