"""The client side of one device: answers what a server asks, tells what it observes.

Whole requests in, whole answers and notifications out; what it wants of the device around it (a reboot, an
Update) is drained from `take_effects`. Knows no messages, blocks or sockets; time is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.formats import Format
from gateway.lwm2m.path import ROOT, Path, parse_name
from gateway.lwm2m.records import Context
from gateway.lwm2m.values import Value, coerce
from tools.simulator.client.answers import encode_values
from tools.simulator.client.attached import AttachedAttributes
from tools.simulator.client.behaviour import LIFETIME, Behaviour, Change
from tools.simulator.client.contents import SERVER, V1_1, Contents, Stored
from tools.simulator.client.discovery import describe_objects
from tools.simulator.client.effects import Effect
from tools.simulator.client.exchanges import Request, Response
from tools.simulator.client.firmware import Result
from tools.simulator.client.observing import Notification, Observations, read_composite
from tools.simulator.client.operations import Operations
from tools.simulator.client.tree import Tree

MUTE_SEND = SERVER.child(23)


class Client:
    """A device's objects and all that a server does with them."""

    __slots__ = ("_attached", "_behaviour", "_operations", "observations", "tree")

    def __init__(self, contents: Contents, *, is_confirmable: bool = False) -> None:
        """*is_confirmable*: whether notifications are, where the server does not say."""
        self.tree = Tree(contents)
        self._attached = AttachedAttributes()
        self.observations = Observations(self.tree, self._attached, is_confirmable=is_confirmable)
        self._behaviour = Behaviour(self.tree)
        self._operations = Operations(self.tree, self._attached, self.observations, self._behaviour)

    # -- the server's side ------------------------------------------------------------------------

    def answer(self, request: Request, now: float) -> Response:
        """Do what the server asks."""
        return self._operations.answer(request, now)

    def poll(self, now: float, *, is_reachable: bool = True) -> list[Notification]:
        """The notifications that are due."""
        due_at = self._behaviour.firmware.due_at
        if due_at is not None and now >= due_at:
            self._note(self._behaviour.finish_update(), now)
        return self.observations.poll(now, is_reachable=is_reachable)

    def get_timer(self) -> float | None:
        """When `poll` has something to do."""
        timers = (self.observations.get_timer(), self._behaviour.firmware.due_at)
        return min((timer for timer in timers if timer is not None), default=None)

    def begin_body(self, segments: tuple[str, ...], now: float) -> None:
        """The first of many blocks of a request for *segments* has come."""
        try:
            path = parse_name("/" + "/".join(segments), self.tree.contents.root)
        except DecodeError:
            return
        self._note(self._behaviour.begin_body(path), now)

    def finish_download(self, outcome: bytes | Result, now: float) -> None:
        """The package that was wanted is here, or why not."""
        self._note(self._behaviour.finish_download(outcome), now)

    def take_effects(self) -> Sequence[Effect]:
        """What the device has to do, in this order."""
        effects, self._behaviour.effects = self._behaviour.effects, []
        return effects

    def forget_server(self) -> None:
        """A registration begins or ends: observations of the one before are over."""
        self.observations.clear()

    def describe_objects(self) -> str:
        """The object list of a Register."""
        return describe_objects(self.tree)

    @property
    def lifetime_s(self) -> int:
        """What the Server object says."""
        lifetime_s = self.tree.get(LIFETIME)
        return lifetime_s if isinstance(lifetime_s, int) else 0

    # -- the device's side ------------------------------------------------------------------------

    def set(self, path: Path, value: Value, now: float) -> None:
        """Set what the device has measured or decided at a resource or resource instance.

        Raises:
            Unfit: *value* is none of the resource's type.
        """
        type_ = self.tree.contents.model.find_type(path)
        if type_ is not None:
            value = coerce(value, type_)
        before = self.tree.get(path)
        self.tree.put(path, value)
        self.observations.note(path, None if isinstance(before, Mapping) else before, value, now)
        self._note(self._behaviour.measured(path), now)

    def _note(self, changes: Sequence[Change], now: float) -> None:
        for path, value in changes:
            self.observations.note(path, None, value, now)

    def get(self, path: Path) -> Stored:
        """What is stored at a resource or resource instance."""
        return self.tree.get(path)

    @property
    def may_send(self) -> bool:
        """Whether the server takes what it did not ask for (Mute Send is false)."""
        return self.tree.contents.version >= V1_1 and self.tree.get(MUTE_SEND) is False

    def build_send(self, paths: tuple[Path, ...], format_: Format = Format.SENML_CBOR) -> bytes:
        """The body of a Send of the readable values at and below *paths*.

        Raises:
            EncodeError: the format cannot say them.
        """
        return encode_values(
            format_, read_composite(self.tree, paths), Context(ROOT, root=self.tree.contents.root)
        )
