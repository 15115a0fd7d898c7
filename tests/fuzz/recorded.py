"""What foreign stacks sent, taken apart into seeds: datagrams, messages by type, extensions by type."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any

from gateway.dtls.errors import DecodeError
from gateway.dtls.messages import HandshakeType, decode_client_hello, decode_fragments, decode_server_hello
from gateway.dtls.record import ContentType, decode_records
from tests.support.transcripts import load

FILES = ("psk", "ecdhe", "cbc", "resumption")


@cache
def transcripts() -> tuple[dict[str, Any], ...]:
    """All recorded exchanges."""
    return tuple(row for name in FILES for row in load(f"{name}_transcripts.json", "transcripts"))


@cache
def datagrams(direction: str) -> tuple[bytes, ...]:
    """Every datagram of one direction, ``c2s`` or ``s2c``."""
    return tuple(
        bytes.fromhex(sent["hex"])
        for transcript in transcripts()
        for sent in transcript["datagrams"]
        if sent["dir"] == direction
    )


@cache
def hellos() -> tuple[bytes, ...]:
    """Bodies of the first ClientHellos of 25 clients."""
    return tuple(bytes.fromhex(row["hex"])[25:] for row in load("client_hellos.json", "client_hellos"))


@cache
def messages() -> dict[int, list[bytes]]:
    """Type of message to the bodies seen in clear and in one piece, each once."""
    found: dict[int, dict[bytes, None]] = defaultdict(dict)
    for content in _contents(ContentType.HANDSHAKE):
        for fragment in decode_fragments(content):
            if len(fragment.body) == fragment.length:
                found[fragment.message_type][fragment.body] = None
    found[HandshakeType.CLIENT_HELLO] |= dict.fromkeys(hellos())
    return {message_type: list(bodies) for message_type, bodies in found.items()}


@cache
def contents(content_type: int) -> tuple[bytes, ...]:
    """What records of one type held, in clear."""
    return tuple(dict.fromkeys(_contents(content_type)))


@cache
def extensions() -> dict[int, list[bytes]]:
    """Type of extension to the bodies seen in hellos of both sides, each once."""
    found: dict[int, dict[bytes, None]] = defaultdict(dict)
    blocks = [decode_client_hello(body).extensions for body in messages()[HandshakeType.CLIENT_HELLO]]
    blocks += [decode_server_hello(body).extensions for body in messages()[HandshakeType.SERVER_HELLO]]
    for block in blocks:
        for kind, body in block.items():
            found[kind][body] = None
    return {kind: list(bodies) for kind, bodies in found.items()}


def _contents(content_type: int) -> Iterator[bytes]:
    for datagram in datagrams("c2s") + datagrams("s2c"):
        try:
            records = decode_records(datagram, 0)
        except DecodeError:
            continue
        yield from (each.fragment for each in records if not each.epoch and each.content_type == content_type)
