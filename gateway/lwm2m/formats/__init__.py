"""The data formats: what each is called, its content-format number, and its decoder and encoder.

A format's module has ``decode(payload, context)`` and ``encode(records, context)``; those of SenML also read
and write lists of paths and patches.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from types import MappingProxyType

from gateway.lwm2m.errors import UnsupportedFormat
from gateway.lwm2m.formats import (
    cbor,
    lwm2m_cbor,
    oma_json,
    opaque,
    senml_cbor,
    senml_json,
    text,
    tlv,
)
from gateway.lwm2m.path import Path
from gateway.lwm2m.records import Context, Decoded, EncodeError, Record


class Format(Enum):
    """A data format by the name that users give it; `number` is its CoAP Content-Format."""

    TEXT = "text"
    LINK = "link"
    OPAQUE = "opaque"
    CBOR = "cbor"
    SENML_JSON = "senml-json"
    SENML_CBOR = "senml-cbor"
    SENML_ETCH_JSON = "senml-etch-json"
    SENML_ETCH_CBOR = "senml-etch-cbor"
    TLV = "tlv"
    OMA_JSON = "oma-json"
    LWM2M_CBOR = "lwm2m-cbor"

    @property
    def number(self) -> int:
        """The CoAP Content-Format."""
        return _NUMBERS[self]

    @property
    def is_for_one_value(self) -> bool:
        """Whether it holds the value of a single resource, and nothing else."""
        return self in _ONE_VALUE


_NUMBERS = MappingProxyType(
    {
        Format.TEXT: 0,
        Format.LINK: 40,
        Format.OPAQUE: 42,
        Format.CBOR: 60,
        Format.SENML_JSON: 110,
        Format.SENML_CBOR: 112,
        Format.SENML_ETCH_JSON: 320,
        Format.SENML_ETCH_CBOR: 322,
        Format.TLV: 11542,
        Format.OMA_JSON: 11543,
        Format.LWM2M_CBOR: 11544,
    }
)

_PRE_STANDARD = {1541: Format.TEXT, 1542: Format.TLV, 1543: Format.OMA_JSON}
"Numbers in use before the formats were registered; read, never written."

_BY_NUMBER = {number: format_ for format_, number in _NUMBERS.items()} | _PRE_STANDARD
_ONE_VALUE = frozenset({Format.TEXT, Format.OPAQUE, Format.CBOR})

Decoder = Callable[[bytes, Context], Decoded]
Encoder = Callable[[tuple[Record, ...], Context], bytes]

_DECODERS: dict[Format, Decoder] = {
    Format.TEXT: text.decode,
    Format.OPAQUE: opaque.decode,
    Format.CBOR: cbor.decode,
    Format.SENML_JSON: senml_json.decode,
    Format.SENML_CBOR: senml_cbor.decode,
    Format.SENML_ETCH_JSON: senml_json.decode_patch,
    Format.SENML_ETCH_CBOR: senml_cbor.decode_patch,
    Format.TLV: tlv.decode,
    Format.OMA_JSON: oma_json.decode,
    Format.LWM2M_CBOR: lwm2m_cbor.decode,
}
_ENCODERS: dict[Format, Encoder] = {
    Format.TEXT: text.encode,
    Format.OPAQUE: opaque.encode,
    Format.CBOR: cbor.encode,
    Format.SENML_JSON: senml_json.encode,
    Format.SENML_CBOR: senml_cbor.encode,
    Format.SENML_ETCH_JSON: senml_json.encode,
    Format.SENML_ETCH_CBOR: senml_cbor.encode,
    Format.TLV: tlv.encode,
    Format.OMA_JSON: oma_json.encode,
    Format.LWM2M_CBOR: lwm2m_cbor.encode,
}
_PATH_DECODERS = {
    Format.SENML_JSON: senml_json.decode_paths,
    Format.SENML_CBOR: senml_cbor.decode_paths,
    Format.SENML_ETCH_JSON: senml_json.decode_paths,
    Format.SENML_ETCH_CBOR: senml_cbor.decode_paths,
}
_PATH_ENCODERS = {
    Format.SENML_JSON: senml_json.encode_paths,
    Format.SENML_CBOR: senml_cbor.encode_paths,
    Format.SENML_ETCH_JSON: senml_json.encode_paths,
    Format.SENML_ETCH_CBOR: senml_cbor.encode_paths,
}
_PATCHES = frozenset({Format.SENML_ETCH_JSON, Format.SENML_ETCH_CBOR})


def find_format(number: int) -> Format | None:
    """The format of a Content-Format number, also of the pre-standard ones."""
    return _BY_NUMBER.get(number)


def decode(format_: Format, payload: bytes, context: Context) -> Decoded:
    """Read *payload*.

    Raises:
        UnsupportedFormat: the format holds no values.
        DecodeError: the payload is none of the format.
    """
    decoder = _DECODERS.get(format_)
    if decoder is None:
        raise UnsupportedFormat(f"{format_.value} holds no values")
    return decoder(payload, context)


def encode(format_: Format, records: tuple[Record, ...], context: Context) -> bytes:
    """Write *records*.

    Raises:
        EncodeError: the format cannot say this.
    """
    encoder = _ENCODERS.get(format_)
    if encoder is None:
        raise EncodeError(f"{format_.value} holds no values")
    if format_ not in _PATCHES and any(record.value is None for record in records):
        raise EncodeError(f"{format_.value} has no way to take a value away")
    return encoder(records, context)


def decode_paths(format_: Format, payload: bytes, root: str = "/") -> tuple[Path, ...]:
    """Read a list of paths.

    Raises:
        UnsupportedFormat: the format has no lists of paths.
        DecodeError: the payload is none.
    """
    decoder = _PATH_DECODERS.get(format_)
    if decoder is None:
        raise UnsupportedFormat(f"{format_.value} has no lists of paths")
    return decoder(payload, root)


def encode_paths(format_: Format, paths: tuple[Path, ...], root: str = "/") -> bytes:
    """Write a list of paths.

    Raises:
        EncodeError: the format has none.
    """
    encoder = _PATH_ENCODERS.get(format_)
    if encoder is None:
        raise EncodeError(f"{format_.value} has no lists of paths")
    return encoder(paths, root)
