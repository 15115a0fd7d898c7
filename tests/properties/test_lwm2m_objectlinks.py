"""Object lists: any bytes are a list or a `DecodeError`; what a device means survives how it writes it."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.objectlinks import MAX_ID, UNLISTED_OBJECTS, decode_object_links, merge_object_lists
from registry.model import ObjectLink, ObjectList

ALPHABET = '</>;,="\\ 0139.verctoma.lwm2m\0\n\u00e4'

identifiers = st.integers(0, MAX_ID - 1)
objects = st.dictionaries(
    identifiers.filter(lambda object_id: object_id not in UNLISTED_OBJECTS),
    st.tuples(st.sets(identifiers, max_size=4), st.none() | st.sampled_from(["1.0", "0.4", "2.10"])),
    max_size=6,
)
roots = st.sampled_from(["/", "/lwm2m", "/a/b"])
formats = st.lists(st.integers(0, 65_535), unique=True, max_size=4)


@st.composite
def object_lists(draw: st.DrawFn) -> ObjectList:
    links = [
        ObjectLink(object_id, instance_id, version)
        for object_id, (instances, version) in sorted(draw(objects).items())
        for instance_id in (sorted(instances) or [None])
    ]
    return ObjectList(tuple(links), draw(roots), tuple(draw(formats)))


def encode(listed: ObjectList, draw: st.DrawFn) -> bytes:
    """One of the many ways in which devices write *listed*."""
    prefix = "" if listed.alternate_path == "/" else listed.alternate_path
    blank = st.sampled_from(["", "", " ", "\t", "\r\n"])
    slash = st.sampled_from(["", "", "/"])

    def quoted(value: str) -> str:
        return f'"{value}"' if " " in value or draw(st.booleans()) else value

    root = f"<{listed.alternate_path}>;rt={quoted('oma.lwm2m')}"
    if listed.content_formats:
        root += f"{draw(blank)};ct={quoted(' '.join(map(str, listed.content_formats)))}"
    elements = [root]
    for link in listed.links:
        target = f"<{prefix}{link.path}{draw(slash)}>"
        version = f"{draw(blank)};ver={quoted(link.version)}" if link.version else ""
        elements += [target + version] * draw(st.integers(1, 2))
    elements = draw(st.permutations(elements))
    text = f",{draw(blank)}".join(element + draw(blank) for element in elements)
    return text.encode() + draw(st.sampled_from([b"", b"\0"]))


@given(st.binary(max_size=200) | st.text(ALPHABET, max_size=120).map(str.encode))
@example(b"</1/0>,")
@example(b'</>;rt="oma.lwm2m";ct="110 112",</1>;ver=1,</1/0>')
def test_any_bytes_are_a_list_or_a_decode_error(payload: bytes) -> None:
    try:
        decoded = decode_object_links(payload)
    except DecodeError:
        return
    assert decoded.alternate_path.startswith("/")
    assert list(decoded.links) == sorted(
        decoded.links, key=lambda link: (link.object_id, -1 if link.instance_id is None else link.instance_id)
    )
    assert len({link.path for link in decoded.links}) == len(decoded.links)
    for link in decoded.links:
        assert 0 <= link.object_id < MAX_ID
        assert link.object_id not in UNLISTED_OBJECTS


@given(st.data())
def test_every_spelling_means_the_same_list(data: st.DataObject) -> None:
    listed = data.draw(object_lists())
    assert decode_object_links(encode(listed, data.draw)) == listed


@given(object_lists(), object_lists())
def test_union_holds_both_and_no_more(first: ObjectList, second: ObjectList) -> None:
    united = merge_object_lists(first, second)
    known = {link.object_id for link in (*first.links, *second.links)}
    assert {link.object_id for link in united.links} == known
    assert merge_object_lists(united, second) == united
    named = {link.path for link in (*first.links, *second.links) if link.instance_id is not None}
    assert named == {link.path for link in united.links if link.instance_id is not None}
