"""Rows without an envelope, as ExtractNewRecordState leaves them."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
from debezium_events import Record

from models import Op
from parrot_faust.codec import Decoder

TOPIC = "shop.public.t"


def plain(row: Any, key: Any = None) -> Record:
    return Record(1, json.dumps(key or {"id": row["id"]}).encode(), None if row is None else json.dumps(row).encode())


def test_added_fields_say_what_happened_and_are_no_columns() -> None:
    row = {"id": 1, "x": "a", "__deleted": "false", "__op": "c", "__source_ts_ms": 7, "__table": "t2", "__db": "d"}
    gone = {**row, "__deleted": "true", "__op": "d"}
    (segment,) = Decoder(format="flattened").decode(TOPIC, [plain(row), plain(gone)]).segments
    assert [column.name for column in segment.schema.columns] == ["id", "x"]
    assert (segment.schema.database, segment.schema.relation) == ("d", "t2")
    created, deleted = segment.changes
    assert (created.op, created.after, created.time_us) == (Op.CREATE, (1, "a"), 7000)
    assert (deleted.op, deleted.before, deleted.after, deleted.key) == (Op.DELETE, (1, "a"), None, (1,))


def test_without_added_fields_a_row_is_an_update_and_a_tombstone_a_delete() -> None:
    decoded = Decoder(format="flattened").decode(
        TOPIC, [plain(None, {"id": 9}), plain({"id": 1, "x": "a"}), plain(None, {"id": 1})]
    )
    assert not decoded.failures
    changes = [change for segment in decoded.segments for change in segment.changes]
    assert [(change.op, change.key) for change in changes] == [(Op.DELETE, (9,)), (Op.UPDATE, (1,)), (Op.DELETE, (1,))]
    # The delete after the row is of the row's shape: nothing changed in between.
    assert [len(segment.changes) for segment in decoded.segments] == [1, 2]
    assert decoded.tombstones == 0


def test_avro_rows_are_read_the_same() -> None:
    fields = [
        {"name": "id", "type": "long"},
        {"name": "x", "type": ["null", "string"]},
        {"name": "__deleted", "type": "string"},
    ]
    schema = {"type": "record", "name": "Value", "fields": fields}
    key_schema = {"type": "record", "name": "Key", "fields": fields[:1]}
    decoder = Decoder(format="flattened")
    decoder.learn(1, json.dumps(schema))
    decoder.learn(2, json.dumps(key_schema))

    def framed(schema_id: int, tree: Any, value: Any) -> bytes:
        out = io.BytesIO()
        fastavro.schemaless_writer(out, fastavro.parse_schema(tree), value)
        return b"\x00" + schema_id.to_bytes(4, "big") + out.getvalue()

    key = framed(2, key_schema, {"id": 3})
    batch = [
        Record(1, key, framed(1, schema, {"id": 3, "x": None, "__deleted": "false"})),
        Record(2, key, framed(1, schema, {"id": 3, "x": "__debezium_unavailable_value", "__deleted": "false"})),
        Record(3, key, framed(1, schema, {"id": 3, "x": None, "__deleted": "true"})),
        Record(4, key, None),
    ]
    (segment,) = decoder.decode(TOPIC, batch).segments
    assert [(change.op, change.unset) for change in segment.changes] == [
        (Op.UPDATE, ()), (Op.UPDATE, (1,)), (Op.DELETE, ()), (Op.DELETE, ())
    ]  # fmt: skip


def test_a_row_where_an_envelope_is_expected_is_told_of_the_setting() -> None:
    (failure,) = Decoder().decode(TOPIC, [plain({"id": 1, "x": 2})]).failures
    assert "flattened" in str(failure.error)
