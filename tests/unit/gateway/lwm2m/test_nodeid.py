from __future__ import annotations

import pytest

from gateway.lwm2m.nodeid import find_malformed_urn

WELL_FORMED = [
    "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    "urn:uuid:F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6",
    "urn:dev:ops:00D09E-MODEL.7-S/N 1-2",
    "urn:dev:ops:32473-refrigerator-5002",
    "urn:dev:os:32473-123456",
    "urn:dev:os:00D09E-a-b",
    "urn:imei:490154203237518",
    "urn:gsma:imei:490154203237518",
    "urn:gsma:imei:90420156-025763-0",
    "urn:gsma:imei:90420156-025763-0;svn=42",
    "urn:esn:80E0D1C2",
    "urn:meid:A04B0D5602A7E3",
    "urn:3gpp2:meid:A04B0D56-02A7E3",
    "urn:3gpp2:meid:a04b0d5602a7e3",
    "urn:imei-msisdn:490154203237518-491234567890123",
    "urn:imei-imsi:490154203237518-262011234567890",
    "urn:nai:meter@example.com",
    "urn:extid:meter@" + "x" * 57,
    "URN:IMEI:490154203237518",
]

OTHER_TEXT = [
    "490154203237518",
    "00:11:22:33:44:55",
    "urn",
    "urn:",
    "urn:dev:mac:0024befffe804ff1",
    "urn:example:anything",
    "native_sim",
    "Zähler-7",
]

MALFORMED = [
    ("urn:uuid:f81d4fae-7dec-11d0-a765", "urn:uuid:"),
    ("urn:uuid:g81d4fae-7dec-11d0-a765-00a0c91e6bf6", "urn:uuid:"),
    ("urn:dev:ops:32473-5002", "urn:dev:ops:"),
    ("urn:dev:ops:XYZ-a-b", "urn:dev:ops:"),
    ("urn:dev:ops:32473--5002", "urn:dev:ops:"),
    ("urn:dev:os:32473-", "urn:dev:os:"),
    ("urn:dev:os:32473", "urn:dev:os:"),
    ("urn:imei:", "urn:imei:"),
    ("urn:imei:49015420323751", "urn:imei:"),
    ("urn:imei:4901542032375180", "urn:imei:"),
    ("urn:imei:49015420323751a", "urn:imei:"),
    ("urn:imei:490154203237518\n", "urn:imei:"),
    ("urn:gsma:imei:90420156-025763", "urn:gsma:imei:"),
    ("urn:esn:80E0D1C", "urn:esn:"),
    ("urn:meid:A04B0D5602A7E", "urn:meid:"),
    ("urn:3gpp2:meid:A04B0D56-02A7E", "urn:3gpp2:meid:"),
    ("urn:imei-msisdn:490154203237518", "urn:imei-msisdn:"),
    ("urn:imei-imsi:490154203237518-26201123456789", "urn:imei-imsi:"),
    ("urn:nai:meter", "urn:nai:"),
    ("urn:nai:a@b@c", "urn:nai:"),
    ("urn:extid:", "urn:extid:"),
    ("urn:extid:" + "x" * 64, "urn:extid:"),
    ("urn:extid:" + "ä" * 32, "urn:extid:"),
    ("Urn:Imei:1", "urn:imei:"),
]


@pytest.mark.parametrize("node_id", WELL_FORMED)
def test_listed_forms_are_taken_when_well_formed(node_id: str) -> None:
    assert find_malformed_urn(node_id) is None


@pytest.mark.parametrize("node_id", OTHER_TEXT)
def test_text_outside_the_listed_forms_is_free(node_id: str) -> None:
    assert find_malformed_urn(node_id) is None


@pytest.mark.parametrize(("node_id", "prefix"), MALFORMED)
def test_listed_form_that_is_not_kept_to_is_named(node_id: str, prefix: str) -> None:
    assert find_malformed_urn(node_id) == prefix
