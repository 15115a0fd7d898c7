"""What a simulated device is made of when it leaves the factory, for each enabler version.

Instances are shared by all devices that have not changed them. A resource that holds None is there without a
value: an executable one. What a resource is (type, operations) is said by the object model, not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from gateway.lwm2m.formats import Format
from gateway.lwm2m.model import DeviceModel
from gateway.lwm2m.path import Path
from gateway.lwm2m.values import ObjectLink, Value
from gateway.lwm2m.versions import Version, decode_version
from gateway.objectmodel import own_model

Stored = Value | Mapping[int, Value]
"A value, or the values of a multiple resource by resource instance."

Instance = Mapping[int, Stored]
"Resources by id."

SERVER = Path((1, 0))
DEVICE = Path((3, 0))
FIRMWARE = Path((5, 0))
STATISTICS = Path((7, 0))
TEMPERATURE = Path((3303, 0))

HIDDEN_OBJECTS = frozenset({0, 21, 23})
"No server may touch them."

V1_0 = Version(1, 0)
V1_1 = Version(1, 1)
V1_2 = Version(1, 2)

_VERSIONS: Mapping[Version, Mapping[int, str]] = {
    V1_0: {0: "1.0", 1: "1.0", 3: "1.0", 4: "1.0", 5: "1.0"},
    V1_1: {0: "1.1", 1: "1.1", 3: "1.1", 4: "1.2", 5: "1.0"},
    V1_2: {0: "1.2", 1: "1.2", 3: "1.2", 4: "1.3", 5: "1.1"},
}
"Of core objects, as each enabler released them; an object list need not name these."

_FORMATS: Mapping[Version, tuple[Format, ...]] = {
    V1_0: (Format.TEXT, Format.OPAQUE, Format.TLV, Format.OMA_JSON),
    V1_1: (Format.TEXT, Format.OPAQUE, Format.CBOR, Format.SENML_CBOR, Format.SENML_JSON, Format.TLV),
    V1_2: (
        Format.TEXT,
        Format.OPAQUE,
        Format.CBOR,
        Format.SENML_CBOR,
        Format.SENML_JSON,
        Format.LWM2M_CBOR,
        Format.TLV,
        Format.SENML_ETCH_CBOR,
        Format.SENML_ETCH_JSON,
    ),
}


@dataclass(frozen=True, slots=True)
class Contents:
    """What a device has and speaks."""

    version: Version
    model: DeviceModel
    instances: Mapping[Path, Instance]

    objects: frozenset[int]
    "Those supported, with or without instances."

    listed_versions: Mapping[int, str]
    "Object versions that the object list has to name."

    formats: tuple[Format, ...]
    root: str = "/"
    "The alternate path."


@lru_cache(maxsize=64)
def factory_contents(lwm2m: str, lifetime_s: int = 300, is_queue_mode: bool = False) -> Contents:
    """The contents of a device that speaks *lwm2m*; the same object for all that are alike."""
    version = decode_version(lwm2m).effective
    instances: dict[Path, Instance] = {
        Path((0, 0)): _security(),
        SERVER: _server(version, lifetime_s, is_queue_mode),
        DEVICE: _device(version, is_queue_mode),
        Path((4, 0)): _connectivity(version),
        FIRMWARE: _firmware(version),
        Path((6, 0)): {0: 48.2082, 1: 16.3738, 2: 171.0, 5: 1_800_000_000, 6: 0.0},
        STATISTICS: {0: 0, 1: 0, 2: 0, 3: 0, 4: 1280, 5: 64, 6: None, 7: None, 8: 0},
        Path((16, 0)): {0: {0: "host-1", 1: "Nodegate", 2: "simulated"}},
        TEMPERATURE: _temperature(),
    }
    return build_contents(version, instances)


def build_contents(
    version: Version,
    instances: Mapping[Path, Instance],
    *,
    objects: Iterable[int] = (),
    formats: tuple[Format, ...] | None = None,
    root: str = "/",
) -> Contents:
    """Contents of *instances*, of which empty *objects* are supported as well."""
    supported = {path.object_id for path in instances} | set(objects)
    core = _VERSIONS[version]
    newest = {id_: found.version for id_ in supported if (found := own_model().find(id_)) is not None}
    versions = {**newest, **{id_: release for id_, release in core.items() if id_ in supported}}
    listed = {id_: ver for id_, ver in versions.items() if id_ not in core and ver != "1.0"}
    return Contents(
        version,
        DeviceModel(own_model(), versions),
        MappingProxyType(dict(instances)),
        frozenset(supported),
        MappingProxyType(listed),
        _FORMATS[version] if formats is None else formats,
        root,
    )


def _security() -> Instance:
    return {0: "coap://gateway.example", 1: False, 2: 3, 3: b"", 4: b"", 5: b"", 10: 1}


def _server(version: Version, lifetime_s: int, is_queue_mode: bool) -> Instance:
    binding = "UQ" if version < V1_1 and is_queue_mode else "U"
    server: dict[int, Stored] = {
        0: 1,
        1: lifetime_s,
        2: 0,
        3: 0,
        4: None,
        5: 86_400,
        6: True,
        7: binding,
        8: None,
    }
    if version >= V1_1:
        # A Send is allowed only where this says so.
        server[23] = False
    if version >= V1_2:
        server[26] = 0
    return server


def _device(version: Version, is_queue_mode: bool) -> Instance:
    return {
        0: "Nodegate",
        1: "simulated device",
        2: "345000123",
        3: "1.0.0",
        4: None,
        5: None,
        6: {0: 1, 1: 5},
        7: {0: 3800, 1: 5000},
        8: {0: 125, 1: 900},
        9: 100,
        10: 15,
        11: {0: 0},
        12: None,
        13: 1_800_000_000,
        14: "+00:00",
        15: "Etc/UTC",
        16: "UQ" if version < V1_1 and is_queue_mode else "U",
        17: "demo",
        18: "1",
        19: "1.0.0",
        20: 0,
        21: 256,
    }


def _connectivity(version: Version) -> Instance:
    connectivity: dict[int, Stored] = {
        0: 7,
        1: {0: 7},
        2: -92,
        3: 2,
        4: {0: "192.0.2.1"},
        5: {0: "192.0.2.254"},
        6: 5,
        7: {0: "internet"},
        8: 11_223_344,
        9: 1,
        10: 232,
    }
    if version >= V1_1:
        connectivity[11] = 12
    return connectivity


def _firmware(version: Version) -> Instance:
    firmware: dict[int, Stored] = {
        0: b"",
        1: "",
        2: None,
        3: 0,
        5: 0,
        6: "",
        7: "",
        8: {0: 0},
        9: 2,
    }
    if version >= V1_2:
        firmware[10] = None
    return firmware


def _temperature() -> Instance:
    return {
        5601: 21.5,
        5602: 21.5,
        5603: -40.0,
        5604: 85.0,
        5605: None,
        5700: 21.5,
        5701: "Cel",
        5750: "",
    }


NO_LINK = ObjectLink(65_535, 65_535)
"The Objlnk that refers to nothing."
