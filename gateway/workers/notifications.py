"""Notifications: what comes under the tokens of stored observations, in whatever session.

Values are kept with one commit for each message; what is missing of a long one is fetched first.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.lwm2m.answers import Response, read_notification
from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.model import Model
from gateway.lwm2m.negotiation import DeviceProfile
from gateway.lwm2m.operationcodec import decode_operation
from gateway.lwm2m.operations import Observe
from gateway.lwm2m.readings import readings_of
from gateway.lwm2m.registration import Peer, Policy, find_objection
from gateway.lwm2m.requests import Request, prepare
from gateway.messaging.link import Link, Notification
from gateway.messaging.outcomes import Answered, Outcome, TimedOut
from gateway.messaging.remote import Remote
from gateway.workers.relations import Relation, Relations
from registry.clock import Clock
from registry.model import Origin, Registration
from registry.outcomes import CommitOutcome
from registry.store import Registry


class Notifications:
    """Takes the notifications of all devices."""

    def __init__(
        self,
        registry: Registry,
        link: Link,
        relations: Relations,
        clock: Clock,
        policy: Policy,
        find_model: Callable[[], Model],
        hear: Callable[[Registration], None],
        fall_asleep: Callable[[int], None],
    ) -> None:
        """*hear* is told who was heard, *fall_asleep* the number of who left a request unanswered."""
        self._registry = registry
        self._link = link
        self._relations = relations
        self._clock = clock
        self._policy = policy
        self._find_model = find_model
        self._hear = hear
        self._fall_asleep = fall_asleep

    def take(self, remote: Remote, token: bytes, notification: Notification) -> bool:
        """Something came under *token*; False: nobody observes that, and the device may know."""
        relation = self._relations.find(token)
        registration = None if relation is None else self._find_sender(relation, remote)
        if relation is None or registration is None:
            return False
        if notification.sequence is None or not notification.response.code.startswith("2."):
            self._relations.lose(relation)
        elif relation.take(notification.sequence, self._clock.monotonic()):
            self._keep(relation, registration, remote, notification)
        self._hear(registration)
        return True

    def _find_sender(self, relation: Relation, remote: Remote) -> Registration | None:
        """The registration of the observed device, if it is the one that speaks; its port is followed."""
        registration = self._registry.find_registration_of(relation.observation.device)
        if registration is None:
            return None
        device = self._registry.find_device(registration.node_id)
        address = str(remote.address)
        if find_objection(Peer(remote.identity, address), registration, device, self._policy) is not None:
            return None
        self._registry.move(registration, address)
        return registration

    def _keep(
        self, relation: Relation, registration: Registration, remote: Remote, notification: Notification
    ) -> None:
        profile = DeviceProfile.of(registration, self._find_model())
        try:
            operation = decode_operation(relation.observation.request)
        except DecodeError:
            return
        assert isinstance(operation, Observe)
        if notification.first_block is None:
            self._keep_values(registration, operation, profile, notification.response)
            return
        request = prepare(operation, profile)
        if isinstance(request, Request):
            self._link.fetch_rest(
                remote,
                request,
                relation.observation.token,
                notification,
                lambda outcome: self._keep_fetched(registration, operation, profile, outcome),
            )

    def _keep_fetched(
        self, registration: Registration, operation: Observe, profile: DeviceProfile, outcome: Outcome
    ) -> None:
        if isinstance(outcome, Answered):
            self._keep_values(registration, operation, profile, outcome.response)
        elif isinstance(outcome, TimedOut):
            self._fall_asleep(registration.device)

    def _keep_values(
        self, registration: Registration, operation: Observe, profile: DeviceProfile, response: Response
    ) -> None:
        try:
            decoded = read_notification(operation.paths, profile, response)
        except DecodeError:
            # Acknowledged all the same: the next one may be readable.
            return
        readings = readings_of(decoded.records, self._clock.wall_ms())
        if readings:
            self._registry.keep_values(registration.device, readings, Origin.NOTIFY, _ignore)


def _ignore(_outcome: CommitOutcome) -> None:
    """The device was acknowledged already, and tells its next value by itself."""
