"""The faults that the reference sink can be switched to; what it shares with the others is in the conformance suite."""

from __future__ import annotations

import time

import pytest

from models import Column, Kind, Row, RowOp, TableSchema
from parrot_faust.errors import SinkUnavailable
from parrot_faust.sinks.memory import MemorySink

SCHEMA = TableSchema.of("t", (Column("id", Kind.INT64, False), Column("text", Kind.STRING)), ("id",))
ROWS = [Row(0, 1, RowOp.UPSERT, (1, "a")), Row(1, 2, RowOp.UPSERT, (2, "b"))]


def soon() -> float:
    return time.monotonic() + 60


@pytest.fixture
def sink() -> MemorySink:
    made = MemorySink()
    made.ensure(SCHEMA, soon())
    return made


def test_switched_off_before_writing_it_has_written_nothing(sink: MemorySink) -> None:
    sink.fail_before = 2
    for _ in range(2):
        with pytest.raises(SinkUnavailable, match="before"):
            sink.write(SCHEMA, ROWS, soon())
    assert list(sink.read(SCHEMA)) == []
    assert sink.write(SCHEMA, ROWS, soon()).failures == ()


def test_switched_off_after_writing_it_has_written_all(sink: MemorySink) -> None:
    sink.fail_after = 1
    with pytest.raises(SinkUnavailable, match="after"):
        sink.write(SCHEMA, ROWS, soon())
    assert list(sink.read(SCHEMA)) == [(1, "a"), (2, "b")]
    assert sink.write(SCHEMA, ROWS, soon()).failures == ()
    assert list(sink.read(SCHEMA)) == [(1, "a"), (2, "b")]


def test_refused_key_is_refused_for_good_and_alone(sink: MemorySink) -> None:
    sink.refuse.add((1,))
    rows = [*ROWS, Row(2, 3, RowOp.DELETE, (1,))]
    failures = sink.write(SCHEMA, rows, soon()).failures
    assert [(failure.index, failure.transient, failure.error) for failure in failures] == [
        (0, False, "RowRefused"),
        (2, False, "RowRefused"),
    ]
    assert list(sink.read(SCHEMA)) == [(2, "b")]


def test_dropped_column_is_null_in_rows_written_after_it(sink: MemorySink) -> None:
    sink.write(SCHEMA, ROWS, soon())
    narrow = TableSchema.of("t", SCHEMA.columns[:1], ("id",))
    sink.ensure(narrow, soon())
    sink.write(narrow, [Row(2, 3, RowOp.UPSERT, (1,))], soon())
    assert sorted(sink.read(SCHEMA)) == [(1, None), (2, "b")]
