"""An Avro schema's text as a Shape, and nothing taken on trust: depth, size and every name are checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from parrot_faust.codec.columns import AVRO_LOGICAL
from parrot_faust.codec.shape import MAX_DEPTH, Base, Shape, weigh
from parrot_faust.errors import DecodeError

# The envelope of PostgreSQL's widest table has a schema of under 1 MB.
_MAX_TEXT = 4_000_000

_PRIMITIVE: Mapping[str, Base] = {
    "null": Base.NULL,
    "boolean": Base.BOOLEAN,
    "int": Base.INT32,
    "long": Base.INT64,
    "float": Base.FLOAT,
    "double": Base.DOUBLE,
    "bytes": Base.BYTES,
    "string": Base.STRING,
}
# Connect has integers that Avro has not: they are written as int and named here.
_CONNECT_TYPE: Mapping[str, Base] = {"int8": Base.INT8, "int16": Base.INT16}


def parse(text: str) -> Shape:
    """The type that `text` describes. Raise DecodeError, saying where, when it is no Avro schema that can be read."""
    if len(text) > _MAX_TEXT:
        raise DecodeError(f"the Avro schema has {len(text)} characters, the limit is {_MAX_TEXT}")
    try:
        tree = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        # A schema may be the bare name of a primitive type, which is no JSON.
        if text.strip() in _PRIMITIVE:
            return Shape(_PRIMITIVE[text.strip()])
        raise DecodeError(f"no Avro schema: {error}") from None
    return _Parser().shape(tree, "", "schema", 0)


def smallest(shape: Shape) -> int:
    """The fewest bytes that a value of this type takes: 0 or 1, which is all that the reader wants to know."""
    if shape.optional or shape.base is Base.UNION:
        return 1
    if shape.base is Base.STRUCT:
        return max((smallest(field) for _, field in shape.fields), default=0)
    if shape.base is Base.BYTES and shape.size >= 0:
        return min(shape.size, 1)
    return 0 if shape.base is Base.NULL else 1


class _Parser:
    def __init__(self) -> None:
        self._named: dict[str, Shape] = {}
        self._open: set[str] = set()

    def shape(self, tree: Any, namespace: str, path: str, depth: int) -> Shape:
        if depth > MAX_DEPTH:
            raise DecodeError(f"the Avro schema is nested deeper than {MAX_DEPTH} levels")
        if isinstance(tree, str):
            return self._reference(tree, namespace, path)
        if isinstance(tree, list):
            return self._union(tree, namespace, path, depth)
        if not isinstance(tree, dict):
            raise DecodeError(f"no Avro schema: {path} is {type(tree).__name__}")
        kind = tree.get("type")
        if isinstance(kind, list | dict):
            return self.shape(kind, namespace, path, depth + 1)
        if kind in ("record", "error"):
            return self._record(tree, namespace, path, depth)
        if kind == "enum":
            return self._enum(tree, namespace, path)
        if kind == "fixed":
            return self._fixed(tree, namespace, path)
        if kind in ("array", "map"):
            items = self.shape(tree.get("items" if kind == "array" else "values"), namespace, path + "[]", depth + 1)
            if not smallest(items):
                raise DecodeError(f"no readable Avro schema: {path} has items that take no bytes")
            return Shape(Base(kind), _text(tree, "connect.name"), items=items, weight=weigh(items))
        if isinstance(kind, str) and kind in _PRIMITIVE:
            return _annotated(_PRIMITIVE[kind], tree)
        if isinstance(kind, str):
            return self._reference(kind, namespace, path)
        raise DecodeError(f"no Avro schema: {path} has no type")

    def _reference(self, name: str, namespace: str, path: str) -> Shape:
        if name in _PRIMITIVE:
            return Shape(_PRIMITIVE[name])
        full = name if "." in name or not namespace else f"{namespace}.{name}"
        for each in (full, name):
            if each in self._open:
                raise DecodeError(f"the Avro schema is recursive at {path}: {name} contains itself")
            if each in self._named:
                return self._named[each]
        raise DecodeError(f"no Avro schema: {path} names the type {name!r}, which is not defined")

    def _union(self, branches: list[Any], namespace: str, path: str, depth: int) -> Shape:
        if not branches:
            raise DecodeError(f"no Avro schema: {path} is an empty union")
        shapes = [self.shape(branch, namespace, path, depth + 1) for branch in branches]
        if len(shapes) == 2:
            for tag, other in ((0, 1), (1, 0)):
                if shapes[tag].base is Base.NULL and shapes[other].base not in (Base.NULL, Base.UNION):
                    if shapes[other].optional:
                        break
                    return msgspec.structs.replace(shapes[other], optional=True, null_tag=tag)
        return Shape(Base.UNION, branches=tuple(shapes), weight=weigh(*shapes))

    def _record(self, tree: dict[str, Any], namespace: str, path: str, depth: int) -> Shape:
        full, inner = self._name(tree, namespace, path)
        fields = tree.get("fields")
        if not isinstance(fields, list):
            raise DecodeError(f"no Avro schema: the record {full} has no list of fields")
        self._open.add(full)
        members: list[tuple[str, Shape]] = []
        for field in fields:
            name = field.get("name") if isinstance(field, dict) else None
            if not isinstance(name, str) or "type" not in field:
                raise DecodeError(f"no Avro schema: a field of {full} has no name or no type")
            shape = self.shape(field["type"], inner, f"{path}.{name}", depth + 1)
            doc = _doc(field)
            members.append((name, msgspec.structs.replace(shape, doc=doc) if doc else shape))
        if len({name for name, _ in members}) != len(members):
            raise DecodeError(f"no Avro schema: the record {full} has two fields of one name")
        self._open.discard(full)
        weight = weigh(*(shape for _, shape in members))
        shape = Shape(Base.STRUCT, _text(tree, "connect.name"), fields=tuple(members), weight=weight)
        self._named[full] = shape
        return shape

    def _enum(self, tree: dict[str, Any], namespace: str, path: str) -> Shape:
        full, _ = self._name(tree, namespace, path)
        symbols = tree.get("symbols")
        if not isinstance(symbols, list) or not symbols or not all(isinstance(each, str) for each in symbols):
            raise DecodeError(f"no Avro schema: the enumeration {full} has no symbols")
        shape = self._named[full] = Shape(Base.STRING, _text(tree, "connect.name"), symbols=tuple(symbols))
        return shape

    def _fixed(self, tree: dict[str, Any], namespace: str, path: str) -> Shape:
        full, _ = self._name(tree, namespace, path)
        size = tree.get("size")
        if type(size) is not int or not 0 <= size < 2**31:
            raise DecodeError(f"no Avro schema: the fixed type {full} has no size")
        shape = self._named[full] = msgspec.structs.replace(_annotated(Base.BYTES, tree), size=size)
        return shape

    def _name(self, tree: dict[str, Any], namespace: str, path: str) -> tuple[str, str]:
        """The full name of a named type and the namespace inside it."""
        name = tree.get("name")
        if not isinstance(name, str) or not name:
            raise DecodeError(f"no Avro schema: {path} has no name")
        space = _text(tree, "namespace") if "namespace" in tree else namespace
        if "." in name:
            space = name.rpartition(".")[0]
        full = name if "." in name or not space else f"{space}.{name}"
        if full in self._named or full in self._open or full in _PRIMITIVE:
            raise DecodeError(f"no Avro schema: the type {full} is defined twice")
        return full, space


def _annotated(base: Base, tree: dict[str, Any]) -> Shape:
    """A primitive type with what Connect and Avro say about its meaning."""
    name = _text(tree, "connect.name")
    named_by_connect = bool(name)
    if not name:
        name = AVRO_LOGICAL.get(_text(tree, "logicalType"), "")
    if base is Base.INT32:
        base = _CONNECT_TYPE.get(_text(tree, "connect.type"), base)
    if name != AVRO_LOGICAL["decimal"]:
        return Shape(base, name)
    parameters = tree.get("connect.parameters")
    if not isinstance(parameters, dict):
        parameters = {}
    # Connect's converter writes a precision of 64 when it knows none: its own parameter is the one to believe.
    precision = parameters.get("connect.decimal.precision")
    if precision is None and not named_by_connect:
        precision = tree.get("precision")
    scale = tree.get("scale", parameters.get("scale", 0))
    return Shape(base, name, precision=digits(precision), scale=digits(scale))


def digits(value: Any) -> int | None:
    """A precision or scale, which parameters give as text. PostgreSQL's limits bound it."""
    if value is None:
        return None
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise DecodeError(f"a decimal can't have precision or scale {value!r}") from None
    if abs(number) > 200_000:
        raise DecodeError(f"a decimal can't have precision or scale {number}")
    return number


def _doc(field: dict[str, Any]) -> str:
    """What is said of a field, by Avro's own word or by that of Connect's converter on its type."""
    if doc := _text(field, "doc"):
        return doc
    branches = field["type"] if isinstance(field["type"], list) else [field["type"]]
    return next((doc for each in branches if isinstance(each, dict) and (doc := _text(each, "connect.doc"))), "")


def _text(tree: dict[str, Any], name: str) -> str:
    value = tree.get(name)
    return value if isinstance(value, str) else ""
