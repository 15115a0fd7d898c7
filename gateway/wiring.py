"""The gateway without sockets, signals and workers: every part built and joined.

Datagrams go in by `Gateway.receive_coap` and `Gateway.receive_coaps`, and leave by the two functions it
is given; so it runs on sockets (``app``) as well as in memory (the flow tests).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

import structlog

from gateway import resolved
from gateway.address import Address
from gateway.credentials.judge import CredentialJudge
from gateway.credentials.standing import RevocationCheck, Standing
from gateway.dtls.credential import Credential
from gateway.dtls.endpoint import Endpoint
from gateway.dtls.events import HandshakeFailed, PskRequested
from gateway.dtls.trust import TrustAnchors
from gateway.lwm2m.registration import Policy
from gateway.messaging.handling import Request, Response
from gateway.messaging.pending import Pending
from gateway.messaging.requests import Dispatch
from gateway.messaging.stack import CoapStack
from gateway.objectmodel import own_model
from gateway.persistence.keeper import SessionKeeper
from gateway.settings import GatewayConfig
from gateway.site.dp import SendReceiver
from gateway.site.rd import RegistrationDirectory
from gateway.site.tree import build_site
from gateway.transport.coaps import CoapsTransport
from gateway.workers.commands import Commands
from gateway.workers.definitions import Definitions
from registry.clock import Clock
from registry.events import EndFact, RegistrationExpired
from registry.model import Refusal, Registration, Security
from registry.store import Registry

log = structlog.get_logger("gateway")

_PSK: Final = Security.PSK

Send = Callable[[bytes, Address], None]


class Gateway:
    """One gateway on one registry. Call `close` when no datagram comes in any more."""

    def __init__(
        self,
        config: GatewayConfig,
        registry: Registry,
        clock: Clock,
        *,
        send_coap: Send,
        send_coaps: Send,
        credential: Credential | None = None,
        anchors: TrustAnchors | None = None,
        is_revoked: RevocationCheck | None = None,
        keeper: SessionKeeper | None = None,
        entropy: Callable[[int], bytes] = os.urandom,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """*credential*: what we prove ourselves by; None: devices with certificates or keys cannot come.

        *anchors*: the CAs that devices' certificates may come from. *is_revoked* has the last word on each.
        *keeper*: who keeps sessions for the next start; None: they end with us.
        """
        self._registry = registry
        loop = loop or asyncio.get_running_loop()
        self.standing = Standing(registry, lambda: self.judge.anchors, is_revoked)
        self.judge = CredentialJudge(registry, clock, self.standing, anchors)
        policy = resolved.policy(config)
        self.definitions = definitions = Definitions(registry, own_model())
        "What is known of objects; to be read before the first datagram, and run."

        dispatch = _build_dispatch(self, registry, policy, clock)
        messaging = resolved.messaging_settings(config)
        self.stack = CoapStack(build_site(), dispatch, entropy=entropy, settings=messaging, loop=loop)
        awake_s, soon = config.queue.awake_s, loop.call_soon
        self.commands = Commands(
            registry, self.stack, clock, policy, lambda: definitions.model, entropy, awake_s, soon
        )
        "What is asked of devices; to be started before the first datagram, and run."

        endpoint_config = resolved.endpoint_config(config, credential, is_persisting=keeper is not None)
        self.endpoint = Endpoint(endpoint_config, entropy, clock.monotonic())
        self.coaps = self._build_transport(send_coaps, clock, loop)
        self.receive_coap = self.stack.receive_plain
        "Takes a datagram of the plain listener, and its address."

        self.stack.routes.plain = send_coap
        self.stack.routes.secure = self.coaps.send
        self.stack.routes.find_session = self.coaps.find_session
        self.receive_coaps = self.coaps.receive
        "Takes a datagram of the secure listener, and its address; `flush_coaps` must follow its batch."

        self.flush_coaps = self.coaps.flush
        "Sends what the batch of the secure listener gave rise to."

        self.keeper = keeper
        "To be run by the owner."

        if keeper is not None:
            keeper.attach(self.coaps, self.standing.holds)
        registry.on_end(self._end_sessions)
        registry.on_refusal(_log_refusal)
        registry.on_fault(_log_fault)

    def _build_transport(
        self, send: Send, clock: Clock, loop: asyncio.AbstractEventLoop | None
    ) -> CoapsTransport:
        return CoapsTransport(
            self.endpoint,
            send,
            lookup_psk=self._find_psk,
            judge_certificate=self.judge.judge_certificate,
            judge_raw_key=self.judge.judge_raw_key,
            credential_of=self.standing.of_identity,
            may_resume=self.standing.holds,
            on_data=self.stack.receive_secure,
            on_session_ended=self.stack.end_session,
            on_handshake_failed=self._report_failed_handshake,
            loop=loop,
            now=clock.monotonic,
        )

    def use_credential(self, credential: Credential) -> None:
        """Show *credential* in handshakes that begin from now on."""
        self.endpoint.use_credential(credential)

    def use_anchors(self, anchors: TrustAnchors) -> None:
        """Let *anchors* decide about the certificates that are shown from now on."""
        self.judge.anchors = anchors

    async def close(self) -> None:
        """Stop: live sessions are stored, or told within a bound that they are over."""
        keeper = self.keeper
        self.coaps.close(notify=keeper is None or not keeper.is_keeping)
        if keeper is not None:
            await keeper.close()
        await self.stack.close()

    def _find_psk(self, asked: PskRequested) -> bytes | None:
        """The key of a security device that may come; None for everybody else."""
        try:
            device = self._registry.find_device(asked.identity.decode())
        except UnicodeDecodeError:
            return None
        if device is None or device.is_frozen or device.security is not _PSK:
            return None
        return self._registry.find_secret(device)

    def _report_failed_handshake(self, failure: HandshakeFailed) -> None:
        if failure.fault is not None:
            self.judge.report(failure.fault, failure.names, str(failure.address))
            return
        node_id = (failure.identity or b"").decode("utf-8", "backslashreplace")
        device = self._registry.find_device(node_id)
        is_frozen = device is not None and device.is_frozen
        reason = "device is frozen" if is_frozen else f"DTLS handshake failed: {failure.reason}"
        self._registry.refuse(node_id, str(failure.address), reason)

    def _end_sessions(self, fact: EndFact) -> None:
        # A device that fell silent may come back on its session; one that lost its credential may not.
        if not isinstance(fact, RegistrationExpired):
            self.coaps.end_sessions(fact.device.node_id.encode())


def _build_dispatch(gateway: Gateway, registry: Registry, policy: Policy, clock: Clock) -> Dispatch:
    """What answers without a resource of aiocoap's: Register, Update and De-register first, then Send."""

    def hear(registration: Registration) -> None:
        gateway.commands.hear(registration)

    place = RegistrationDirectory(registry, policy, clock, hear).handle
    receive = SendReceiver(registry, policy, clock, lambda: gateway.definitions.model, hear).handle

    def dispatch(request: Request) -> Response | Pending | None:
        answer = place(request)
        return receive(request) if answer is None else answer

    return dispatch


def _log_refusal(node_id: str, refusal: Refusal) -> None:
    log.warning("refused", node_id=node_id, address=refusal.address, reason=refusal.reason)


def _log_fault(fault: str | None) -> None:
    if fault is None:
        log.info("the registry can be written again")
    else:
        log.error("the registry cannot be written; Registers are answered 5.03 meanwhile", reason=fault)
