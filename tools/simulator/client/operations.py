"""What a server may ask of a device, dispatched by method and path (OMA Core TS 1.2 §6.3, §6.4).

GET     Read, Observe, Cancel; with Accept 40 Discover      PUT    Write, Write-Attributes (no body)
POST    Create /o, partial Write /o/i, Execute /o/i/r       DELETE Delete
FETCH   Read-Composite, Observe-Composite, Cancel           iPATCH Write-Composite
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiocoap.numbers.codes import Code

from gateway.lwm2m.attributes import Attributes, parse_attributes
from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.formats import Format, decode, decode_paths, find_format
from gateway.lwm2m.path import MAX_ID, ROOT, Path, parse_name
from gateway.lwm2m.records import Context, Record
from gateway.lwm2m.values import Value
from tools.simulator.client.answers import find_accepted, tell_values
from tools.simulator.client.attached import AttachedAttributes
from tools.simulator.client.behaviour import Behaviour
from tools.simulator.client.contents import HIDDEN_OBJECTS, SERVER, V1_1, V1_2, Stored
from tools.simulator.client.discovery import describe_path
from tools.simulator.client.exchanges import Request, Response
from tools.simulator.client.observing import Observations, read_composite
from tools.simulator.client.relations import Relation
from tools.simulator.client.tree import Tree

OBSERVE, CANCEL = 0, 1
"Values of the Observe option."

_DEPTHS = {f"depth={number}": number for number in range(4)}
_PERIODS = (SERVER.child(2), SERVER.child(3))


class Operations:
    """Carries out requests on the objects of one device."""

    __slots__ = ("_attached", "_behaviour", "_observations", "_tree")

    def __init__(
        self,
        tree: Tree,
        attached: AttachedAttributes,
        observations: Observations,
        behaviour: Behaviour,
    ) -> None:
        self._tree = tree
        self._attached = attached
        self._observations = observations
        self._behaviour = behaviour

    def answer(self, request: Request, now: float) -> Response:
        """Do what is asked, or say why not."""
        path = self._find_path(request.path)
        if path is None:
            return Response(Code.NOT_FOUND)
        if path and path.object_id in HIDDEN_OBJECTS:
            return Response(Code.UNAUTHORIZED)
        match request.code:
            case Code.GET if request.accept == Format.LINK.number:
                return self._discover(path, request)
            case Code.GET:
                return self._get(path, request, now)
            case Code.PUT if _is_write_attributes(request):
                return self._write_attributes(path, request, now)
            case Code.PUT:
                return self._write(path, request, now, is_replace=True)
            case Code.POST:
                return self._post(path, request, now)
            case Code.DELETE:
                return self._delete(path, now)
            case Code.FETCH if path == ROOT and self._tree.contents.version >= V1_1:
                return self._fetch(request, now)
            case Code.iPATCH if path == ROOT and self._tree.contents.version >= V1_1:
                return self._write_composite(request, now)
            case _:
                return Response(Code.METHOD_NOT_ALLOWED)

    def _find_path(self, segments: tuple[str, ...]) -> Path | None:
        """The path below the alternate path, or None for what is none."""
        own = tuple(filter(None, self._tree.contents.root.split("/")))
        if segments[: len(own)] != own:
            return None
        try:
            return parse_name("/" + "/".join(segments[len(own) :]))
        except DecodeError:
            return None

    # -- reading ----------------------------------------------------------------------------------

    def _discover(self, path: Path, request: Request) -> Response:
        if len(path) not in (1, 2, 3):
            return Response(Code.METHOD_NOT_ALLOWED)
        if not self._tree.exists(path):
            return Response(Code.NOT_FOUND)
        depth = None
        if self._tree.contents.version >= V1_2:
            depth = next((_DEPTHS[query] for query in request.queries if query in _DEPTHS), None)
        links = describe_path(self._tree, self._attached, path, depth)
        return Response(Code.CONTENT, links.encode(), Format.LINK.number)

    def _get(self, path: Path, request: Request, now: float) -> Response:
        if not path:
            return Response(Code.METHOD_NOT_ALLOWED)
        if len(path) == 4 and self._tree.contents.version < V1_1:
            return Response(Code.METHOD_NOT_ALLOWED)
        accept = find_accepted(request.accept, self._tree.contents, is_composite=False)
        if isinstance(accept, Code):
            return Response(accept)
        records = self._tree.read(path)
        if isinstance(records, Code):
            return Response(records)
        return self._tell(request, (path,), records, accept, now)

    def _fetch(self, request: Request, now: float) -> Response:
        format_ = self._format_of(request)
        if format_ is None:
            return Response(Code.UNSUPPORTED_CONTENT_FORMAT)
        accept = find_accepted(request.accept, self._tree.contents, is_composite=True)
        if isinstance(accept, Code):
            return Response(accept)
        try:
            paths = decode_paths(format_, request.payload, self._tree.contents.root)
        except DecodeError:
            return Response(Code.BAD_REQUEST)
        records = read_composite(self._tree, paths)
        return self._tell(request, paths, records, accept, now)

    def _tell(
        self,
        request: Request,
        paths: tuple[Path, ...],
        records: tuple[Record, ...],
        accept: Format | None,
        now: float,
    ) -> Response:
        """The values; and, as the Observe option says, further ones from now on or no more."""
        is_composite = request.code is Code.FETCH
        target = ROOT if is_composite else paths[0]
        response = tell_values(records, target, accept, self._tree.contents)
        if request.observe == CANCEL:
            self._observations.cancel(request.token)
        elif request.observe == OBSERVE and response.code is Code.CONTENT:
            own = self._read_attributes(request)
            if isinstance(own, Code):
                return Response(own)
            relation = Relation(
                request.token, paths, accept, is_composite, None if own is None else own.merged({})
            )
            sequence = self._observations.begin(relation, records, now)
            return tell_values(records, target, accept, self._tree.contents, sequence)
        return response

    def _read_attributes(self, request: Request) -> Attributes | Code | None:
        """Attributes in the query of an Observe, which 1.2 has and earlier devices refuse."""
        if not request.queries:
            return None
        if self._tree.contents.version < V1_2:
            return Code.BAD_REQUEST
        try:
            return parse_attributes(request.queries)
        except DecodeError:
            return Code.BAD_REQUEST

    # -- writing ----------------------------------------------------------------------------------

    def _write_attributes(self, path: Path, request: Request, now: float) -> Response:
        if not path:
            return Response(Code.METHOD_NOT_ALLOWED)
        if not self._tree.exists(path):
            return Response(Code.NOT_FOUND)
        try:
            attributes = parse_attributes(request.queries)
        except DecodeError:
            return Response(Code.BAD_REQUEST)
        refusal = self._attached.write(path, attributes)
        if refusal is not None:
            return Response(refusal)
        self._observations.renew_rules(now)
        return Response(Code.CHANGED)

    def _post(self, path: Path, request: Request, now: float) -> Response:
        if len(path) == 1:
            return self._create(path, request, now)
        if len(path) == 2:
            return self._write(path, request, now, is_replace=False)
        if len(path) == 3 and self._tree.exists(path):
            resource = self._tree.define(path)
            if resource is not None and resource.is_executable:
                return self._execute(path, request, now)
            if resource is not None and resource.is_multiple and self._tree.contents.version >= V1_1:
                return self._write(path, request, now, is_replace=False)
            return Response(Code.METHOD_NOT_ALLOWED)
        return Response(Code.NOT_FOUND if len(path) == 3 else Code.METHOD_NOT_ALLOWED)

    def _write(self, path: Path, request: Request, now: float, *, is_replace: bool) -> Response:
        if len(path) < 2:
            return Response(Code.METHOD_NOT_ALLOWED)
        records = self._decode(path, request)
        if isinstance(records, Code):
            return Response(records)
        if not all(self._behaviour.may_write(record.path, record.value) for record in records):
            return Response(Code.METHOD_NOT_ALLOWED)
        before = self._values_before(records)
        refusal = self._tree.write(path, records, is_replace=is_replace)
        if refusal is not None:
            return Response(refusal)
        self._have_written(path, records, before, now)
        return Response(Code.CHANGED)

    def _write_composite(self, request: Request, now: float) -> Response:
        records = self._decode(ROOT, request)
        if isinstance(records, Code):
            return Response(records)
        if not all(self._behaviour.may_write(record.path, record.value) for record in records):
            return Response(Code.METHOD_NOT_ALLOWED)
        before = self._values_before(records)
        refusal = self._tree.write_all(records)
        if refusal is not None:
            return Response(refusal)
        self._have_written(ROOT, records, before, now)
        return Response(Code.CHANGED)

    def _have_written(
        self, path: Path, records: Sequence[Record], before: Sequence[Stored], now: float
    ) -> None:
        for record, old in zip(records, before, strict=True):
            was = None if isinstance(old, Mapping) else old
            self._observations.note(record.path, was, record.value, now)
            for changed, value in self._behaviour.written(record.path):
                self._observations.note(changed, None, value, now)
        if len(path) > 1:
            # A replacement takes away what it does not name.
            self._observations.note(path, None, None, now)
        if any(record.path in _PERIODS for record in records):
            self._observations.renew_rules(now)

    def _values_before(self, records: Sequence[Record]) -> list[Stored]:
        return [self._tree.get(record.path) for record in records]

    # -- executing, creating, deleting ------------------------------------------------------------

    def _execute(self, path: Path, request: Request, now: float) -> Response:
        if request.content_format not in (None, Format.TEXT.number):
            return Response(Code.UNSUPPORTED_CONTENT_FORMAT)
        try:
            arguments = request.payload.decode()
        except UnicodeDecodeError:
            return Response(Code.BAD_REQUEST)
        changes = self._behaviour.execute(path, arguments, now)
        if isinstance(changes, Code):
            return Response(changes)
        self._note_all(changes, now)
        return Response(Code.CHANGED)

    def _note_all(self, changes: Sequence[tuple[Path, Value]], now: float) -> None:
        for changed, value in changes:
            self._observations.note(changed, None, value, now)

    def _create(self, path: Path, request: Request, now: float) -> Response:
        instance_id = None
        records: tuple[Record, ...] = ()
        if request.payload:
            decoded = self._decode(path, request, is_create=True)
            if isinstance(decoded, Code):
                return Response(decoded)
            records = decoded
            ids = {record.path[1] for record in records}
            if len(ids) > 1:
                return Response(Code.BAD_REQUEST)
            instance_id = next((id_ for id_ in ids if id_ != MAX_ID), _find_named_instance(request))
        made = self._tree.create(path.object_id, records, instance_id)
        if isinstance(made, Code):
            return Response(made)
        self._observations.note(made, None, None, now)
        self._behaviour.instances_changed()
        location = () if instance_id is not None else tuple(map(str, made))
        return Response(Code.CREATED, location=location)

    def _delete(self, path: Path, now: float) -> Response:
        refusal = self._tree.delete(path)
        if refusal is not None:
            return Response(refusal)
        self._observations.note(path, None, None, now)
        if len(path) == 2:
            self._attached.forget(path)
            self._behaviour.instances_changed()
        return Response(Code.DELETED)

    # -- payloads ---------------------------------------------------------------------------------

    def _format_of(self, request: Request) -> Format | None:
        """The format of the body, if the device takes it; without a Content-Format it is text."""
        format_ = find_format(request.content_format or 0)
        return format_ if format_ in self._tree.contents.formats else None

    def _decode(
        self, target: Path, request: Request, *, is_create: bool = False
    ) -> tuple[Record, ...] | Code:
        format_ = self._format_of(request)
        if format_ is None:
            return Code.UNSUPPORTED_CONTENT_FORMAT
        contents = self._tree.contents
        context = Context(target, contents.model.find_type, contents.root, is_create)
        try:
            decoded = decode(format_, request.payload, context)
        except DecodeError:
            return Code.BAD_REQUEST
        return Code.BAD_REQUEST if decoded.misfits else decoded.records


def _find_named_instance(request: Request) -> int | None:
    """The number in a TLV that names an instance and no resource of it."""
    payload = request.payload
    is_bare = (len(payload), payload[0]) in ((2, 0x00), (3, 0x20))
    if not is_bare or find_format(request.content_format or 0) is not Format.TLV:
        return None
    return int.from_bytes(payload[1:])


def _is_write_attributes(request: Request) -> bool:
    return bool(request.queries) and not request.payload and request.content_format is None
