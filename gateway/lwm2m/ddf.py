"""Object definitions as the OMA registry publishes them: XML, one or more objects in a file.

Document types and entities are refused: no definition needs them, and they are how XML bites.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from gateway.lwm2m.definitions import OPERATIONS, ObjectDefinition, ResourceDefinition, make_definition
from gateway.lwm2m.errors import DecodeError, TooLarge
from gateway.lwm2m.values import Type

MAX_BYTES = 4_194_304
MAX_TEXT = 512
"Characters of a name, range or unit."

_DEFAULT_VERSION = "1.0"
_ID = re.compile(r"[0-9]{1,5}", re.ASCII)

_TYPES = {
    "": Type.NONE,
    "none": Type.NONE,
    "string": Type.STRING,
    "integer": Type.INTEGER,
    "unsigned integer": Type.UNSIGNED,
    "float": Type.FLOAT,
    "boolean": Type.BOOLEAN,
    "opaque": Type.OPAQUE,
    "time": Type.TIME,
    "objlnk": Type.OBJLNK,
    "corelnk": Type.CORELNK,
}


def decode_definitions(content: bytes) -> tuple[ObjectDefinition, ...]:
    """Read the objects of a file; one that only has reusable resources or units has none.

    Raises:
        TooLarge: more than 4 MiB.
        DecodeError: no XML, a document type, or an object that is not described as it has to be.
    """
    if len(content) > MAX_BYTES:
        raise TooLarge(f"a definition of {len(content)} bytes, {MAX_BYTES} are allowed")
    root = _parse(content)
    return tuple(_read_object(element) for element in _objects(root))


def _parse(content: bytes) -> Element:
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_document_type
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise DecodeError(f"no XML: {error}") from None
    return builder.close()


def _refuse_document_type(*declared: object) -> NoReturn:
    raise DecodeError("a document type, which definitions have no use for")


def _objects(root: Element) -> Iterator[Element]:
    """Elements that describe an object; collections of reusable resources have no id."""
    candidates = [root] if root.tag == "Object" else root.findall("Object")
    return (element for element in candidates if element.find("ObjectID") is not None)


def _read_object(element: Element) -> ObjectDefinition:
    id_ = _read_id(_text(element, "ObjectID"), "an object")
    try:
        return make_definition(
            id_,
            _text(element, "Name"),
            _text(element, "ObjectVersion") or _DEFAULT_VERSION,
            is_multiple=_text(element, "MultipleInstances").lower() == "multiple",
            is_mandatory=_text(element, "Mandatory").lower() == "mandatory",
            resources=[_read_resource(item) for item in element.iterfind("Resources/Item")],
        )
    except DecodeError as error:
        raise DecodeError(f"object {id_}: {error.what}") from None


def _read_resource(item: Element) -> ResourceDefinition:
    id_ = _read_id(item.get("ID", "").strip(), "a resource")
    operations = _text(item, "Operations").upper()
    if operations == "WR":
        operations = "RW"
    type_ = _TYPES.get(_text(item, "Type").lower())
    if operations not in OPERATIONS or type_ is None:
        raise DecodeError(f"resource {id_} has operations or a type that are not known")
    if operations == "E":
        type_ = Type.NONE
    return ResourceDefinition(
        id_,
        _text(item, "Name"),
        operations,
        _text(item, "MultipleInstances").lower() == "multiple",
        _text(item, "Mandatory").lower() == "mandatory",
        type_,
        _text(item, "RangeEnumeration"),
        _text(item, "Units"),
    )


def _read_id(text: str, what: str) -> int:
    if _ID.fullmatch(text) is None:
        raise DecodeError(f"{what} without a number for its id")
    return int(text)


def _text(element: Element, name: str) -> str:
    """The text of a child on one line, empty where there is none."""
    text = " ".join((element.findtext(name) or "").split())
    if len(text) > MAX_TEXT:
        raise TooLarge(f"{name} of more than {MAX_TEXT} characters")
    return text
