from __future__ import annotations

import pytest

from gateway.lwm2m.errors import DecodeError, OptionTooLong
from gateway.lwm2m.parameters import (
    MAX_VENDOR_CHARACTERS,
    MAX_VENDOR_PARAMETERS,
    NO_PARAMETERS,
    Parameters,
    decode_parameters,
    find_claimed_node_id,
)


def test_every_parameter_is_read() -> None:
    queries = [
        "lwm2m=1.2",
        "ep=meter-7",
        "lt=300",
        "b=UQ",
        "Q",
        "sms=12345678",
        "pid=6:1234abcd",
        "x=1=2",
        "flag",
    ]
    expected = Parameters(
        node_id="meter-7",
        lifetime_s=300,
        lwm2m="1.2",
        version=(1, 2),
        binding="UQ",
        is_queue_mode=True,
        sms="12345678",
        profile_id="6:1234abcd",
        vendor=(("x", "1=2"), ("flag", "")),
    )
    assert decode_parameters(queries) == expected
    reordered = decode_parameters(queries[:7][::-1] + queries[7:])
    assert reordered == expected


def test_nothing_sent_is_nothing_read() -> None:
    assert decode_parameters([]) is NO_PARAMETERS
    assert decode_parameters(["", ""]) == NO_PARAMETERS


@pytest.mark.parametrize("query", ["Q", "Q=", "Q=true"])
def test_queue_mode_is_a_flag_in_three_spellings(query: str) -> None:
    assert decode_parameters([query]).is_queue_mode


@pytest.mark.parametrize("node_id", ["490154203237518", "a b&c", "urn:example:x", "Zähler", "=", "x" * 252])
def test_node_id_is_any_text(node_id: str) -> None:
    assert decode_parameters([f"ep={node_id}"]).node_id == node_id


@pytest.mark.parametrize(
    ("text", "lifetime_s"),
    [("0", 0), ("1", 1), ("0060", 60), ("4294967295", 4294967295), ("9999999999", 9999999999)],
)
def test_lifetime_is_a_number_of_seconds(text: str, lifetime_s: int) -> None:
    assert decode_parameters([f"lt={text}"]).lifetime_s == lifetime_s


def test_empty_sms_is_kept_apart_from_none() -> None:
    assert decode_parameters(["sms="]).sms == ""
    assert decode_parameters(["lt=1"]).sms is None


@pytest.mark.parametrize(
    "queries",
    [
        ["lt=60", "lt=60"],
        ["ep=a", "ep=b"],
        ["Q", "Q"],
        ["x=1", "x=2"],
        ["=1"],
        ["="],
        ["ep="],
        ["ep"],
        ["ep=urn:imei:1"],
        ["ep=a\nb"],
        ["ep=a\0"],
        ["ep=a\x85"],
        ["ep=a\ud800"],
        ["lt="],
        ["lt"],
        ["lt=-1"],
        ["lt=+60"],
        ["lt=1e3"],
        ["lt=60.0"],
        ["lt= 60"],
        ["lt=٦٠"],
        ["lt=12345678901"],
        ["lwm2m="],
        ["lwm2m=1.2.1"],
        ["lwm2m=one"],
        ["Q=false"],
        ["Q=1"],
        ["pid="],
        ["pid=nonsense"],
        ["x\x1b=1"],
        [f"x{number}=1" for number in range(MAX_VENDOR_PARAMETERS + 1)],
        [f"x{number}=" + "y" * 240 for number in range(MAX_VENDOR_CHARACTERS // 240 + 1)],
    ],
    ids=lambda queries: queries[0][:20].encode("unicode_escape").decode(),
)
def test_ill_formed_parameters_are_refused(queries: list[str]) -> None:
    with pytest.raises(DecodeError):
        decode_parameters(queries)


def test_vendor_parameters_are_kept_up_to_the_bound() -> None:
    queries = [f"x{number:02}=1" for number in range(MAX_VENDOR_PARAMETERS)]
    assert len(decode_parameters(queries).vendor) == MAX_VENDOR_PARAMETERS


@pytest.mark.parametrize("query", ["x=" + "y" * 253, "x=" + "ä" * 126 + "y", "ep=" + "🌡" * 63])
def test_option_of_255_bytes_is_the_longest(query: str) -> None:
    assert len(query.encode()) == 255
    decode_parameters([query])
    with pytest.raises(OptionTooLong):
        decode_parameters([query + "y"])


def test_claimed_node_id_is_found_however_wrong_and_made_printable() -> None:
    assert find_claimed_node_id(["lt=x", "ep=a\x1b[2J", "ep=b"]) == "a\N{REPLACEMENT CHARACTER}[2J"
    assert find_claimed_node_id(["lt=x", "ep=" + "y" * 300]) == "y" * 255
    assert find_claimed_node_id(["lt=x"]) is None
