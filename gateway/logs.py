"""Logs: structlog on stderr, for people as text, for machines as an object a line.

Knows how a line looks, and keeps secrets and terminal tricks out of it. Does not know who logs what.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from gateway.visible import visible

SECRET_FIELDS = frozenset({"secret", "psk", "key", "sealed_secret", "master_secret", "password", "token"})
"Fields that are never told, whatever their value."

HIDDEN = "(hidden)"

MULTILINE_FIELDS = frozenset({"exception", "stack"})
"Tracebacks of our own: their line ends stay."


def configure(
    level: str = "info", style: Literal["text", "json"] = "text", stream: TextIO | None = None
) -> None:
    """Send every log line at or above *level* to *stream* (stderr).

    Libraries that use `logging` come out in the same form, from WARNING on.
    """
    stream = stream or sys.stderr
    least = logging.getLevelNamesMapping()[level.upper()]
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    after: list[Processor] = (
        [structlog.processors.JSONRenderer()]
        if style == "json"
        else [
            neutralise_controls,
            structlog.dev.ConsoleRenderer(colors=stream.isatty(), timestamp_key="at", pad_event_to=0),
        ]
    )
    structlog.configure(
        processors=[*before, *after],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *after],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(least, logging.WARNING), force=True)


def defer_to_logging() -> None:
    """Hand log lines to the `logging` loggers of our names, unless the program has configured structlog.

    For a gateway that is part of somebody else's program, which decides what is told and where.
    """
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            hide_secrets,
            neutralise_controls,
            structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def hide_secrets(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Replace the value of every field of `SECRET_FIELDS`; other bytes become hex."""
    return {
        name: HIDDEN if name in SECRET_FIELDS else _without_secrets(value) for name, value in event.items()
    }


def _without_secrets(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, dict):
        return hide_secrets(None, "", value)
    if isinstance(value, list | tuple):
        return [_without_secrets(item) for item in value]
    return value


def neutralise_controls(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Write out control characters: a peer's text must not steer the operator's terminal."""
    return {
        name: _visible_lines(value) if name in MULTILINE_FIELDS else visible(value)
        for name, value in event.items()
        if isinstance(value, str)
    } | {name: value for name, value in event.items() if not isinstance(value, str)}


def _visible_lines(text: str) -> str:
    return "\n".join(visible(line) for line in text.split("\n"))
