"""JSON without schema: a column's type is what its values show, unless the user declared it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from models import Column, Kind
from parrot_faust.codec import flattened, values
from parrot_faust.codec.columns import column_name
from parrot_faust.codec.event import DOCUMENTS, NOWHERE, OPS, Event, check, op_of, time_of, with_unset
from parrot_faust.codec.jsons import declared, typed
from parrot_faust.codec.jsons.declared import Declared
from parrot_faust.codec.shape import MAX_FIELDS
from parrot_faust.codec.table import taker
from parrot_faust.codec.unset import Row, Unset
from parrot_faust.errors import DecodeError

# Sets of columns that a table's events have had. A schema seldom changes; more than this starts anew.
_MAX_SHAPES = 200
_ADVICE = (
    " (without a schema a column has the type that its first value showed; declare it under columns if it differs)"
)

_any = msgspec.json.Decoder()
_INFERRED: Mapping[type, tuple[Kind, Any, Any, str]] = {
    bool: (Kind.BOOL, bool, None, ""),
    int: (Kind.INT64, typed.INT64, None, ""),
    float: (Kind.FLOAT64, float, None, ""),
    str: (Kind.STRING, str, None, ""),
    dict: (Kind.STRING, msgspec.Raw, declared.json_text, "json"),
    list: (Kind.STRING, msgspec.Raw, declared.json_text, "array"),
}


class _Layout:
    """How to read rows that have exactly the fields `names`, with the types known so far."""

    def __init__(
        self, names: tuple[str, ...], types: Mapping[str, Declared], *, envelope: bool, words: bool = False
    ) -> None:
        self.names = names
        known = [place for place, name in enumerate(names) if name in types]
        fields = [_field(name, types.get(name), words=words) for name in names]
        self.columns: tuple[Column, ...] = tuple(types[names[place]].column for place in known)
        self.unset = Unset(self.columns)
        self._take = taker(known) if len(known) < len(names) else None
        self._after = typed.row_maker(fields, "after." if envelope else "")
        self._before = typed.row_maker(fields, "before.")
        row = typed.row_type(fields, exact=True)
        if envelope:
            # An image before may lack columns (only the key of a table without full replica identity).
            before = typed.row_type([field._replace(required=False) for field in fields], exact=False)
            row = typed.envelope_type(before, row)
        self.decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(row)

    def after(self, struct: Any) -> Row:
        row = self._after(struct)
        return row if self._take is None else self._take(row)

    def before(self, struct: Any) -> Row:
        row = self._before(struct)
        return row if self._take is None else self._take(row)


class PlainReader:
    """Reads the values of one topic, and learns its columns as it goes."""

    def __init__(self, columns: Mapping[str, str], *, envelope: bool) -> None:
        self._types: dict[str, Declared] = {name: declared.parse(name, text) for name, text in columns.items()}
        self._declared = frozenset(self._types)
        self._envelope = envelope
        self._layouts: dict[tuple[str, ...], _Layout] = {}
        self._wordy: dict[tuple[str, ...], _Layout] = {}
        self._current: _Layout | None = None
        self._flat: dict[tuple[Column, ...], tuple[flattened.Layout, Unset]] = {}

    def read(self, data: bytes) -> Event | None:
        """Return the event, None for JSON's null. Raise DecodeError that names the field."""
        layout = self._current
        mismatch: msgspec.ValidationError | None = None
        if layout is not None:
            try:
                struct = layout.decoder.decode(data)
            except msgspec.ValidationError as error:
                layout, mismatch = None, error  # another shape, or a bad record
            except typed.ERRORS as error:
                raise typed.explain(error) from None
        if layout is None:
            try:
                tree = _any.decode(data)
            except typed.ERRORS as error:
                raise typed.explain(mismatch or error, _ADVICE if mismatch else "") from None
            if tree is None:
                return None
            layout = self._layout_of(tree)
            try:
                struct = layout.decoder.decode(data)
                self._current = layout
            except typed.ERRORS as error:
                layout, struct = self._with_words(layout, data, error)
        try:
            event = self._event(layout, struct) if self._envelope else self._flat_event(layout, struct)
        except UnicodeDecodeError as error:
            raise typed.explain(error) from None
        return with_unset(event, layout.unset) if self._envelope and layout.unset.maybe(data) else event

    def key(self, names: tuple[str, ...], tree: Mapping[str, Any]) -> Row:
        """A message key's canonical values, by its columns' types. Raise DecodeError that names the field."""
        row = []
        for name in names:
            value = tree[name]
            known = self._types.get(name)
            if known is not None and value is not None:
                try:
                    value = msgspec.convert(value, known.wire)
                    value = known.convert(value) if known.convert is not None else value
                except msgspec.ValidationError as error:
                    raise DecodeError(f"{name}: {error}") from None
                except DecodeError as error:
                    raise DecodeError(f"{name}: {error}") from None
            row.append(value)
        return tuple(row)

    def key_columns(self, names: tuple[str, ...], tree: Mapping[str, Any]) -> tuple[Column, ...]:
        """The columns of a message key alone, for a table of which nothing else was seen yet."""
        self._learn({name: tree[name] for name in names})
        return tuple(self._types[name].column for name in names if name in self._types)

    def _event(self, layout: _Layout, envelope: Any) -> Event:
        op = OPS.get(envelope.op) or op_of(envelope.op)
        before = None if envelope.before is None else layout.before(envelope.before)
        after = None if envelope.after is None else layout.after(envelope.after)
        source = envelope.source
        if source is None:
            return check(Event(layout.columns, op, before, after, 0, NOWHERE))
        time_us = source.ts_us or time_of(None, source.ts_ms)
        origin = (source.db, source.schema, source.table)
        return check(Event(layout.columns, op, before, after, time_us, origin))

    def _flat_event(self, layout: _Layout, struct: Any) -> Event:
        flat = self._flat.get(layout.columns)
        if flat is None:
            made = flattened.Layout(layout.columns)
            flat = self._flat[layout.columns] = made, Unset(made.columns)  # fewer columns than the record has fields
        rows, unset = flat
        return with_unset(rows.event(layout.after(struct)), unset)

    def _layout_of(self, tree: Any) -> _Layout:
        """The layout for an event's row, having learned from it what is new."""
        if not isinstance(tree, dict):
            raise DecodeError(f"not a change event: a JSON object was expected, not {type(tree).__name__}")
        images = [tree]
        if self._envelope:
            op_of(tree.get("op"))
            if "updateDescription" in tree or isinstance(tree.get("after"), str):
                raise DecodeError(DOCUMENTS)
            images = [image for name in ("after", "before") if isinstance(image := tree.get(name), dict)]
            if not images:
                # A truncate or a message has no row; a broken event fails when it is decoded.
                return self._current or self._layout(())
        for image in images:
            self._learn(image)
        return self._layout(tuple(images[0]))

    def _layout(self, names: tuple[str, ...]) -> _Layout:
        layout = self._layouts.get(names)
        if layout is None:
            if len(self._layouts) >= _MAX_SHAPES:
                self._layouts.clear()
                self._wordy.clear()
            layout = self._layouts[names] = _Layout(names, self._types, envelope=self._envelope)
        return layout

    def _with_words(self, strict: _Layout, data: bytes, error: Exception) -> tuple[_Layout, Any]:
        """Read a record again with floats that may be words (NaN); raise what was wrong if that does not help."""
        layout = self._wordy.get(strict.names)
        if layout is None:
            layout = _Layout(strict.names, self._types, envelope=self._envelope, words=True)
            self._wordy[strict.names] = layout
        try:
            return layout, layout.decoder.decode(data)
        except typed.ERRORS:
            raise typed.explain(error, _ADVICE) from None

    def _learn(self, image: Mapping[str, Any]) -> None:
        """Note the types of columns not seen before. A whole number may turn out to have been a float's."""
        for name, value in image.items():
            if value is None or name in self._declared:
                continue
            column = column_name(name)
            if column in self._declared:  # the same column, whose name the log spells otherwise
                if name not in self._types:
                    self._forget()
                    self._types[name] = self._types[column]
                continue
            known = self._types.get(name)
            if known is not None and not (known.column.kind is Kind.INT64 and type(value) is float):
                continue
            if known is None and len(self._types) >= MAX_FIELDS:
                raise DecodeError(f"the topic's events have more than {MAX_FIELDS} different fields")
            kind, wire, convert, semantic = _INFERRED[type(value)]
            self._types[name] = Declared(Column(column, kind, semantic=semantic), wire, convert)
            self._forget()

    def _forget(self) -> None:
        """Make the layouts anew: what they were made of has changed."""
        self._layouts.clear()
        self._wordy.clear()
        self._flat.clear()
        self._current = None


def _field(name: str, known: Declared | None, *, words: bool) -> typed.Field:
    if known is None:
        # A column that has only ever been null is no column yet; the first value of it is noticed.
        return typed.Field(name, None, True, None)
    if words and known.wire is float:
        return typed.Field(name, float | str | None, True, values.float_of_text)
    return typed.Field(name, _nullable(known.wire), True, known.convert)


def _nullable(wire: Any) -> Any:
    return wire if wire is msgspec.Raw else wire | None
