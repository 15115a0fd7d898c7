"""Transport bindings and queue mode, as ``b`` and ``Q`` tell them (OMA Core TS 1.0 §5.3.1, 1.2 §6.2.1).

In 1.0 ``b`` names the current mode, queue mode included; from 1.1 on it names every supported
transport and ``Q`` stands by itself. Firmware mixes the two, so a Q inside ``b`` counts in every version.
"""

from __future__ import annotations

from functools import lru_cache

from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.versions import Version

DEFAULT_BINDING = "U"

_TRANSPORTS = {0: "US", 1: "UTSN", 2: "UTSNMH"}
"Letters by effective minor version: UDP, SMS, TCP, Non-IP, MQTT, HTTP."


def check_binding(binding: str, version: Version) -> None:
    """Accept any combination of the transports of *version*, each once, and Q.

    Raises:
        DecodeError: another letter, a repeated one, or no transport at all.
    """
    transports = _TRANSPORTS[version.effective.minor]
    letters = set(binding)
    if len(letters) != len(binding) or not letters - {"Q"} or not letters <= {*transports, "Q"}:
        raise DecodeError(f"b is no combination of {transports} and Q")


@lru_cache(maxsize=1024)
def register_binding(binding: str | None, is_queue_mode: bool, version: Version) -> str:
    """What a Register says, with Q appended in queue mode.

    Raises:
        DecodeError: as `check_binding`.
    """
    if binding is None:
        binding = DEFAULT_BINDING
    else:
        check_binding(binding, version)
    return _with_queue_mode(binding) if is_queue_mode else binding


def update_binding(current: str, binding: str | None, is_queue_mode: bool, version: Version) -> str:
    """What *current* becomes by an Update that carries *binding* or ``Q``.

    From 1.1 on nothing in an Update can say "no queue mode", so Q outlives a ``b`` without it;
    in 1.0 the ``b`` says all.

    Raises:
        DecodeError: as `check_binding`.
    """
    if binding is None:
        return _with_queue_mode(current) if is_queue_mode else current
    check_binding(binding, version)
    keeps_queue_mode = version.minor > 0 and "Q" in current
    return _with_queue_mode(binding) if is_queue_mode or keeps_queue_mode else binding


def _with_queue_mode(binding: str) -> str:
    return binding if "Q" in binding else binding + "Q"
