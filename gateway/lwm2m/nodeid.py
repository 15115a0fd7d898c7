"""Node IDs: the URN forms that OMA Core TS 1.2 §6.3.1 lists must be well-formed when they are used.

Any other text is a node ID too: modems bring plain IMEIs, MAC addresses and serial numbers.
Knows no device and no identity.
"""

from __future__ import annotations

import re

_PEN_OR_OUI = r"(?:[0-9]+|[0-9A-F]{6})"
_IMEI = r"(?:[0-9]{15}|[0-9]{8}-[0-9]{6}-[0-9])"
_MEID = r"[0-9A-F]{8}-?[0-9A-F]{6}"

_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (prefix, re.compile(rest, re.IGNORECASE | re.ASCII | re.DOTALL))
    for prefix, rest in (
        ("imei:", r"[0-9]{15}"),
        ("uuid:", r"[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}"),
        ("dev:ops:", _PEN_OR_OUI + r"-[^-]+-.+"),
        ("dev:os:", _PEN_OR_OUI + r"-.+"),
        ("gsma:imei:", _IMEI + r"(?:;.+)?"),
        ("esn:", r"[0-9A-F]{8}"),
        ("meid:", r"[0-9A-F]{14}"),
        ("3gpp2:meid:", _MEID),
        ("imei-msisdn:", r"[0-9]{15}-[0-9]{15}"),
        ("imei-imsi:", r"[0-9]{15}-[0-9]{15}"),
        ("nai:", r"[^@]+@[^@]+"),
    )
)

EXTERNAL_ID_BYTES = 63


def find_malformed_urn(node_id: str) -> str | None:
    """The prefix of the listed URN form that *node_id* uses and does not keep to, else None.

    >>> find_malformed_urn("urn:imei:490154203237518")
    >>> find_malformed_urn("urn:imei:4901")
    'urn:imei:'
    """
    if node_id[:4].lower() != "urn:":
        return None
    name = node_id[4:]
    lowered = name.lower()
    for prefix, form in _FORMS:
        if lowered.startswith(prefix):
            return None if form.fullmatch(name, len(prefix)) else f"urn:{prefix}"
    if lowered.startswith("extid:"):
        external_id = name[len("extid:") :].encode()
        return None if 0 < len(external_id) <= EXTERNAL_ID_BYTES else "urn:extid:"
    return None
