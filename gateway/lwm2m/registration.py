"""Whether a device may register, update and leave: requests in, decisions out.

    decode_register / decode_update          queries and payload → request
    decide_register(request, peer, device)   → Accepted | Refused
    decide_update(request, peer, registration, device)   → Changed | Renewed | Refused
    decide_deregister(peer, registration, device)   → Removed | Refused

First who, then what: the object list of a stranger is never read. Knows no response codes, stores nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from sys import intern
from typing import Any, Final, NamedTuple

from gateway.lwm2m.binding import register_binding, update_binding
from gateway.lwm2m.errors import DecodeError, RefusalReason, UnsupportedFormat
from gateway.lwm2m.objectlinks import decode_object_links, merge_object_lists
from gateway.lwm2m.parameters import (
    NO_PARAMETERS,
    Parameters,
    check_vendor_parameters,
    decode_parameters,
)
from gateway.lwm2m.versions import decode_version
from registry.model import Device, ObjectList, Registration, Security

DEFAULT_LIFETIME_S = 86_400
"Where a Register says nothing."

LINK_FORMAT = 40
"CoAP Content-Format number."


class NosecBinding(StrEnum):
    """What, besides the location, a plain-CoAP peer must show to touch its registration."""

    IP_PORT = "ip-port"
    IP = "ip"
    LOCATION = "location"


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's part of the decision."""

    min_lifetime_s: int = 1
    max_lifetime_s: int = 315_360_000
    "Ten years."

    allow_unlimited: bool = False
    "Whether lifetime 0 is taken for unlimited."

    nosec_binding: NosecBinding = NosecBinding.IP


class Peer(NamedTuple):
    """Who sent a request."""

    identity: str | None
    "What its security association proved; None over plain CoAP."

    address: str
    "``IP:PORT`` it comes from, IPv6 in brackets."


class RegisterRequest(NamedTuple):
    """A Register whose parameters are well-formed and complete."""

    parameters: Parameters
    payload: bytes
    "The object list, not read yet; empty where none was sent."


class UpdateRequest(NamedTuple):
    """An Update whose parameters are well-formed."""

    parameters: Parameters = NO_PARAMETERS
    payload: bytes = b""


EMPTY_UPDATE = UpdateRequest()


@dataclass(frozen=True, slots=True)
class Refused:
    """The request changes nothing."""

    reason: RefusalReason
    detail: str = ""

    @property
    def text(self) -> str:
        """For the operator; never sent to the peer."""
        return f"{self.reason.value}: {self.detail}" if self.detail else self.reason.value


class Accepted(NamedTuple):
    """A Register that may be stored."""

    device: Device
    peer: Peer
    parameters: Parameters
    binding: str
    lifetime_s: int
    objects: ObjectList

    def create_registration(self, location: str, registered_at_ms: int) -> Registration:
        """The registration under *location*, which the caller drew at random."""
        device, peer, parameters, binding, lifetime_s, objects = self
        assert parameters.lwm2m is not None
        # Equal strings are shared: a million registrations are kept.
        node_id = device.node_id
        identity = node_id if peer.identity == node_id else peer.identity
        # By position: by name takes three times as long.
        return Registration(
            device.number,
            device.device_id,
            node_id,
            location,
            identity,
            peer.address,
            intern(parameters.lwm2m),
            binding,
            lifetime_s,
            objects,
            registered_at_ms,
            parameters.sms or None,
            parameters.profile_id,
            parameters.vendor,
        )


@dataclass(frozen=True, slots=True)
class Changed:
    """An Update that changes what is stored."""

    registration: Registration
    "The new state, at the peer's address."


class Renewed(Enum):
    """An Update that only extends the lifetime."""

    RENEWED = "renewed"


_RENEWED: Final = Renewed.RENEWED
_NO_SECURITY: Final = Security.NONE


class Removed(Enum):
    """A De-register that may be done."""

    REMOVED = "removed"


def decode_register(queries: Sequence[str], content_format: int | None, payload: bytes) -> RegisterRequest:
    """Read a Register; a missing Content-Format counts as link format.

    Raises:
        UnsupportedFormat: a payload in another format.
        DecodeError: an ill-formed parameter, or no ``lwm2m``.
    """
    _check_format(content_format, payload)
    parameters = decode_parameters(queries)
    if parameters.lwm2m is None:
        raise DecodeError("lwm2m is missing")
    return RegisterRequest(parameters, payload)


def decode_update(queries: Sequence[str], content_format: int | None, payload: bytes) -> UpdateRequest:
    """Read an Update; one without parameters and payload is always the same object.

    Raises:
        UnsupportedFormat: a payload in another format.
        DecodeError: an ill-formed parameter.
    """
    if not queries and not payload:
        return EMPTY_UPDATE
    _check_format(content_format, payload)
    return UpdateRequest(decode_parameters(queries), payload)


def find_node_id(request: RegisterRequest, peer: Peer) -> str | None:
    """Whom a Register is for: its ``ep``, or else the identity of the session."""
    node_id = request.parameters.node_id
    return peer.identity if node_id is None else node_id


def decide_register(
    request: RegisterRequest,
    peer: Peer,
    device: Device | None,
    policy: Policy,
    known_objects: ObjectList | None = None,
) -> Accepted | Refused:
    """Whether *request* becomes a registration of *device*.

    *device* is what the registry holds under `find_node_id`; *known_objects* what the request's
    profile ID is known to stand for. Every refusal of a peer's standing is the same 4.03 outside.
    """
    refusal = _refuse_stranger(request, peer, device)
    if refusal is not None:
        return refusal
    assert device is not None
    parameters = request.parameters
    version = parameters.version
    assert version is not None
    if not version.is_supported:
        return Refused(RefusalReason.UNSUPPORTED_VERSION, parameters.lwm2m or "")
    lifetime_s = DEFAULT_LIFETIME_S if parameters.lifetime_s is None else parameters.lifetime_s
    if not _is_allowed_lifetime(lifetime_s, policy):
        return _refuse_lifetime(lifetime_s, policy)
    try:
        binding = register_binding(parameters.binding, parameters.is_queue_mode, version)
        objects = _read_objects(request.payload, parameters, known_objects)
    except DecodeError as error:
        return Refused(error.reason, str(error))
    if objects is None:
        if parameters.profile_id is not None:
            return Refused(RefusalReason.UNKNOWN_PROFILE, parameters.profile_id)
        return Refused(RefusalReason.NO_OBJECT_LIST)
    return Accepted(device, peer, parameters, binding, lifetime_s, objects)


def find_objection(
    peer: Peer, registration: Registration | None, device: Device | None, policy: Policy
) -> Refused | None:
    """Why *peer* may not touch *registration*, or None if it may: the right identity, or over plain CoAP
    the source that the policy asks for (the location itself was right, or there is no registration).
    """
    if registration is None or device is None or device.number != registration.device or device.is_frozen:
        return Refused(RefusalReason.UNKNOWN_REGISTRATION)
    if registration.identity is not None or peer.identity is not None:
        if peer.identity == registration.identity:
            return None
        return Refused(RefusalReason.FOREIGN_PEER, "another identity")
    if policy.nosec_binding is NosecBinding.LOCATION or registration.address == peer.address:
        return None
    if policy.nosec_binding is NosecBinding.IP and _is_same_host(registration.address, peer.address):
        return None
    return Refused(RefusalReason.FOREIGN_PEER, f"registered from {registration.address}")


def decide_update(
    request: UpdateRequest,
    peer: Peer,
    registration: Registration | None,
    device: Device | None,
    policy: Policy,
    known_objects: ObjectList | None = None,
) -> Changed | Renewed | Refused:
    """What an Update does to *registration*, the one that its path names.

    It changes only what it carries, and nothing at all if any part of it is refused. An object list is
    complete, not an addition.
    """
    refusal = find_objection(peer, registration, device, policy)
    if refusal is not None:
        return refusal
    if request is EMPTY_UPDATE:
        return _RENEWED
    assert registration is not None
    parameters = request.parameters
    lifetime_s = parameters.lifetime_s
    if lifetime_s is not None and not _is_allowed_lifetime(lifetime_s, policy):
        return _refuse_lifetime(lifetime_s, policy)
    try:
        _check_unchangeable(parameters, registration)
        changes = _find_changes(request, registration, known_objects)
    except DecodeError as error:
        return Refused(error.reason, str(error))
    if changes is None:
        return Refused(RefusalReason.UNKNOWN_PROFILE, parameters.profile_id or "")
    if not changes:
        return _RENEWED
    return Changed(registration._replace(address=peer.address, **changes))


def decide_deregister(
    peer: Peer, registration: Registration | None, device: Device | None, policy: Policy
) -> Removed | Refused:
    """Whether *peer* may end *registration*."""
    return find_objection(peer, registration, device, policy) or Removed.REMOVED


def _check_format(content_format: int | None, payload: bytes) -> None:
    if payload and content_format is not None and content_format != LINK_FORMAT:
        raise UnsupportedFormat(f"content format {int(content_format)}")


def _refuse_stranger(request: RegisterRequest, peer: Peer, device: Device | None) -> Refused | None:
    claimed = request.parameters.node_id
    identity = peer.identity
    if identity is None:
        if claimed is None:
            return Refused(RefusalReason.NO_NODE_ID)
    elif claimed is not None and claimed != identity:
        return Refused(RefusalReason.FOREIGN_IDENTITY, f"ep is {claimed}")
    if device is None:
        return Refused(RefusalReason.UNKNOWN_DEVICE)
    if device.is_frozen:
        return Refused(RefusalReason.FROZEN)
    if (device.security is _NO_SECURITY) is not (identity is None):
        came = "plain CoAP" if identity is None else "DTLS"
        return Refused(RefusalReason.WRONG_SECURITY, f"security {device.security} over {came}")
    return None


def _is_same_host(registered: str, address: str) -> bool:
    return registered.rpartition(":")[0] == address.rpartition(":")[0]


def _is_allowed_lifetime(lifetime_s: int, policy: Policy) -> bool:
    if lifetime_s == 0:
        return policy.allow_unlimited
    return policy.min_lifetime_s <= lifetime_s <= policy.max_lifetime_s


def _refuse_lifetime(lifetime_s: int, policy: Policy) -> Refused:
    return Refused(
        RefusalReason.LIFETIME_OUT_OF_BOUNDS,
        f"{lifetime_s} s, allowed are {policy.min_lifetime_s} to {policy.max_lifetime_s} s",
    )


def _read_objects(
    payload: bytes, parameters: Parameters, known_objects: ObjectList | None
) -> ObjectList | None:
    """The list sent, united with what the profile ID stands for; None where neither says anything."""
    if not payload:
        return known_objects if parameters.profile_id is not None else None
    objects = decode_object_links(payload)
    if parameters.profile_id is None or known_objects is None or known_objects == objects:
        return objects
    return merge_object_lists(known_objects, objects)


def _check_unchangeable(parameters: Parameters, registration: Registration) -> None:
    if parameters.node_id is not None and parameters.node_id != registration.node_id:
        raise DecodeError("an Update cannot change ep")
    if parameters.lwm2m is not None and parameters.lwm2m != registration.lwm2m:
        raise DecodeError("an Update cannot change lwm2m")


def _find_changes(
    request: UpdateRequest, registration: Registration, known_objects: ObjectList | None
) -> dict[str, Any] | None:
    """Fields of the registration that get another value; None for a profile ID without a known list."""
    parameters = request.parameters
    sent: dict[str, Any] = {}
    if parameters.lifetime_s is not None:
        sent["lifetime_s"] = parameters.lifetime_s
    if parameters.binding is not None or parameters.is_queue_mode:
        version = decode_version(registration.lwm2m)
        sent["binding"] = update_binding(
            registration.binding, parameters.binding, parameters.is_queue_mode, version
        )
    if parameters.sms is not None:
        sent["sms"] = parameters.sms or None
    if parameters.vendor:
        sent["parameters"] = check_vendor_parameters(dict(registration.parameters) | dict(parameters.vendor))
    if parameters.profile_id is not None:
        sent["profile_id"] = parameters.profile_id
        if not request.payload and known_objects is None:
            return None
    if request.payload or parameters.profile_id is not None:
        sent["objects"] = _read_objects(request.payload, parameters, known_objects)
    return {name: value for name, value in sent.items() if getattr(registration, name) != value}
