"""Readers of Avro records: generated code first, the exact reader when that fails."""

from __future__ import annotations

from typing import Any

from models import Column
from parrot_faust.codec import flattened
from parrot_faust.codec.avro import exact, generated
from parrot_faust.codec.event import Event, Fields, check, op_of, row_shape, time_of, with_unset
from parrot_faust.codec.shape import Shape
from parrot_faust.codec.unset import Row, Unset
from parrot_faust.errors import DecodeError

#: Confluent's framing: a zero byte and the schema's id in four bytes, big-endian.
HEADER = 5


class EnvelopeReader:
    """Reads change events of one writer schema. Raise DecodeError when the schema is no envelope's."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        row = row_shape(shape)
        self._fields = Fields(row) if row is not None else None
        self.columns: tuple[Column, ...] = self._fields.columns if self._fields else ()
        self._unset = Unset(self.columns, base64=False)
        self._fast = generated.envelope_function(shape, generated.row_function(row)) if row is not None else None

    def read(self, data: bytes) -> Event:
        """Return the event in a whole framed record value. Raise DecodeError that names the field."""
        if self._fast is None:
            return self._exactly(data)
        try:
            op, before, after, time_us, origin, end = self._fast(data, HEADER)
        except (*generated.ERRORS, DecodeError):
            return self._exactly(data)
        if end != len(data) or op is None:
            return self._exactly(data)
        event = Event(self.columns, op, before, after, time_us, origin)
        if after is None:
            check(event)
        if self._unset.maybe(data):
            return with_unset(event, self._unset)
        return event

    def _exactly(self, data: bytes) -> Event:
        raw = whole(self._shape, data)
        op = op_of(raw.get("op"))
        source = raw.get("source") or {}
        if not isinstance(source, dict):
            raise DecodeError("source: it must be a struct")
        origin = (_name(source, "db"), _name(source, "schema"), _name(source, "table"))
        time_us = time_of(source.get("ts_us"), source.get("ts_ms"))
        before, after = self._image(raw, "before"), self._image(raw, "after")
        return with_unset(check(Event(self.columns, op, before, after, time_us, origin)), self._unset)

    def _image(self, raw: dict[str, Any], image: str) -> Row | None:
        value = raw.get(image)
        if value is None or self._fields is None:
            return None
        return self._fields.row(tuple(value.values()), f"{image}.")


class RowReader:
    """Reads framed structs as rows: message keys, and rows without an envelope."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._fields = Fields(shape)
        self.columns = self._fields.columns
        self.names = tuple(column.name for column in self.columns)
        self._fast = generated.row_function(shape)

    def read(self, data: bytes) -> Row:
        """Return the canonical values in field order. Raise DecodeError that names the field."""
        try:
            row, end = self._fast(data, HEADER)
            if end == len(data):
                return row
        except (*generated.ERRORS, DecodeError):
            pass  # read it again, to accept what is unusual and to name what is wrong
        return self._fields.row(tuple(whole(self._shape, data).values()), "")


class FlattenedReader:
    """Reads rows without an envelope."""

    def __init__(self, shape: Shape) -> None:
        self._rows = RowReader(shape)
        self._layout = flattened.Layout(self._rows.columns)
        self.columns = self._layout.columns
        self._unset = Unset(self.columns, base64=False)

    def read(self, data: bytes) -> Event:
        """Return the event in a whole framed record value. Raise DecodeError that names the field."""
        event = self._layout.event(self._rows.read(data))
        return with_unset(event, self._unset) if self._unset.maybe(data) else event


def whole(shape: Shape, data: bytes) -> dict[str, Any]:
    """The struct in a framed record, as raw values, with nothing after it."""
    value, end = exact.read(shape, data, HEADER, "")
    if end != len(data):
        raise DecodeError(f"{len(data) - end} bytes after the end of the Avro record")
    if not isinstance(value, dict):
        raise DecodeError("the Avro record is null")
    return value


def _name(source: dict[str, Any], part: str) -> str | None:
    value = source.get(part)
    return value if isinstance(value, str) else None
