"""JSON with its schema. The schema is several kilobytes and the same for every record: it is compiled once and then
known by its bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from models import Column, Kind
from parrot_faust.codec import flattened, values
from parrot_faust.codec.event import OPS, Event, Fields, check, op_of, row_shape, time_of, with_unset
from parrot_faust.codec.jsons import schema, typed
from parrot_faust.codec.shape import Base, Shape
from parrot_faust.codec.unset import Row, Unset
from parrot_faust.errors import DecodeError

# A topic has a schema for each shape its table ever had. More than this is somebody's mistake, and starts anew.
_MAX_SCHEMAS = 200

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class PayloadReader(Protocol[T_co]):
    """Reads payloads of one schema."""

    def read(self, payload: bytes) -> T_co: ...


class Message(msgspec.Struct, gc=False):
    """A message of Connect's JsonConverter, both halves unread."""

    schema: msgspec.Raw
    payload: msgspec.Raw


_message = msgspec.json.Decoder(Message)
_any = msgspec.json.Decoder()


class Described(Generic[T]):
    """Finds the reader of a message by the bytes of its schema. One for the values of a topic, one for its keys."""

    def __init__(self, compile_: Callable[[Shape], PayloadReader[T]]) -> None:
        self._compile = compile_
        self._known: dict[bytes, PayloadReader[T] | DecodeError] = {}
        # The bytes before the payload of the message read last: equal bytes mean the same schema, without parsing.
        self._prefix = b"\x00"
        self._latest: PayloadReader[T] | None = None

    def payload(self, data: bytes) -> tuple[PayloadReader[T] | None, bytes]:
        """Return the reader for a message and its payload; the reader is None where the schema is null.

        Raise DecodeError when `data` is no such message.
        """
        if data.startswith(self._prefix) and data[-1:] == b"}":
            return self._latest, data[len(self._prefix) : -1]
        message = typed.decode(_message, data)
        text, payload = bytes(message.schema), bytes(message.payload)
        if text == b"null":
            return None, payload
        reader = self._known.get(text)
        if reader is None:
            if len(self._known) >= _MAX_SCHEMAS:
                self._known.clear()
            reader = self._known[text] = self._compiled(text)
        if isinstance(reader, DecodeError):
            raise reader
        prefix = b'{"schema":' + text + b',"payload":'
        if data == prefix + payload + b"}":
            self._prefix, self._latest = prefix, reader
        return reader, payload

    def _compiled(self, text: bytes) -> PayloadReader[T] | DecodeError:
        try:
            return self._compile(schema.parse(typed.decode(_any, text)))
        except DecodeError as error:
            return error


class EnvelopePayload:
    """Reads change events of one schema."""

    def __init__(self, shape: Shape) -> None:
        row = row_shape(shape)
        self.columns: tuple[Column, ...] = Fields(row).columns if row is not None else ()
        self._unset = _unset(self.columns)
        fields, loose = ([], []) if row is None else (_fields(row), _fields(row, words=True))
        self._strict = _EnvelopeDecoder(fields)
        self._loose = _EnvelopeDecoder(loose)

    def read(self, payload: bytes) -> Event | None:
        """Return the event, None for null. Raise DecodeError that names the field."""
        how = self._strict
        try:
            envelope = how.decoder.decode(payload)
        except msgspec.ValidationError:
            if payload == b"null":
                return None
            how = self._loose  # NaN and infinities are words; all else fails again
            envelope = typed.decode(how.decoder, payload)
        except typed.ERRORS as error:
            raise typed.explain(error) from None
        op = OPS.get(envelope.op) or op_of(envelope.op)
        before = None if envelope.before is None else how.before(envelope.before)
        after = None if envelope.after is None else how.after(envelope.after)
        source = envelope.source
        if source is None:
            event = Event(self.columns, op, before, after, 0, (None, None, None))
        else:
            time_us = source.ts_us or time_of(None, source.ts_ms)
            event = Event(self.columns, op, before, after, time_us, (source.db, source.schema, source.table))
        if after is None:
            check(event)
        return with_unset(event, self._unset) if self._unset.maybe(payload) else event


class RowPayload:
    """Reads structs of one schema as rows: message keys."""

    def __init__(self, shape: Shape) -> None:
        self.columns: tuple[Column, ...] = Fields(shape).columns
        self.names = tuple(column.name for column in self.columns)
        self._strict, self._loose = _RowDecoder(_fields(shape)), _RowDecoder(_fields(shape, words=True))

    def read(self, payload: bytes) -> Row:
        """Return the canonical values in field order. Raise DecodeError that names the field."""
        try:
            struct = self._strict.decoder.decode(payload)
        except msgspec.ValidationError:
            return self._loose.row(typed.decode(self._loose.decoder, payload))
        except typed.ERRORS as error:
            raise typed.explain(error) from None
        return self._strict.row(struct)


class FlattenedPayload:
    """Reads rows without an envelope."""

    def __init__(self, shape: Shape) -> None:
        self._rows = RowPayload(shape)
        self._layout = flattened.Layout(self._rows.columns)
        self._unset = _unset(self._layout.columns)

    def read(self, payload: bytes) -> Event | None:
        """Return the event, None for null. Raise DecodeError that names the field."""
        if payload == b"null":
            return None
        event = self._layout.event(self._rows.read(payload))
        return with_unset(event, self._unset) if self._unset.maybe(payload) else event


def _unset(columns: tuple[Column, ...]) -> Unset:
    return Unset(columns, base64=any(column.kind is Kind.BYTES for column in columns))


def _fields(row: Shape, *, words: bool = False) -> list[typed.Field]:
    """How to decode a row's fields. With `words`, floats may be the words for what JSON has no number for."""
    fields = []
    for (name, shape), convert in zip(row.fields, Fields(row).converters, strict=True):
        wire = typed.WIRE[shape.base]
        if words and shape.base in (Base.FLOAT, Base.DOUBLE):
            wire, convert = wire | str, convert or values.float_of_text
        fields.append(typed.Field(name, wire | None if shape.optional else wire, not shape.optional, convert))
    return fields


class _EnvelopeDecoder:
    def __init__(self, fields: list[typed.Field]) -> None:
        row = typed.row_type(fields, exact=False)
        self.decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(typed.envelope_type(row, row))
        self.before, self.after = typed.row_maker(fields, "before."), typed.row_maker(fields, "after.")


class _RowDecoder:
    def __init__(self, fields: list[typed.Field]) -> None:
        self.decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(typed.row_type(fields, exact=False))
        self.row = typed.row_maker(fields, "")
