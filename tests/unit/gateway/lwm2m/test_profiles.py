from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.profiles import decode_profile_ids

VECTORS = json.loads((Path(__file__).parents[3] / "vectors/lwm2m/profile-ids.json").read_text())["vectors"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_published_profile_ids_are_read(vector: dict) -> None:
    def text(profile: dict) -> str:
        if profile["kind"] == "dynamic":
            return f"{profile['suite']}:{profile['hash']}"
        return f"{profile['kind']}:{profile['id']}"

    assert list(decode_profile_ids(vector["text"])) == [text(profile) for profile in vector["expected"]]


@pytest.mark.parametrize(
    "text",
    ["", '""', '"', "7:12", "6:", "6:xyz", "x:abc", "oma:", "v:a_b", "6:12,", ",6:12", '"6:12', "6:12 "],
)
def test_other_text_is_no_profile_id(text: str) -> None:
    with pytest.raises(DecodeError):
        decode_profile_ids(text)
