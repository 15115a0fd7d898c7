"""What is there, in link format: the answers to Discover, and the object list of a Register.

OMA Core TS 1.2 §6.3.2 and §6.2.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gateway.lwm2m.attributes import Number, format_number
from gateway.lwm2m.formats import Format
from gateway.lwm2m.path import Path
from tools.simulator.client.attached import AttachedAttributes
from tools.simulator.client.contents import HIDDEN_OBJECTS, V1_1, Contents
from tools.simulator.client.tree import Tree

_DEFAULT_DEPTH = {1: 2, 2: 1, 3: 1}
"By the length of the target's path."

_UNLISTED_FORMATS = frozenset({Format.TEXT, Format.OPAQUE, Format.SENML_ETCH_CBOR, Format.SENML_ETCH_JSON})


def describe_objects(tree: Tree) -> str:
    """The object list of a Register."""
    contents = tree.contents
    links = [_describe_root(contents)]
    for object_id in sorted(contents.objects - HIDDEN_OBJECTS):
        version = contents.listed_versions.get(object_id)
        instances = tree.instances(object_id)
        if version is not None or not instances:
            links.append(
                _link(Path((object_id,)), contents.root, [] if version is None else [f"ver={version}"])
            )
        links.extend(_link(instance, contents.root, []) for instance in instances)
    return ",".join(links)


def describe_path(tree: Tree, attached: AttachedAttributes, target: Path, depth: int | None) -> str:
    """The answer to Discover of *target*, which exists."""
    levels = len(target) + (_DEFAULT_DEPTH[len(target)] if depth is None else depth)
    root = tree.contents.root
    links = []
    for path in _walk(tree, target, levels):
        attributes = attached.effective(path) if path == target else attached.own(path)
        parameters = [*_properties(tree, path), *_attributes(attributes)]
        links.append(_link(path, root, parameters))
    return ",".join(links)


def _walk(tree: Tree, path: Path, levels: int) -> Iterator[Path]:
    yield path
    if len(path) >= levels:
        return
    match len(path):
        case 1:
            children = tree.instances(path.object_id)
        case 2:
            children = [path.child(id_) for id_ in sorted(tree.resources(path))]
        case 3:
            stored = tree.get(path)
            children = [path.child(id_) for id_ in sorted(stored)] if isinstance(stored, Mapping) else []
        case _:
            children = []
    for child in children:
        yield from _walk(tree, child, levels)


def _properties(tree: Tree, path: Path) -> list[str]:
    if len(path) == 1:
        version = tree.contents.listed_versions.get(path.object_id)
        return [] if version is None else [f"ver={version}"]
    stored = tree.get(path) if len(path) == 3 else None
    return [f"dim={len(stored)}"] if isinstance(stored, Mapping) else []


def _attributes(values: Mapping[str, Number]) -> list[str]:
    return [f"{name}={format_number(value)}" for name, value in values.items()]


def _describe_root(contents: Contents) -> str:
    parameters = ['rt="oma.lwm2m"']
    if contents.version >= V1_1:
        numbers = sorted(one.number for one in contents.formats if one not in _UNLISTED_FORMATS)
        parameters.append(f'ct="{" ".join(map(str, numbers))}"')
    return ";".join((f"<{contents.root}>", *parameters))


def _link(path: Path, root: str, parameters: list[str]) -> str:
    return ";".join((f"<{path.name(root)}>", *parameters))
