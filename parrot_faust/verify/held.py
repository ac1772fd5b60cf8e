"""What was held back of a table, by key: read from its quarantine and dead-letter topics and from its source topic."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from parrot_faust.names import Names
from parrot_faust.verify.broker import Found
from parrot_faust.verify.differences import Key
from parrot_faust.verify.plan import TablePlan


class Topics(Protocol):
    """Reads topics."""

    def read(self, topic: str, take: Callable[[Found], None], start: Mapping[int, int] | None = None) -> None: ...


class Held(NamedTuple):
    """A record that was held back. `place` is where it lies in the topic it is kept in, `partition` and `offset` where
    it came from. `sink` is empty where both stores lack it.
    """

    place: str
    partition: int
    offset: int
    quarantined: bool
    sink: str
    rule: str
    version: str
    error: str
    message: str


def held_of(
    plan: TablePlan,
    keys: Collection[Key],
    broker: Topics,
    names: Names,
    read_key: Callable[[bytes, tuple[str, ...]], Key | None],
) -> dict[Key, list[Held]]:
    """The held records of these keys that are their keys' last: no later record of the key is in the source topic.

    Costs reading both side topics, and the source topic from the first of these records on. A tombstone is nobody's
    last record: it only confirms the delete before it. The key of what is kept without it is read in the source topic,
    while that still has it.
    """
    key_names = tuple(column.name for column in plan.key)
    wanted = set(keys)
    found: dict[Key, list[Held]] = {}
    nameless: dict[tuple[int, int], list[Held]] = {}  # kept without their keys, since a column of the table is masked

    def taker(topic: str, quarantined: bool) -> Callable[[Found], None]:
        def take(record: Found) -> None:
            if "parrot.offset" not in record.headers:
                return
            held = _held(topic, quarantined, record)
            if "parrot.withheld" in record.headers:
                nameless.setdefault((held.partition, held.offset), []).append(held)
            elif record.key is not None and (key := read_key(record.key, key_names)) in wanted:
                found.setdefault(key, []).append(held)

        return take

    for topic, quarantined in ((names.quarantine(plan.topic), True), (names.dead(plan.topic), False)):
        broker.read(topic, taker(topic, quarantined))
    start: dict[int, int] = {}
    for partition, offset in [*nameless, *((one.partition, one.offset) for all_of in found.values() for one in all_of)]:
        start[partition] = min(start.get(partition, offset), offset)
    if not start:
        return {}
    last: dict[Key, tuple[int, int]] = {}

    def note(record: Found) -> None:
        key = read_key(record.key, key_names) if record.key is not None else None
        if key is None or key not in wanted:
            return
        found.setdefault(key, []).extend(nameless.get((record.partition, record.offset), ()))
        if record.value is not None:
            last[key] = (record.partition, record.offset)

    broker.read(plan.topic, note, start)
    result: dict[Key, list[Held]] = {}
    for key, records in found.items():
        # The source topic may no longer have the record: then nothing later is known of either.
        newest = last.get(key)
        if kept := [record for record in records if newest is None or newest == (record.partition, record.offset)]:
            result[key] = kept
    return result


def _held(topic: str, quarantined: bool, record: Found) -> Held:
    headers = record.headers
    return Held(
        f"{topic}[{record.partition}] offset {record.offset}",
        int(headers.get("parrot.partition", "-1")),
        int(headers["parrot.offset"]),
        quarantined,
        headers.get("parrot.sink", ""),
        headers.get("parrot.rule", ""),
        headers.get("parrot.rules_version", ""),
        headers.get("parrot.error", ""),
        headers.get("parrot.message", ""),
    )


class Keys:
    """Reads record keys: JSON, or Avro with the registry's schemas. `schema_of` gives a schema's text by its id."""

    def __init__(self, schema_of: Callable[[int], str | None]) -> None:
        self._schema_of = schema_of
        self._schemas: dict[int, Any] = {}
        self._known: dict[bytes, Key | None] = {}

    def __call__(self, data: bytes, names: tuple[str, ...]) -> Key | None:
        """The key's values in the order of `names`, None when these bytes are no such key."""
        if len(self._known) > 100_000:
            self._known.clear()
        if data not in self._known:
            self._known[data] = self._read(data, names)
        return self._known[data]

    def _read(self, data: bytes, names: tuple[str, ...]) -> Key | None:
        try:
            record = self._avro(data) if data[:1] == b"\0" else json.loads(data)
        except (ValueError, EOFError, LookupError, TypeError):  # bytes that a broken record has in place of a key
            return None
        if isinstance(record, dict) and isinstance(record.get("payload"), dict):
            record = record["payload"]
        if not isinstance(record, dict) or not set(names) <= record.keys():
            return None
        return tuple(_canonical(record[name]) for name in names)

    def _avro(self, data: bytes) -> Any:
        from io import BytesIO

        from fastavro import parse_schema, schemaless_reader

        identity = int.from_bytes(data[1:5], "big")
        if identity not in self._schemas:
            text = self._schema_of(identity)
            self._schemas[identity] = parse_schema(json.loads(text)) if text is not None else None
        schema = self._schemas[identity]
        return None if schema is None else schemaless_reader(BytesIO(data[5:]), schema, None)


def _canonical(value: Any) -> Any:
    return format(value, "f") if isinstance(value, Decimal) else value
