"""What every reader makes of a record's value, whatever its form, and what an envelope must have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from models import Column, Op
from parrot_faust.codec.columns import Converter, column_of, converter_of
from parrot_faust.codec.shape import Base, Shape
from parrot_faust.codec.unset import Row, Unset
from parrot_faust.errors import DecodeError

#: Database, schema and table as the source block names them, as text or UTF-8 bytes; None or empty where it does not.
Origin = tuple[str | bytes | None, str | bytes | None, str | bytes | None]

NOWHERE: Origin = (None, None, None)


class Event(msgspec.Struct, gc=False):
    """A decoded value; its rows are in the order of `columns`, which is the same object for all of one shape.

    For op m there is no row, for t neither. `time_us` is 0 when the event does not say.
    """

    columns: tuple[Column, ...]
    op: Op
    before: Row | None
    after: Row | None
    time_us: int
    origin: Origin
    unset: tuple[int, ...] = ()


class Reader(Protocol):
    """Reads values of one form."""

    def read(self, data: bytes) -> Event | None:
        """Return the event in `data`, a whole record value, None for a tombstone in disguise (JSON's null).

        Raise DecodeError that names the field.
        """


OPS: Mapping[str, Op] = {op.value: op for op in Op}
OPS_BYTES: Mapping[bytes, Op] = {op.value.encode(): op for op in Op}

NO_ENVELOPE = (
    "not a Debezium change event: it has no field 'op' (if the connector flattens its events with "
    "ExtractNewRecordState, set format: flattened)"
)

DOCUMENTS = (
    "a change event of MongoDB, whose documents are text without columns: let the connector flatten them with "
    "ExtractNewDocumentState and set format: flattened"
)


def op_of(text: Any) -> Op:
    """The operation that an envelope's `op` names."""
    op = OPS.get(text) if isinstance(text, str) else None
    if op is None:
        raise DecodeError(
            NO_ENVELOPE if text is None else f"op: {text!r} is no operation of Debezium's (c, u, d, r, t, m)"
        )
    return op


def check(event: Event) -> Event:
    """Return `event`, which must carry the image that its operation promises."""
    if event.after is None and event.op in (Op.CREATE, Op.UPDATE, Op.READ):
        raise DecodeError(f"after: an event of op {event.op} must have the row after it")
    return event


def time_of(ts_us: Any, ts_ms: Any) -> int:
    """Commit time in microseconds, 0 when neither field says it."""
    for value, factor in ((ts_us, 1), (ts_ms, 1000)):
        if type(value) is int:
            return value * factor
    return 0


def with_unset(event: Event, unset: Unset) -> Event:
    """The same event, with the values that it did not carry marked."""
    if event.before is not None:
        event.before, _ = unset.split(event.before)
    if event.after is not None:
        event.after, event.unset = unset.split(event.after)
    return event


class Fields:
    """A struct's fields as columns."""

    def __init__(self, shape: Shape) -> None:
        if shape.base is not Base.STRUCT:
            raise DecodeError(f"a row must be a struct, not {shape.base}")
        self.columns: tuple[Column, ...] = tuple(column_of(name, field) for name, field in shape.fields)
        self.converters: tuple[Converter | None, ...] = tuple(converter_of(name, field) for name, field in shape.fields)

    def row(self, raw: Sequence[Any], where: str) -> Row:
        """The canonical row of raw values in column order. Raise DecodeError that begins with the field's path."""
        row = []
        for column, converter, value in zip(self.columns, self.converters, raw, strict=True):
            if value is not None and converter is not None:
                try:
                    value = converter(value)
                except DecodeError as error:
                    raise DecodeError(f"{where}{column.name}: {error}") from None
            row.append(value)
        return tuple(row)


def row_shape(envelope: Shape) -> Shape | None:
    """The struct of a row inside an envelope's shape, None for an envelope of messages, which has no rows.

    Raise DecodeError when `envelope` is none.
    """
    if envelope.base is not Base.STRUCT or (op := envelope.field("op")) is None or op.base is not Base.STRING:
        raise DecodeError(NO_ENVELOPE)
    after, before = envelope.field("after"), envelope.field("before")
    if after is None:
        if envelope.field("message") is None:
            raise DecodeError("not a Debezium change event: it has no field 'after'")
        return None
    if after.base is Base.STRING:
        raise DecodeError(DOCUMENTS)
    if after.base is not Base.STRUCT:
        raise DecodeError(f"after: a row must be a struct, not {after.base}")
    if before is not None and [(name, each.base) for name, each in before.fields] != [
        (name, each.base) for name, each in after.fields
    ]:
        raise DecodeError("before and after have different fields")
    return after
