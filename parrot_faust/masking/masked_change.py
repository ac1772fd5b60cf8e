"""A change with its columns masked, as the record that stands for the original where a rule held it back.

JSON for people to read, with its shape, so that it can be taken in again without the original: `read_masked` gives the
change whose columns are masked already.
"""

from __future__ import annotations

import math
from base64 import b64decode
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from models import Change, Kind, Op, TableSchema
from parrot_faust.errors import DecodeError

_NAMED_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}  # JSON has no word for them


class MaskedChange(msgspec.Struct, frozen=True):
    """The record. `masked` names the masked columns; rows are objects of column and value."""

    masked: tuple[str, ...]
    op: Op
    time_us: int
    key: dict[str, Any]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    unset: tuple[str, ...]
    schema: TableSchema


def write_masked(schema: TableSchema, change: Change, columns: tuple[str, ...]) -> bytes:
    """Encode a masked change of the masked shape `schema`."""
    names = [column.name for column in schema.columns]
    return msgspec.json.encode(
        MaskedChange(
            masked=columns,
            op=change.op,
            time_us=change.time_us,
            key=_named(schema.key, change.key),
            before=None if change.before is None else _named(names, change.before),
            after=None if change.after is None else _named(names, change.after),
            unset=tuple(names[position] for position in change.unset),
            schema=schema,
        )
    )


def read_masked(data: bytes, *, index: int = 0, offset: int = 0) -> tuple[TableSchema, Change]:
    """The shape and the change of such a record; `index` and `offset` are those the change is to have.

    Raise DecodeError when the bytes are no such record.
    """
    try:
        record = msgspec.json.decode(data, type=MaskedChange)
        schema = record.schema
        kinds = {column.name: column.kind for column in schema.columns}
        names = list(kinds)
        change = Change(
            record.op,
            index,
            offset,
            record.time_us,
            tuple(_read(kinds[name], record.key[name]) for name in schema.key),
            _row(record.before, kinds),
            _row(record.after, kinds),
            tuple(names.index(name) for name in record.unset),
        )
    except (msgspec.DecodeError, KeyError, ValueError, TypeError, InvalidOperation) as error:
        raise DecodeError(f"no masked record: {type(error).__name__}") from None
    return schema, change


def _named(names: Any, row: tuple[Any, ...]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in zip(names, row, strict=True)}


def _plain(value: Any) -> Any:
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value


def _row(values: Mapping[str, Any] | None, kinds: Mapping[str, Kind]) -> tuple[Any, ...] | None:
    return None if values is None else tuple(_read(kind, values[name]) for name, kind in kinds.items())


def _float(value: Any) -> float:
    return _NAMED_FLOATS[value] if isinstance(value, str) else float(value)


#: Kinds whose values JSON writes as something else.
_FROM_JSON: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.BYTES: lambda text: b64decode(text, validate=True),
    Kind.DECIMAL: Decimal,
    Kind.FLOAT32: _float,
    Kind.FLOAT64: _float,
}


def _read(kind: Kind, value: Any) -> Any:
    read = _FROM_JSON.get(kind)
    return value if value is None or read is None else read(value)
