"""Which format to ask for and to send: what the user says, else what the device's version and ``ct`` allow.

Every choice is a list, best first: when a device answers 4.06 or 4.15, the next one is tried.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.lwm2m.formats import Format, find_format
from gateway.lwm2m.model import DeviceModel, Model
from gateway.lwm2m.path import Path
from gateway.lwm2m.values import Type
from gateway.lwm2m.versions import Version, decode_version
from registry.model import Registration

V1_1 = Version(1, 1)
V1_2 = Version(1, 2)

_PACKS = (Format.SENML_CBOR, Format.LWM2M_CBOR, Format.SENML_JSON, Format.TLV, Format.OMA_JSON)
"Formats for many values, best first: compact, typed, able to say everything."

_COMPOSITES = (Format.SENML_CBOR, Format.SENML_JSON)
_ETCH = {Format.SENML_ETCH_JSON: Format.SENML_JSON, Format.SENML_ETCH_CBOR: Format.SENML_CBOR}


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """What a registration says about how to talk to the device."""

    version: Version
    "The one whose rules are applied."

    content_formats: tuple[int, ...]
    "``ct`` of its root."

    root: str
    "Its alternate path."

    model: DeviceModel

    @classmethod
    def of(cls, registration: Registration, model: Model) -> DeviceProfile:
        """The profile of a registered device."""
        objects = registration.objects
        return cls(
            decode_version(registration.lwm2m).effective,
            objects.content_formats,
            objects.alternate_path,
            DeviceModel.of(model, objects),
        )

    def named(self, choices: tuple[Format, ...]) -> list[Format]:
        """Those of *choices* that the device's ``ct`` names."""
        named = {find_format(number) for number in self.content_formats}
        return [choice for choice in choices if choice in named]


def is_single(path: Path, model: DeviceModel) -> bool:
    """Whether *path* is known to hold one value."""
    if len(path) == 4:
        return True
    resource = model.find_resource(path)
    return len(path) == 3 and resource is not None and not resource.is_multiple


def may_be_single(path: Path, model: DeviceModel) -> bool:
    """Whether nothing is known that speaks against *path* holding one value."""
    resource = model.find_resource(path)
    return len(path) > 2 and (len(path) == 4 or resource is None or not resource.is_multiple)


def read_formats(path: Path, device: DeviceProfile) -> list[Format | None]:
    """What to Accept from a Read or Observe of *path*; None lets the device choose."""
    choices: list[Format | None] = []
    if is_single(path, device.model):
        if device.model.find_type(path) is Type.OPAQUE:
            return [Format.OPAQUE, *_all_packs(device), None]
        choices += device.named(_PACKS)
        choices.append(Format.TEXT)
    return [*dict.fromkeys((*choices, *_all_packs(device), None))]


def write_formats(path: Path, device: DeviceProfile, *, is_partial: bool) -> list[Format]:
    """What to write to *path* in; formats for one value only where that is what is written."""
    packs = _all_packs(device)
    if is_partial or not may_be_single(path, device.model):
        return packs
    if device.model.find_type(path) is Type.OPAQUE:
        return [Format.OPAQUE, *packs]
    return [*dict.fromkeys((*device.named(_PACKS), Format.TEXT, *packs, Format.OPAQUE))]


def create_formats(path: Path, device: DeviceProfile) -> list[Format]:
    """What to write a new instance in.

    Before 1.2 only TLV (and OMA JSON) can leave the number of the instance to the device, and not every
    client of 1.2 knows the others' way of saying so.
    """
    packs = _all_packs(device)
    if len(path) == 1:
        return [Format.TLV, *(pack for pack in packs if pack is not Format.TLV)]
    return packs


def composite_formats(device: DeviceProfile) -> list[Format]:
    """What the body of a composite is written in; the answer is asked for in the same."""
    return [*dict.fromkeys((*device.named(_COMPOSITES), *_COMPOSITES))]


def composite_accept(format_: Format) -> Format:
    """What to Accept when the body of a composite is in *format_*: patches are no answers."""
    return _ETCH.get(format_, format_)


def _all_packs(device: DeviceProfile) -> list[Format]:
    """Formats for many values: what ``ct`` names, then what the version has."""
    if device.version < V1_1:
        known = [Format.TLV, Format.OMA_JSON]
    elif device.version < V1_2:
        known = [Format.SENML_CBOR, Format.TLV, Format.SENML_JSON]
    else:
        known = [Format.SENML_CBOR, Format.LWM2M_CBOR, Format.SENML_JSON, Format.TLV]
    return [*dict.fromkeys((*device.named(_PACKS), *known))]
