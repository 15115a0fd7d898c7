"""Send: ``POST /dp``, values that a device reports without being asked (OMA Transport TS 1.2 §6.4.6).

The peer says nowhere who it is: its registration is that of its session's identity, or over plain CoAP the
one last heard from its address. Answers after the commit. Knows neither sockets nor tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aiocoap.numbers.codes import Code

from gateway.lwm2m.errors import RefusalReason
from gateway.lwm2m.model import Model
from gateway.lwm2m.negotiation import DeviceProfile
from gateway.lwm2m.readings import readings_of
from gateway.lwm2m.registration import Peer, Policy, find_objection
from gateway.lwm2m.send import RefusedSend, read_send
from gateway.messaging.handling import Request, Response, respond
from gateway.messaging.pending import Pending
from gateway.site.respond import FAILURES, Fault, error_response
from registry.clock import Clock
from registry.model import Origin, Registration
from registry.outcomes import CommitFailure, CommitOutcome
from registry.store import Registry

ROOT = "dp"

_POST: Final = int(Code.POST)
_CHANGED = respond(Code.CHANGED)


class SendReceiver:
    """Everything below ``/dp``."""

    def __init__(
        self,
        registry: Registry,
        policy: Policy,
        clock: Clock,
        find_model: Callable[[], Model],
        hear: Callable[[Registration], None],
    ) -> None:
        """*find_model* gives the object model as it is now; *hear* is told of each Send that is taken."""
        self._hear = hear
        self._registry = registry
        self._policy = policy
        self._find_model = find_model
        self._clock = clock

    def handle(self, request: Request) -> Response | Pending | None:
        """Answer *request*, or None if its path is not ours. Never raises on what a peer sent."""
        path = request.uri_path
        if not path or path[0] != ROOT:
            return None
        if len(path) > 1:
            return error_response(Fault.NO_RESOURCE)
        if request.code != _POST:
            return error_response(Fault.WRONG_METHOD)
        remote = request.remote
        registration = self._find(Peer(remote.identity, str(remote.address)))
        if registration is None:
            return error_response(RefusalReason.UNKNOWN_REGISTRATION)
        if self._registry.is_overloaded:
            return error_response(Fault.OVERLOADED)
        profile = DeviceProfile.of(registration, self._find_model())
        sent = read_send(request.content_format, request.payload, profile, registration.objects)
        if isinstance(sent, RefusedSend):
            text = f"{sent.reason.value}: {sent.detail}" if sent.detail else sent.reason.value
            self._registry.refuse(registration.node_id, registration.address, text)
            return error_response(sent.reason)
        pending = Pending()
        readings = readings_of(sent.records, self._clock.wall_ms())
        self._registry.keep_values(registration.device, readings, Origin.SEND, _Answer(pending))
        self._hear(registration)
        return pending

    def _find(self, peer: Peer) -> Registration | None:
        registry = self._registry
        if peer.identity is None:
            registration = registry.find_registration_from(peer.address)
        else:
            device = registry.find_device(peer.identity)
            registration = None if device is None else registry.find_registration_of(device.number)
        if registration is None:
            return None
        device = registry.find_device(registration.node_id)
        return registration if find_objection(peer, registration, device, self._policy) is None else None


class _Answer:
    """Completes one Send when its commit is done."""

    __slots__ = ("_pending",)

    def __init__(self, pending: Pending) -> None:
        self._pending = pending

    def __call__(self, outcome: CommitOutcome) -> None:
        failure = outcome.failure
        if failure is None:
            self._pending.complete(_CHANGED)
        elif failure is CommitFailure.OVERTAKEN:
            self._pending.complete(error_response(RefusalReason.UNKNOWN_REGISTRATION))
        else:
            self._pending.complete(error_response(FAILURES[failure]))
