"""Message keys: which columns identify a row, and the values of a deleted one."""

from __future__ import annotations

from typing import Any

import msgspec

from models import Column
from parrot_faust.codec.jsons import typed
from parrot_faust.codec.jsons.described import Described, RowPayload
from parrot_faust.codec.jsons.plain import PlainReader
from parrot_faust.codec.shape import Base, Shape
from parrot_faust.codec.unset import Row

_any = msgspec.json.Decoder()


class Key(msgspec.Struct):
    """The names in a message key, read; its values are read when they are wanted, which is for deletes.

    `names` is empty for a key that is a bare value and names no column.
    """

    names: tuple[str, ...]
    reader: Any = None
    data: Any = None

    def values(self) -> Row:
        """The canonical values in key order. Raise DecodeError that names the field."""
        row: Row = self.reader.read(self.data)
        return row

    def columns(self) -> tuple[Column, ...]:
        """The columns of the key alone."""
        columns: tuple[Column, ...] = self.reader.columns
        return columns


class PlainKey:
    """A key in JSON without schema: its types are what the topic's values showed."""

    def __init__(self, names: tuple[str, ...], tree: dict[str, Any], plain: PlainReader) -> None:
        self._names, self._tree, self._plain = names, tree, plain

    @property
    def columns(self) -> tuple[Column, ...]:
        return self._plain.key_columns(self._names, self._tree)

    def read(self, _data: bytes) -> Row:
        return self._plain.key(self._names, self._tree)


class BareKey:
    """A key that is no struct: a number or a text, which names no column."""

    names: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()

    def read(self, _data: bytes) -> Row:
        return ()


def _json_key(shape: Shape) -> RowPayload | BareKey:
    return RowPayload(shape) if shape.base is Base.STRUCT else BareKey()


class JsonKeys:
    """Reads JSON keys of one topic, told apart by what they are."""

    def __init__(self, plain: PlainReader, *, described: bool | None) -> None:
        self._plain, self._is_described = plain, described
        self._described: Described[Row] = Described(_json_key)

    def key(self, data: bytes) -> Key:
        """The key in `data`. Raise DecodeError when it is no JSON."""
        if self._is_described is not False and data.startswith(b'{"schema":'):
            reader, payload = self._described.payload(data)
            if isinstance(reader, RowPayload | BareKey):
                return Key(reader.names, reader, payload)
            data = payload
        try:
            tree = _any.decode(data)
        except typed.ERRORS:
            return Key(())  # a bare text, as StringConverter writes it, names no column
        if not isinstance(tree, dict):
            return Key(())
        names = tuple(tree)
        return Key(names, PlainKey(names, tree, self._plain), data)
