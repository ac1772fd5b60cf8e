"""Sending rows through the pipeline again. Nothing here writes into a store.

A row that the source has is asked for by a signal: the connector reads it in an incremental snapshot that is limited to
its key, and it comes as a change of op ``r`` like any other, in order with the changes around it.

A row that only a store has can't be asked for: a snapshot of nothing sends nothing. For it a delete goes into the
source topic, in the form of the topic's other records, under the key's own bytes and so in the key's own partition; the
worker decodes, orders and applies it like Debezium's. It carries the header ``parrot.repair``. Should the source insert
the key in that very moment, the delete may come after the insert: therefore the source is asked again afterwards, and a
row that is there by then is sent by a snapshot.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from io import BytesIO
from typing import Any, Protocol
from uuid import uuid4

from parrot_faust.errors import ParrotError
from parrot_faust.names import signal_topic
from parrot_faust.verify.broker import Found, Offsets
from parrot_faust.verify.differences import Key
from parrot_faust.verify.held import Keys
from parrot_faust.verify.plan import TablePlan
from parrot_faust.verify.stored import Logical

#: The connector keeps the condition, as JSON within JSON, in each of its offsets, and no record may be above 1 MB.
CONDITION_BYTES = 250_000
TAIL = 100  # records of each partition among which an example of the topic's form is looked for
POLL_S = 0.5
HEADER = ("parrot.repair", b"delete of a row that only a store had")
_SAME_IN_KEYS = frozenset({Logical.INT16, Logical.INT32, Logical.INT64, Logical.TEXT, Logical.BOOL, Logical.DATE})

#: Key, value and partition of a message, and its headers.
Message = tuple[bytes | None, bytes | None, int | None, Sequence[tuple[str, bytes]]]


class RepairRefused(ParrotError):
    """Rows can't be sent again; the text says what is needed."""


class Topics(Protocol):
    """What is done in Kafka."""

    def ends(self, topics: Sequence[str]) -> Offsets: ...
    def read(self, topic: str, take: Callable[[Found], None], start: Mapping[int, int] | None = None) -> None: ...
    def make(self, topic: str, *, config: Mapping[str, str]) -> None: ...
    def send(self, topic: str, messages: Sequence[Message]) -> None: ...


class Repair:
    """Sends rows of one table again. `condition` makes SQL of keys, `schema_of` gives a registered schema's text."""

    def __init__(
        self,
        plan: TablePlan,
        broker: Topics,
        condition: Callable[[TablePlan, Sequence[Key]], str],
        schema_of: Callable[[int], str | None],
        wait_s: float,
    ) -> None:
        self._plan, self._broker, self._condition = plan, broker, condition
        self._schema_of, self._wait_s = schema_of, wait_s
        self._names = tuple(column.name for column in plan.key)

    # -- rows that the source has ------------------------------------------------------------------------------------

    def snapshot(self, keys: Sequence[Key]) -> None:
        """Ask the connector for these rows and return when they have come out of it.

        Raise RepairRefused when they do not: then the connector does not listen to the signal topic.
        """
        prefix = self._plan.topic.split(".", 1)[0]
        topic = signal_topic(prefix)
        self._broker.make(topic, config={"cleanup.policy": "delete"})
        collection = f"{self._plan.schema}.{self._plan.relation}"
        for part, condition in self._conditions(keys):
            begin = self._broker.ends([self._plan.topic])
            signal = {
                "id": str(uuid4()),
                "type": "execute-snapshot",
                "data": {
                    "type": "INCREMENTAL",
                    "data-collections": [collection],
                    "additional-conditions": [{"data-collection": collection, "filter": condition}],
                },
            }
            self._broker.send(topic, [(prefix.encode(), json.dumps(signal).encode(), 0, ())])
            self._await(set(part), begin, topic)

    def _conditions(self, keys: Sequence[Key]) -> Iterator[tuple[Sequence[Key], str]]:
        """As few conditions as may be, each with its keys.

        Debezium 3.3.2 begins a snapshot in the thread that takes signals, and its stream may go on with that snapshot
        in the same moment, which ends the connector (see `docs/verify.md`): each signal less is a chance less for it.
        """
        condition = self._condition(self._plan, keys)
        if len(keys) == 1 or len(json.dumps(condition)) <= CONDITION_BYTES:
            yield keys, condition
            return
        half = len(keys) // 2
        yield from self._conditions(keys[:half])
        yield from self._conditions(keys[half:])

    def _await(self, keys: set[Key], begin: Offsets, signals: str) -> None:
        read_key = Keys(self._schema_of)
        deadline = time.monotonic() + self._wait_s
        start = {partition: offset for (_, partition), offset in begin.items()}

        def take(record: Found) -> None:
            if record.key is not None and record.value is not None:
                keys.discard(read_key(record.key, self._names) or ())
            start[record.partition] = record.offset + 1

        while True:
            self._broker.read(self._plan.topic, take, start)
            if not keys:
                return
            if time.monotonic() > deadline:
                raise RepairRefused(
                    f"{self._plan.topic}: {len(keys)} rows did not come out of the connector. Either they were deleted "
                    f"meanwhile, or it has failed (`parrot connector status` tells), or it does not listen to signals: "
                    f"signal.enabled.channels=kafka, "
                    f"signal.kafka.topic={signals}, signal.kafka.bootstrap.servers=..., and read.only=true (or a "
                    f"signal table in signal.data.collection)"
                )
            time.sleep(POLL_S)

    # -- rows that only a store has ----------------------------------------------------------------------------------

    def delete(self, keys: Sequence[Key]) -> None:
        """Put a delete of each key into the source topic. Raise RepairRefused when none can be made."""
        example = self._example()
        at = time.time_ns() // 1000
        self._broker.send(
            self._plan.topic,
            [(self._key(example, key), self._value(example, key, at), None, [HEADER]) for key in keys],
        )

    def _example(self) -> Found:
        """A record of the topic with a row: its form is that of all others."""
        start = {partition: max(0, end - TAIL) for (_, partition), end in self._broker.ends([self._plan.topic]).items()}
        found: list[Found] = []

        def take(record: Found) -> None:
            if record.key and record.value:
                found.append(record)

        self._broker.read(self._plan.topic, take, start)
        for record in reversed(found):
            envelope = self._envelope(record.value or b"")
            if envelope is not None and self._fields(record.key or b"") is not None:
                return record
        raise RepairRefused(
            f"{self._plan.topic}: the last records of its topic are no Debezium events with an envelope: rows that "
            f"only a store has can't be deleted through it"
        )

    def _key(self, example: Found, key: Key) -> bytes:
        if unlike := [column for column in self._plan.key if column.logical not in _SAME_IN_KEYS]:
            raise RepairRefused(
                f"{self._plan.topic}: a row that only a store has can't be deleted by a key of {unlike[0].sql}"
            )
        data = example.key or b""
        fields = self._fields(data) or {}
        changed = {**fields, **dict(zip(self._names, key, strict=True))}
        if data[:1] == b"\0":
            return self._avro_bytes(data, changed)
        whole = json.loads(data)
        if "payload" in whole and "schema" in whole:
            return _json({**whole, "payload": changed})
        return _json(changed)

    def _value(self, example: Found, key: Key, at_us: int) -> bytes:
        data = example.value or b""
        envelope = dict(self._envelope(data) or {})
        row = envelope.get("after") or envelope.get("before") or {}
        source = dict(envelope.get("source") or {})
        for name, value in (("ts_us", at_us), ("ts_ms", at_us // 1000), ("ts_ns", at_us * 1000)):
            for part in (envelope, source):
                if name in part:
                    part[name] = value
        if "snapshot" in source:
            source["snapshot"] = "false"
        envelope |= {"op": "d", "before": None, "after": None, "source": source}
        if data[:1] == b"\0":
            return self._avro_bytes(data, envelope)
        whole = json.loads(data)
        if "payload" in whole and "schema" in whole:
            return _json({**whole, "payload": envelope})
        # Without a schema the columns are known by the row before alone.
        return _json(envelope | {"before": {**dict.fromkeys(row), **dict(zip(self._names, key, strict=True))}})

    # -- forms -------------------------------------------------------------------------------------------------------

    def _fields(self, data: bytes) -> dict[str, Any] | None:
        record = self._record(data)
        return record if record is not None and set(self._names) <= record.keys() else None

    def _envelope(self, data: bytes) -> dict[str, Any] | None:
        record = self._record(data)
        return record if record is not None and "op" in record and "source" in record else None

    def _record(self, data: bytes) -> dict[str, Any] | None:
        try:
            if data[:1] == b"\0":
                from fastavro import schemaless_reader

                record = schemaless_reader(BytesIO(data[5:]), self._schema(data), None)
            else:
                record = json.loads(data)
                if isinstance(record, dict) and isinstance(record.get("payload"), dict):
                    record = record["payload"]
        except (ValueError, EOFError, LookupError, TypeError):
            return None
        return record if isinstance(record, dict) else None

    def _schema(self, data: bytes) -> Any:
        from fastavro import parse_schema

        text = self._schema_of(int.from_bytes(data[1:5], "big"))
        if text is None:
            raise LookupError("the registry does not know the schema")
        return parse_schema(json.loads(text))

    def _avro_bytes(self, like: bytes, record: dict[str, Any]) -> bytes:
        from fastavro import schemaless_writer

        written = BytesIO()
        schemaless_writer(written, self._schema(like), record)
        return like[:5] + written.getvalue()


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=_decimal).encode()


def _decimal(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} in a JSON record")
