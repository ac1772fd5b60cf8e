"""Connect's JSON schemas, the `schema` half of a message of its JsonConverter, as a Shape."""

from __future__ import annotations

from typing import Any

import msgspec

from parrot_faust.codec.avro.schema import digits
from parrot_faust.codec.columns import AVRO_LOGICAL
from parrot_faust.codec.shape import MAX_DEPTH, Base, Shape, weigh
from parrot_faust.errors import DecodeError

_BASES = {base.value: base for base in Base if base not in (Base.UNION, Base.NULL)}


def parse(tree: Any, path: str = "schema", depth: int = 0) -> Shape:
    """The type that a decoded JSON schema describes. Raise DecodeError, saying where, when it is none."""
    if depth > MAX_DEPTH:
        raise DecodeError(f"the schema is nested deeper than {MAX_DEPTH} levels")
    if not isinstance(tree, dict):
        raise DecodeError(f"{path} is no Connect schema")
    base = _BASES.get(tree.get("type", ""))
    if base is None:
        raise DecodeError(f"{path} has no type of Connect's: {tree.get('type')!r}")
    name = tree.get("name")
    name = name if isinstance(name, str) else ""
    optional = tree.get("optional") is True
    if base is Base.STRUCT:
        fields = _fields(tree, path, depth)
        weight = weigh(*(shape for _, shape in fields))
        return Shape(base, name, optional, fields=fields, weight=weight)
    if base in (Base.ARRAY, Base.MAP):
        items = parse(tree.get("items" if base is Base.ARRAY else "values"), path + "[]", depth + 1)
        return Shape(base, name, optional, items=items, weight=weigh(items))
    if name != AVRO_LOGICAL["decimal"]:
        return Shape(base, name, optional)
    parameters = tree.get("parameters")
    if not isinstance(parameters, dict):
        raise DecodeError(f"{path} is a decimal without scale")
    precision, scale = digits(parameters.get("connect.decimal.precision")), digits(parameters.get("scale"))
    return Shape(base, name, optional, precision=precision, scale=scale)


def _fields(tree: dict[str, Any], path: str, depth: int) -> tuple[tuple[str, Shape], ...]:
    fields = tree.get("fields")
    if not isinstance(fields, list):
        raise DecodeError(f"{path} is a struct without fields")
    members = []
    for field in fields:
        name = field.get("field") if isinstance(field, dict) else None
        if not isinstance(name, str):
            raise DecodeError(f"{path} has a field without a name")
        shape = parse(field, f"{path}.{name}", depth + 1)
        doc = field.get("doc")
        members.append((name, msgspec.structs.replace(shape, doc=doc) if doc and isinstance(doc, str) else shape))
    if len({name for name, _ in members}) != len(members):
        raise DecodeError(f"{path} has two fields of one name")
    return tuple(members)
