"""What a program that embeds a gateway may have to catch."""

from __future__ import annotations


class DeviceError(Exception):
    """An operation that did not succeed: refused by the device, or never answered."""

    def __init__(self, text: str, code: str | None) -> None:
        super().__init__(text)
        self.code = code
        "CoAP code as text (``4.04``); None without an answer."


class NotRunning(RuntimeError):
    """Something was asked of a gateway before or after its time."""

    def __init__(self) -> None:
        super().__init__("the gateway does not run: use it inside `async with`")
