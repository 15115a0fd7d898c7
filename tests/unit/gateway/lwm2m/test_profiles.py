from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.objectlinks import decode_object_links
from gateway.lwm2m.profiles import KnownProfiles, decode_profile_ids

VECTORS = json.loads((Path(__file__).parents[3] / "vectors/lwm2m/profile-ids.json").read_text())["vectors"]

DEVICE_AND_LOCATION = decode_object_links(b"</3/0>,</6>")
FIRMWARE = decode_object_links(b"</5/0>;ver=1.1")


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


def test_profile_is_believed_of_the_device_that_sent_it_only() -> None:
    known = KnownProfiles()
    known.learn("d-1", "6:1234abcd", DEVICE_AND_LOCATION)
    assert known.find("d-1", "6:1234abcd") is DEVICE_AND_LOCATION
    assert known.find("d-2", "6:1234abcd") is None
    assert known.find("d-1", "6:1234abce") is None


def test_what_was_learnt_first_stays() -> None:
    known = KnownProfiles()
    known.learn("d-1", "oma:a", FIRMWARE)
    known.learn("d-1", "oma:a", DEVICE_AND_LOCATION)
    assert known.find("d-1", "oma:a") is FIRMWARE


def test_several_ids_stand_for_the_union_if_each_is_known() -> None:
    known = KnownProfiles()
    known.learn("d-1", "oma:a", FIRMWARE)
    assert known.find("d-1", '"oma:a,oma:b"') is None
    known.learn("d-1", "oma:b", DEVICE_AND_LOCATION)
    union = known.find("d-1", '"oma:a,oma:b"')
    assert union is not None
    assert [link.path for link in union.links] == ["/3/0", "/5/0", "/6"]


def test_longest_unused_is_forgotten_at_the_bound() -> None:
    known = KnownProfiles(capacity=2)
    known.learn("d-1", "oma:a", FIRMWARE)
    known.learn("d-2", "oma:a", FIRMWARE)
    assert known.find("d-1", "oma:a") is FIRMWARE
    known.learn("d-3", "oma:a", FIRMWARE)
    assert len(known) == 2
    assert known.find("d-2", "oma:a") is None
    assert known.find("d-1", "oma:a") is FIRMWARE
