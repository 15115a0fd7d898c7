"""An operation that somebody wants of a device, checked, as the command that the registry keeps."""

from __future__ import annotations

from gateway.lwm2m.negotiation import DeviceProfile
from gateway.lwm2m.operationcodec import encode_operation
from gateway.lwm2m.operations import Operation, is_repeatable, paths_of
from gateway.lwm2m.requests import Refusal, prepare
from registry.commands import NewCommand


def make_command(
    operation: Operation, profile: DeviceProfile | None, ttl_s: int | None
) -> NewCommand | Refusal:
    """The command that has *operation* done within *ttl_s* seconds, or why the device cannot have it.

    Without *ttl_s* the gateway's settings say how long it may wait. Without a *profile*, the device not being
    registered, that is found out when it is sent.
    """
    if profile is not None:
        refusal = prepare(operation, profile)
        if isinstance(refusal, Refusal):
            return refusal
    paths = tuple(map(str, paths_of(operation)))
    return NewCommand(operation.name, paths, encode_operation(operation), is_repeatable(operation), ttl_s)
