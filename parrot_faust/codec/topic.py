"""Records of one topic: each told apart by its bytes, read, and bound to its table."""

from __future__ import annotations

from collections.abc import Mapping

from models import Change, Column, Op, TableSchema, key_text
from parrot_faust.codec.event import NOWHERE, Event
from parrot_faust.codec.form import Form
from parrot_faust.codec.jsons.described import Described, EnvelopePayload, FlattenedPayload
from parrot_faust.codec.jsons.plain import PlainReader
from parrot_faust.codec.keys import BARE, JsonKeys, KeyReader
from parrot_faust.codec.record import Record
from parrot_faust.codec.registered import Registered
from parrot_faust.codec.shape import Shape
from parrot_faust.codec.table import Binding, Bindings
from parrot_faust.codec.unset import Row
from parrot_faust.errors import DecodeError, TableRefused, TerminalError

_NO_KEY = "its records have no message key; name its key columns under key: in the settings, or leave the table out"
_BARE_KEY = "its message keys name no columns; name its key columns under key: in the settings, or leave the table out"


class Topic:
    """Reads a topic's records."""

    def __init__(
        self,
        name: str,
        form: Form,
        key: tuple[str, ...],
        columns: Mapping[str, str],
        registered: Registered,
        intern: dict[str, TableSchema],
    ) -> None:
        self._name, self._form, self._settings_key = name, form, key
        self._avro, self._json, self._may_be_described = form.avro, form.json, form is not Form.JSON
        self._flattened = form is Form.FLATTENED
        self._registered = registered
        self._plain = PlainReader(columns, envelope=not self._flattened)
        described = {Form.JSON: False, Form.JSON_SCHEMA: True}.get(form)
        self._keys = JsonKeys(self._plain, described=described)
        self._described: Described[Event | None] = Described(self._payload_reader)
        self._bindings = Bindings(name, intern)
        self._key_columns: dict[tuple[Column, ...], tuple[Column, ...]] = {}

    def change(self, index: int, record: Record) -> tuple[TableSchema, Change] | bool:
        """Return the change in a record; True for a tombstone, False for a message without a row.

        Raise TerminalError when it can't be taken.
        """
        data = record.value
        if data is None:
            return self._removal(index, record) if self._flattened and record.key is not None else True
        event = self._event(data)
        if event is None:
            return self._removal(index, record) if self._flattened and record.key is not None else True
        op = event.op
        if op is Op.MESSAGE:
            return False
        if op is Op.TRUNCATE:
            schema = self._truncated(event)
            return schema, Change(op, index, record.offset, event.time_us, (), None, None)
        key, key_data = self._key(record.key)
        names = key.names or self._settings_key
        if not names:
            raise TableRefused(self._name, _NO_KEY if record.key is None else _BARE_KEY)
        binding = self._bindings.binding(event.columns, names, event.origin)
        after, unset = event.after, event.unset
        if after is None or not binding.key_places.isdisjoint(unset):
            values = self._old_key(key, key_data, binding, event)
        else:
            values = binding.key_of(after)
        if None in values:
            raise DecodeError(f"{names[values.index(None)]}: a key column is null")
        return binding.schema, Change(op, index, record.offset, event.time_us, values, event.before, after, unset)

    def located(self, record: Record, error: TerminalError) -> TerminalError:
        """The error, with the table and the row's key where the record says it and the error does not."""
        if type(error) is not DecodeError:
            return error
        return DecodeError(f"{self._name}: {self._key_text(record)}{error}")

    def _key_text(self, record: Record) -> str:
        try:
            key, data = self._key(record.key)
            return f"key ({key_text(key.names, key.read(data))}): " if key.names else ""
        except TerminalError:
            return ""  # the key can't be read either, and the error of the value says more

    def _event(self, data: bytes) -> Event | None:
        if data[:1] == b"\x00":
            if not self._avro:
                raise DecodeError(f"Avro in a topic whose format is set to {self._form}")
            return self._registered.value(data).read(data)
        if not self._json:
            raise DecodeError(
                f"the first byte is {data[:1].hex() or 'missing'}, not the zero byte of Confluent's framing"
            )
        if self._may_be_described and (data.startswith(b'{"schema":') or self._form is Form.JSON_SCHEMA):
            return self._described_event(data)
        try:
            return self._plain.read(data)
        except DecodeError:
            # The two halves of a message with schema may come in any order and with any white space.
            if self._may_be_described and b'"payload"' in data and b'"schema"' in data:
                return self._described_event(data)
            raise

    def _described_event(self, data: bytes) -> Event | None:
        reader, payload = self._described.payload(data)
        return self._plain.read(payload) if reader is None else reader.read(payload)

    def _payload_reader(self, shape: Shape) -> EnvelopePayload | FlattenedPayload:
        return FlattenedPayload(shape) if self._flattened else EnvelopePayload(shape)

    def _key(self, data: bytes | None) -> tuple[KeyReader, bytes]:
        if data is None:
            return BARE, b""
        if data[:1] == b"\x00":
            return self._registered.key(data), data
        return self._keys.key(data)

    def _old_key(self, key: KeyReader, data: bytes, binding: Binding, event: Event) -> Row:
        """The key of a deleted row: the message key says it, else the row before."""
        if key.names:
            try:
                return key.read(data)
            except DecodeError as error:
                raise DecodeError(f"message key: {error}") from None
        if event.before is None:
            raise DecodeError("before: a delete without a message key must have the row before it")
        return binding.key_of(event.before)

    def _removal(self, index: int, record: Record) -> tuple[TableSchema, Change]:
        """A flattened topic's tombstone: the only trace of a delete, or a repetition of it, which does no harm."""
        key, data = self._key(record.key)
        if not key.names:
            raise TableRefused(self._name, _BARE_KEY)
        binding = self._bindings.latest
        if binding is None or binding.schema.key != key.names:
            columns = key.columns
            # Equal key columns must be one object, for a binding is looked up by it.
            binding = self._bindings.binding(self._key_columns.setdefault(columns, columns), key.names, NOWHERE)
        values = self._old_key(key, data, binding, Event((), Op.DELETE, None, None, 0, NOWHERE))
        if None in values:
            raise DecodeError(f"{key.names[values.index(None)]}: a key column is null")
        return binding.schema, Change(Op.DELETE, index, record.offset, record.timestamp * 1000, values, None, None)

    def _truncated(self, event: Event) -> TableSchema:
        latest = self._bindings.latest
        if latest is not None:
            return latest.schema
        return self._bindings.binding(event.columns, self._settings_key, event.origin).schema
