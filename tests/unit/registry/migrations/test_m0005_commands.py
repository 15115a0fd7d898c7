"""The step that adds commands and observations."""

from __future__ import annotations

import sqlite3

import pytest


def test_an_observation_of_the_same_paths_takes_the_place_of_the_former(place) -> None:
    with place.database() as database, database.transaction() as connection:
        put = (
            "INSERT INTO observation (token, device, paths, request, state, attributes, created_at_ms)"
            " VALUES (?, 1, '[]', x'', 'wanted', '[]', 0)"
        )
        connection.execute(put, (b"a",))
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(put, (b"b",))
