"""Message keys: which columns identify a row, and the values of a deleted one."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from models import Column
from parrot_faust.codec.jsons import typed
from parrot_faust.codec.jsons.described import Described, RowPayload
from parrot_faust.codec.jsons.plain import PlainReader
from parrot_faust.codec.shape import Base, Shape
from parrot_faust.codec.unset import Row

_any = msgspec.json.Decoder()


class KeyReader(Protocol):
    """Reads message keys of one shape. `names` is empty for keys that name no column."""

    names: tuple[str, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the key alone."""

    def read(self, data: bytes, /) -> Row:
        """The canonical values in key order. Raise DecodeError that names the field."""


class BareKey:
    """Keys that are no struct: none, a number or a text. They name no column."""

    names: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()

    def read(self, _data: bytes) -> Row:
        """No values."""
        return ()


BARE = BareKey()


class PlainKey:
    """JSON keys without schema that have the fields `names`: their types are what the topic's values showed."""

    def __init__(self, names: tuple[str, ...], plain: PlainReader) -> None:
        self.names, self._plain = names, plain
        self._tree: dict[str, Any] = {}

    def seen(self, tree: dict[str, Any]) -> PlainKey:
        """Take the key that was decoded last."""
        self._tree = tree
        return self

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the key alone, as far as they are known."""
        return self._plain.key_columns(self.names, self._tree)

    def read(self, _data: bytes) -> Row:
        """The values of the key that was seen last."""
        return self._plain.key(self.names, self._tree)


class JsonKeys:
    """Reads the JSON keys of one topic, told apart by what they are. `described` settles it beforehand."""

    def __init__(self, plain: PlainReader, *, described: bool | None) -> None:
        self._plain, self._may_be_described = plain, described is not False
        self._described: Described[Row] = Described(_described_key)
        self._latest = PlainKey((), plain)

    def key(self, data: bytes) -> tuple[KeyReader, bytes]:
        """The reader for a key, and what to give it. Raise DecodeError for a schema that is none."""
        if self._may_be_described and data.startswith(b'{"schema":'):
            reader, data = self._described.payload(data)
            if isinstance(reader, RowPayload | BareKey):
                return reader, data
        try:
            tree = _any.decode(data)
        except typed.ERRORS:
            return BARE, data  # a bare text, as StringConverter writes it
        if not isinstance(tree, dict):
            return BARE, data
        names = tuple(tree)
        if names != self._latest.names:
            self._latest = PlainKey(names, self._plain)
        return self._latest.seen(tree), data


def _described_key(shape: Shape) -> RowPayload | BareKey:
    return RowPayload(shape) if shape.base is Base.STRUCT else BARE
