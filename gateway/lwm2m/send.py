"""Send: values that a device reports without being asked (OMA Core TS 1.2 §6.4.5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.formats import Format, decode, find_format
from gateway.lwm2m.negotiation import DeviceProfile
from gateway.lwm2m.path import ROOT
from gateway.lwm2m.records import Context, Decoded
from registry.model import ObjectList

FORMATS = frozenset({Format.SENML_JSON, Format.SENML_CBOR, Format.LWM2M_CBOR})


class SendRefusal(Enum):
    """Why nothing of a Send is kept; the value is what the operator reads."""

    UNDECODABLE = "a Send that cannot be read"
    EMPTY = "a Send without values"
    NO_VALUE_FORMAT = "a Send in another format than SenML or LwM2M CBOR"
    UNREGISTERED_OBJECT = "a Send about an object that was not registered"


@dataclass(frozen=True, slots=True)
class RefusedSend:
    """A Send of which nothing is kept."""

    reason: SendRefusal
    detail: str = ""


def read_send(
    content_format: int | None, payload: bytes, device: DeviceProfile, objects: ObjectList
) -> Decoded | RefusedSend:
    """The values of a Send by a device that registered *objects*; values that do not fit are left out of it.

    Times are as sent: `gateway.lwm2m.records.absolute_time_s` makes instants of them.
    """
    format_ = None if content_format is None else find_format(content_format)
    if format_ not in FORMATS:
        return RefusedSend(SendRefusal.NO_VALUE_FORMAT, f"content format {content_format}")
    assert format_ is not None
    try:
        decoded = decode(format_, payload, Context(ROOT, device.model.find_type, device.root))
    except DecodeError as error:
        return RefusedSend(SendRefusal.UNDECODABLE, str(error))
    registered = _object_ids(objects)
    for path in decoded.paths():
        if path.object_id not in registered:
            return RefusedSend(SendRefusal.UNREGISTERED_OBJECT, str(path))
    if not decoded.records:
        if decoded.misfits:
            misfit = decoded.misfits[0]
            return RefusedSend(SendRefusal.UNDECODABLE, f"{misfit.path}: {misfit.reason}")
        return RefusedSend(SendRefusal.EMPTY)
    return decoded


@lru_cache(maxsize=4096)
def _object_ids(objects: ObjectList) -> frozenset[int]:
    return frozenset(link.object_id for link in objects.links)
