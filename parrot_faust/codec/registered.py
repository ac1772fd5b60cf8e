"""Avro schemas by their id in the registry, and the readers made of them."""

from __future__ import annotations

from typing import Protocol

from models import Column
from parrot_faust.codec.avro import schema
from parrot_faust.codec.avro.reader import HEADER, EnvelopeReader, FlattenedReader, RowReader
from parrot_faust.codec.event import Reader
from parrot_faust.codec.keys import BareKey
from parrot_faust.codec.shape import Base, Shape
from parrot_faust.codec.unset import Row
from parrot_faust.errors import DecodeError, UnknownSchema


class KeyReader(Protocol):
    """Reads message keys of one shape."""

    names: tuple[str, ...]
    columns: tuple[Column, ...]

    def read(self, _data: bytes, /) -> Row: ...


class Registered:
    """What is known of the registry's schemas. Looked up by the five bytes that a record begins with."""

    def __init__(self, *, flattened: bool) -> None:
        self._flattened = flattened
        self._shapes: dict[bytes, Shape | DecodeError] = {}
        self._values: dict[bytes, Reader] = {}
        self._keys: dict[bytes, KeyReader] = {}

    def missing(self, headers: set[bytes]) -> set[int]:
        """The ids among `headers` that `learn` was not told."""
        return {
            int.from_bytes(header[1:], "big")
            for header in headers
            if header[:1] == b"\x00" and len(header) == HEADER and header not in self._shapes
        }

    def learn(self, schema_id: int, text: str) -> None:
        """Take the schema of an id. One that can't be read fails the records that carry it, not this call."""
        header = b"\x00" + schema_id.to_bytes(4, "big")
        try:
            self._shapes[header] = schema.parse(text)
        except DecodeError as error:
            self._shapes[header] = DecodeError(f"schema {schema_id}: {error}")

    def value(self, data: bytes) -> Reader:
        """The reader for a framed record value. Raise UnknownSchema or DecodeError."""
        reader = self._values.get(data[:HEADER])
        if reader is None:
            shape = self._shape(data)
            reader = self._values[data[:HEADER]] = FlattenedReader(shape) if self._flattened else EnvelopeReader(shape)
        return reader

    def key(self, data: bytes) -> KeyReader:
        """The reader for a framed message key. Raise UnknownSchema or DecodeError."""
        reader = self._keys.get(data[:HEADER])
        if reader is None:
            shape = self._shape(data)
            reader = self._keys[data[:HEADER]] = RowReader(shape) if shape.base is Base.STRUCT else BareKey()
        return reader

    def _shape(self, data: bytes) -> Shape:
        header = data[:HEADER]
        if len(header) < HEADER:
            raise DecodeError(f"only {len(header)} bytes: Avro in Confluent's framing has a zero byte and a 4-byte id")
        shape = self._shapes.get(header)
        if shape is None:
            raise UnknownSchema(int.from_bytes(header[1:], "big"))
        if isinstance(shape, DecodeError):
            raise shape
        return shape
