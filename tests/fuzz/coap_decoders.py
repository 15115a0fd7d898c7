"""Targets: CoAP messages (`gateway.messaging`) and the payloads and parameters in them (`gateway.lwm2m`)."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from gateway.lwm2m import formats, objectlinks, registration
from gateway.lwm2m.arguments import parse_arguments
from gateway.lwm2m.attributes import parse_attributes
from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.formats import Format
from gateway.lwm2m.linkformat import decode_links
from gateway.lwm2m.model import DeviceModel
from gateway.lwm2m.path import parse_path
from gateway.lwm2m.records import Context
from gateway.lwm2m.values import to_json
from gateway.messaging import clientcodec
from gateway.messaging import format as wire
from gateway.messaging.format import DecodeError as MessageError
from gateway.objectmodel import own_model
from tests.fuzz.target import Decoder, Target

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
REFUSALS = (DecodeError,)
VALUE_FORMATS = [format_ for format_ in Format if format_ is not Format.LINK]
PATH_FORMATS = (Format.SENML_JSON, Format.SENML_CBOR, Format.SENML_ETCH_JSON, Format.SENML_ETCH_CBOR)

_TARGET_PATHS = ("/3", "/3/0", "/3/0/9", "/3/0/6", "/5/0/0", "/3303/0/5700")


def targets() -> list[Target]:
    """All of them."""
    return [*_message_targets(), *_registration_targets(), *_format_targets(), *_text_targets()]


def _vectors(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((VECTORS / name).read_text("utf-8"))["vectors"]
    return rows


def _payloads(name: str, kind: str | None = None) -> list[bytes]:
    """The payloads in a file of vectors, all or those of one kind."""
    return [
        bytes.fromhex(row["hex"]) if "hex" in row else row["text"].encode()
        for row in _vectors(name)
        if ("hex" in row or "text" in row) and kind in (None, row.get("kind"))
    ]


def _message_targets() -> list[Target]:
    seeds = _payloads("coap.json") + _payloads("lwm2m/registration-requests.json")
    return [
        Decoder("CoAP message", _read_message, seeds, (MessageError,), 15),
        Decoder("CoAP request", _read_request, seeds, (MessageError,), 15),
        Decoder("CoAP reply", _read_reply, seeds, (MessageError,), 5),
    ]


def _is_coap(datagram: bytes) -> bool:
    return len(datagram) >= wire.HEADER_BYTES and datagram[0] >> 6 == 1


def _read_message(datagram: bytes) -> None:
    if _is_coap(datagram):
        wire.decode_message(datagram)


def _read_request(datagram: bytes) -> None:
    if _is_coap(datagram) and 1 <= datagram[1] < 32:
        wire.decode_request(datagram, None)  # type: ignore[arg-type]


def _read_reply(datagram: bytes) -> None:
    if _is_coap(datagram) and datagram[1] >> 5 in (2, 4, 5):
        clientcodec.decode_reply(datagram)


def _registration_targets() -> list[Target]:
    seeds = _payloads("lwm2m/registration-requests.json")
    queries = [
        b"lwm2m=1.1\0ep=urn:imei:490154203237518\0lt=60\0b=U",
        b"ep=a\0lwm2m=1.2\0b=UQ\0lt=86400\0sms=%2B491234\0pid=x\0Q",
    ]
    links = _payloads("lwm2m/links.json") + _payloads("lwm2m/object-lists.json")
    return [
        Decoder("registration", _read_registration, seeds, (MessageError, DecodeError), 10),
        Decoder(
            "register parameters", partial(_read_queries, registration.decode_register), queries, REFUSALS
        ),
        Decoder("update parameters", partial(_read_queries, registration.decode_update), queries, REFUSALS),
        Decoder("links", decode_links, links, REFUSALS),
        Decoder("object links", objectlinks.decode_object_links, links, REFUSALS),
    ]


def _read_registration(datagram: bytes) -> None:
    if _is_coap(datagram) and 1 <= datagram[1] < 32:
        request, _, _ = wire.decode_request(datagram, None)  # type: ignore[arg-type]
        registration.decode_register(request.uri_query, request.content_format, request.payload)


def _read_queries(decode: Any, data: bytes) -> None:
    decode([each.decode("utf-8", "replace") for each in data.split(b"\0")], 40, b"</1/0>")


def _format_targets() -> list[Target]:
    model = DeviceModel(own_model())
    found: list[Target] = []
    for format_ in VALUE_FORMATS:
        contexts = [
            Context(parse_path(path), model.find_type, "/", is_create=is_create)
            for path in _TARGET_PATHS
            for is_create in (False, True)
        ]
        decode = partial(_read_values, format_, contexts)
        seeds = _payloads("lwm2m/data-formats.json", format_.value)
        found.append(Decoder(f"format {format_.value}", decode, seeds, REFUSALS, 6))
    for format_ in PATH_FORMATS:
        decode_paths = partial(formats.decode_paths, format_)
        seeds = _payloads("lwm2m/data-formats.json", format_.value)
        found.append(Decoder(f"paths {format_.value}", decode_paths, seeds, REFUSALS, 2))
    return found


def _read_values(format_: Format, contexts: list[Context], payload: bytes) -> None:
    decoded = formats.decode(format_, payload, contexts[len(payload) % len(contexts)])
    for each in decoded.records:
        assert 3 <= len(each.path) <= 4
        to_json(each.value)


def _text_targets() -> list[Target]:
    arguments = _payloads("lwm2m/execute-arguments.json")
    attributes = _payloads("lwm2m/attributes.json")
    return [
        Decoder("arguments", _text(parse_arguments), arguments, REFUSALS, 2),
        Decoder("attributes", _text(lambda text: parse_attributes(text.split("&"))), attributes, REFUSALS, 2),
    ]


def _text(parse: Any) -> Any:
    return lambda data: parse(data.decode("utf-8", "replace"))
