"""Avro schemas by their id in the registry, and the readers made of them."""

from __future__ import annotations

from parrot_faust.codec.avro import schema
from parrot_faust.codec.avro.reader import HEADER, EnvelopeReader, FlattenedReader, RowReader
from parrot_faust.codec.event import Reader
from parrot_faust.codec.keys import BARE, KeyReader
from parrot_faust.codec.shape import Base, Shape
from parrot_faust.errors import DecodeError, UnknownSchema


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
        header = data[:HEADER]
        reader = self._values.get(header)
        if reader is None:
            shape = self._shape(header)
            reader = self._values[header] = FlattenedReader(shape) if self._flattened else EnvelopeReader(shape)
        return reader

    def key(self, data: bytes) -> KeyReader:
        """The reader for a framed message key. Raise UnknownSchema or DecodeError."""
        header = data[:HEADER]
        reader = self._keys.get(header)
        if reader is None:
            shape = self._shape(header)
            reader = self._keys[header] = RowReader(shape) if shape.base is Base.STRUCT else BARE
        return reader

    def _shape(self, header: bytes) -> Shape:
        if len(header) < HEADER:
            raise DecodeError(f"only {len(header)} bytes: Avro in Confluent's framing has a zero byte and a 4-byte id")
        shape = self._shapes.get(header)
        if shape is None:
            raise UnknownSchema(int.from_bytes(header[1:], "big"))
        if isinstance(shape, DecodeError):
            raise shape
        return shape
