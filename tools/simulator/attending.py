"""A device's objects behind its CoAP: requests reach them, notifications leave. Knows no registration."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from aiocoap.message import Message

from tools.simulator.client.client import Client
from tools.simulator.client.contents import Contents
from tools.simulator.client.effects import Effect
from tools.simulator.client.exchanges import Request, Response
from tools.simulator.coap import CoapClient, CoapSettings
from tools.simulator.messages import MessageIds
from tools.simulator.serving import CoapServer


class Attendant:
    """Answers the server and tells it what it observes, in the messages of one endpoint."""

    def __init__(
        self,
        contents: Contents,
        settings: CoapSettings,
        random: Random,
        mids: MessageIds,
        *,
        is_confirmable: bool,
    ) -> None:
        """*is_confirmable*: whether notifications are, where the server does not say."""
        self.client = Client(contents, is_confirmable=is_confirmable)
        self.requests = 0
        "Answered so far; one that came block by block is one."

        self.notifications = 0
        "Told so far."

        self._server = CoapServer(
            self._answer,
            settings,
            random,
            mids,
            on_refused=self.client.observations.cancel,
            on_body=self.client.begin_body,
        )

    def join(self, coap: CoapClient) -> None:
        """Take from *coap* what is not for it."""
        coap.on_request = self.receive_request
        coap.on_empty = self._server.receive_empty

    def receive_request(self, message: Message, now: float) -> None:
        """Answer a request."""
        self._server.answer(message, now)

    def attend(self, now: float, *, is_reachable: bool) -> Sequence[bytes]:
        """Do what is due; gives the messages to send."""
        self._server.handle_timer(now)
        for notification in self.client.poll(now, is_reachable=is_reachable):
            self.notifications += 1
            self._server.notify(notification, now)
        return self._server.messages_to_send()

    def take_effects(self) -> Sequence[Effect]:
        """What the device has to do for what was asked."""
        return self.client.take_effects()

    def forget_server(self) -> None:
        """A registration begins or ends: nothing of the one before is told any more."""
        self.client.forget_server()
        self._server.forget()

    def get_timer(self) -> float | None:
        """When `attend` has something to do."""
        timers = (self.client.get_timer(), self._server.get_timer())
        return min((timer for timer in timers if timer is not None), default=None)

    def _answer(self, request: Request, now: float) -> Response:
        self.requests += 1
        return self.client.answer(request, now)
