"""The registration interface: ``POST /rd``, ``POST`` and ``DELETE /rd/<location>``
(OMA Transport TS 1.2 §6.4.2).

Takes a whole request (blocks assembled, duplicates removed) and answers at once or, where something has
to be on disk first, after the commit. Knows neither sockets nor tables.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Final

from aiocoap.numbers.codes import Code

from gateway.lwm2m.errors import DecodeError, RefusalReason
from gateway.lwm2m.parameters import find_claimed_node_id
from gateway.lwm2m.registration import (
    Accepted,
    Changed,
    Peer,
    Policy,
    Refused,
    Renewed,
    decide_deregister,
    decide_register,
    decide_update,
    decode_register,
    decode_update,
    find_node_id,
    find_objection,
)
from gateway.messaging.handling import Request, Response, below, respond
from gateway.messaging.pending import Pending
from gateway.site.respond import FAILURES, Fault, error_response
from registry.clock import Clock
from registry.model import Device, ObjectList, Registration
from registry.outcomes import CommitFailure, CommitOutcome
from registry.store import Registry

ROOT = "rd"

_LOCATION_CHARACTERS: Final = 22
_LOCATION_BYTES: Final = 18
"Random bytes taken for one: they are 24 characters, without padding."
_LOCATIONS_AT_ONCE: Final = 32

_POST: Final = int(Code.POST)
_DELETE: Final = int(Code.DELETE)
_CREATED = respond(Code.CREATED, location_path=(ROOT,))
_CHANGED = respond(Code.CHANGED)
_DELETED = respond(Code.DELETED)
_RENEWED: Final = Renewed.RENEWED
_UNKNOWN_DEVICE: Final = RefusalReason.UNKNOWN_DEVICE


def draw_locations() -> Iterator[str]:
    """22 random URL-safe characters each, 132 bits: the handle that a plain-CoAP registration is held by.

    Without end. Random bytes are fetched for several at once, which is three times cheaper.
    """
    while True:
        text = secrets.token_urlsafe(_LOCATIONS_AT_ONCE * _LOCATION_BYTES)
        for start in range(0, len(text), _LOCATION_CHARACTERS + 2):
            yield text[start : start + _LOCATION_CHARACTERS]


class RegistrationDirectory:
    """Everything below ``/rd``."""

    def __init__(
        self,
        registry: Registry,
        policy: Policy,
        clock: Clock,
        hear: Callable[[Registration], None],
        create_location: Callable[[], str] | None = None,
    ) -> None:
        """*hear* is told of each Register and Update that was accepted, about when it is answered.

        *create_location* gives a new unguessable segment of a path at each call.
        """
        self._registry = registry
        self._policy = policy
        self._clock = clock
        self._hear = hear
        self._create_location = create_location or draw_locations().__next__

    def handle(self, request: Request) -> Response | Pending | None:
        """Answer *request*, or None if its path is not ours.

        ``request.remote`` tells the peer by its ``identity`` and ``address``. Never raises on what a
        peer sent. A `Pending` is completed from the registry's callback, maybe before this returns.
        """
        path = request.uri_path
        if not path or path[0] != ROOT:
            return None
        remote = request.remote
        peer = Peer(remote.identity, str(remote.address))
        code = request.code
        if len(path) == 2:
            if code == _POST:
                return self._update(request, peer, path[1])
            if code == _DELETE:
                return self._deregister(peer, path[1])
            return error_response(Fault.WRONG_METHOD)
        if len(path) > 2:
            return error_response(Fault.NO_RESOURCE)
        if code == _POST:
            return self._register(request, peer)
        return error_response(Fault.WRONG_METHOD)

    def _register(self, asked: Request, peer: Peer) -> Response | Pending:
        registry = self._registry
        if registry.is_overloaded:
            return error_response(Fault.OVERLOADED)
        try:
            request = decode_register(asked.uri_query, asked.content_format, asked.payload)
        except DecodeError as error:
            claimed = find_claimed_node_id(asked.uri_query)
            return self._refuse(claimed, peer, Refused(error.reason, str(error)))
        node_id = find_node_id(request, peer)
        device = None if node_id is None else registry.find_device(node_id)
        profile_id = request.parameters.profile_id
        known = None if profile_id is None else self._find_known_objects(device, profile_id)
        decision = decide_register(request, peer, device, self._policy, known)
        if isinstance(decision, Refused):
            return self._refuse(node_id, peer, decision)
        return self._store(decision)

    def _store(self, accepted: Accepted) -> Pending:
        location = self._create_location()
        registration = accepted.create_registration(location, self._clock.wall_ms())
        pending = Pending()
        created = below(_CREATED, location)
        done = self._complete_after_commit(pending, created, registration, _UNKNOWN_DEVICE)
        self._registry.register(registration, done)
        return pending

    def _update(self, asked: Request, peer: Peer, location: str) -> Response | Pending:
        registry = self._registry
        registration, device = self._find(location)
        try:
            request = decode_update(asked.uri_query, asked.content_format, asked.payload)
        except DecodeError as error:
            objection = find_objection(peer, registration, device, self._policy)
            refused = objection or Refused(error.reason, str(error))
            return self._refuse_update(registration, peer, refused)
        profile_id = request.parameters.profile_id
        known = None if profile_id is None else self._find_known_objects(device, profile_id)
        decision = decide_update(request, peer, registration, device, self._policy, known)
        if decision is _RENEWED:
            assert registration is not None
            registry.renew(registration, peer.address)
            self._hear(registration)
            return _CHANGED
        if isinstance(decision, Changed):
            if registry.is_overloaded:
                return error_response(Fault.OVERLOADED)
            pending = Pending()
            done = self._complete_after_commit(pending, _CHANGED, decision.registration)
            registry.change(decision.registration, done)
            return pending
        return self._refuse_update(registration, peer, decision)

    def _deregister(self, peer: Peer, location: str) -> Response | Pending:
        registration, device = self._find(location)
        decision = decide_deregister(peer, registration, device, self._policy)
        if isinstance(decision, Refused):
            return self._refuse_update(registration, peer, decision)
        if self._registry.is_overloaded:
            return error_response(Fault.OVERLOADED)
        assert registration is not None
        pending = Pending()
        done = self._complete_after_commit(pending, _DELETED, registration)
        self._registry.deregister(registration, done)
        return pending

    def _complete_after_commit(
        self,
        pending: Pending,
        answer: Response,
        registration: Registration,
        overtaken: RefusalReason = RefusalReason.UNKNOWN_REGISTRATION,
    ) -> Callable[[CommitOutcome], None]:
        def complete(outcome: CommitOutcome) -> None:
            failure = outcome.failure
            if failure is None:
                pending.complete(answer)
                self._hear(registration)
                return
            wrong = overtaken if failure is CommitFailure.OVERTAKEN else FAILURES[failure]
            if isinstance(wrong, RefusalReason):
                refused = Refused(wrong, outcome.detail or "overtaken by an administrator")
                self._registry.refuse(registration.node_id, registration.address, refused.text)
            pending.complete(error_response(wrong))

        return complete

    def _find(self, location: str) -> tuple[Registration | None, Device | None]:
        registration = self._registry.find_registration(location)
        if registration is None:
            return None, None
        return registration, self._registry.find_device(registration.node_id)

    def _find_known_objects(self, device: Device | None, profile_id: str) -> ObjectList | None:
        return None if device is None else self._registry.find_profile(device.number, profile_id)

    def _refuse(self, claimed: str | None, peer: Peer, refused: Refused) -> Response:
        # What the session proved goes before what the request claims.
        node_id = peer.identity or claimed or ""
        self._registry.refuse(node_id, peer.address, refused.text)
        return error_response(refused.reason)

    def _refuse_update(self, registration: Registration | None, peer: Peer, refused: Refused) -> Response:
        # An unknown location is how a device learns that it has to register anew: nothing to report.
        if registration is not None:
            self._registry.refuse(registration.node_id, peer.address, refused.text)
        return error_response(refused.reason)
