"""Batches of one partition's records, decoded into runs of changes of one shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from models import Change, TableSchema
from parrot_faust.codec.avro.reader import HEADER
from parrot_faust.codec.form import Form
from parrot_faust.codec.record import Decoded, Failure, Record, Segment
from parrot_faust.codec.registered import Registered
from parrot_faust.codec.topic import Topic
from parrot_faust.errors import SettingsError, TerminalError

_NONE: Mapping[str, tuple[str, ...]] = MappingProxyType({})
_UNDECLARED: Mapping[str, Mapping[str, str]] = MappingProxyType({})


class Decoder:
    """Decodes records of any number of topics; what it learns of their schemas it keeps.

    `format` is one of `Form`. `keys` names the key columns of topics whose records have no message key that does.
    `columns` declares column types for JSON without schema, by topic and column. Raise SettingsError for a type or a
    format that does not exist. Not for use by several threads at once.
    """

    def __init__(
        self,
        *,
        format: str = "auto",
        keys: Mapping[str, tuple[str, ...]] = _NONE,
        columns: Mapping[str, Mapping[str, str]] = _UNDECLARED,
    ) -> None:
        if format not in list(Form):
            raise SettingsError(f"format {format!r} does not exist; there are {', '.join(Form)}")
        self._form = Form(format)
        self._keys, self._columns = keys, columns
        self._registered = Registered(flattened=self._form is Form.FLATTENED)
        self._topics: dict[str, Topic] = {}
        self._intern: dict[str, TableSchema] = {}
        for topic in columns:
            self._topic(topic)

    def missing(self, records: Sequence[Record]) -> set[int]:
        """The registry's schema ids in these records that `learn` was not told yet."""
        if not self._form.avro:
            return set()
        headers = {data[:HEADER] for record in records if (data := record.value) is not None}
        headers |= {data[:HEADER] for record in records if (data := record.key) is not None}
        return self._registered.missing(headers)

    def learn(self, schema_id: int, schema: str | None) -> None:
        """Take the registry's answer for an id; None where it has no such schema.

        That answer is not kept, so a schema registered later is found then. A text that is no Avro schema fails the
        records that carry the id.
        """
        if schema is not None:
            self._registered.learn(schema_id, schema)

    def decode(self, topic: str, records: Sequence[Record]) -> Decoded:
        """Decode records of one topic, in order. Never raises for what a record holds."""
        reader = self._topic(topic)
        read = reader.change
        decoded = Decoded([], [])
        current: TableSchema | None = None
        changes: list[Change] = []
        for index, record in enumerate(records):
            try:
                outcome = read(index, record)
            except TerminalError as error:
                decoded.failures.append(Failure(index, record.offset, reader.located(record, error)))
                continue
            if outcome is True:
                decoded.tombstones += 1
            elif outcome is False:
                decoded.skipped += 1
            else:
                schema, change = outcome
                if schema is not current:
                    current, segment = schema, Segment(schema, [])
                    decoded.segments.append(segment)
                    changes = segment.changes
                changes.append(change)
        return decoded

    def _topic(self, name: str) -> Topic:
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = Topic(
                name,
                self._form,
                tuple(self._keys.get(name, ())),
                self._columns.get(name, {}),
                self._registered,
                self._intern,
            )
        return topic
