"""What a sink's process writes in one go, and what it must not."""

from __future__ import annotations

import time

import msgspec
import pytest

from models import Chunk, ChunkHeader, Column, Kind, Row, RowOp, TableSchema
from parrot_faust.sinks import host
from parrot_faust.sinks.factory import SinkSpec
from parrot_faust.sinks.memory import MemorySink

SCHEMA = TableSchema.of("t", (Column("id", Kind.INT32), Column("note", Kind.STRING)), ("id",))


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[list[Row]]:
    calls: list[list[Row]] = []

    class Listening(MemorySink):
        def write(self, schema: TableSchema, rows: list[Row], deadline: float):  # type: ignore[no-untyped-def, override]
            calls.append(list(rows))
            return super().write(schema, rows, deadline)

    monkeypatch.setattr(host, "_sink", None)
    monkeypatch.setattr(host, "_spec", SinkSpec("memory", {}))
    monkeypatch.setattr(host, "build", lambda _: Listening())
    return calls


def chunk(generation: int, *rows: Row) -> bytes:
    header = ChunkHeader("t", 0, rows[0].offset, rows[-1].offset, generation, rows[-1].version, 0, len(rows))
    return msgspec.msgpack.encode(Chunk(header, SCHEMA, list(rows)))


def brings(offset: int, note: str) -> Row:
    return Row(offset, offset + 100, RowOp.UPSERT, (1, note))


def leaves_out(offset: int) -> Row:
    return Row(offset, offset + 100, RowOp.UPSERT, (1, None), (1,))


def test_rows_of_one_owner_are_reduced_together(written: list[list[Row]]) -> None:
    host.write([chunk(2, brings(7, "a")), chunk(2, leaves_out(9))], time.monotonic() + 60)
    assert written == [[Row(9, 109, RowOp.UPSERT, (1, "a"))]]


def test_no_gap_is_filled_from_what_another_owner_sent(written: list[list[Row]]) -> None:
    """Between the two the note may have changed: the former owner's row comes before that is sent again."""
    host.write([chunk(3, brings(7, "a")), chunk(2, leaves_out(9))], time.monotonic() + 60)
    assert written == [[brings(7, "a")], [leaves_out(9)]]
