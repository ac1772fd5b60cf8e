"""What a sink's process writes in one go, and what it must not."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
import pytest

from models import AppliedDdl, Chunk, ChunkHeader, Column, Kind, Row, RowOp, TableSchema
from parrot_faust.errors import SinkUnavailable
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


def of_table(number: int) -> bytes:
    schema = TableSchema.of(f"t{number}", SCHEMA.columns, SCHEMA.key)
    row = brings(number, "a")
    header = ChunkHeader(schema.table, 0, number, number, 1, row.version, 0, 1)
    return msgspec.msgpack.encode(Chunk(header, schema, [row]))


def answer(*chunks: bytes) -> host.Answer:
    return msgspec.msgpack.decode(host.write(chunks, time.monotonic() + 60), type=host.Answer)


class Slow(MemorySink):
    """Makes so many tables a call, and then gives no answer; takes the rows of the others."""

    def __init__(self, tables: int) -> None:
        super().__init__()
        self.each, self.left = tables, tables
        self.asked: list[str] = []

    def ensure(self, schema: TableSchema, deadline: float) -> Sequence[AppliedDdl]:
        with self._lock:
            self.asked.append(schema.table)
            if schema.table not in self.columns:
                if not self.left:
                    raise SinkUnavailable(self.name, "no answer in time")
                self.left -= 1
        return super().ensure(schema, deadline)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    sink = Slow(2)
    monkeypatch.setattr(host, "_sink", sink)
    monkeypatch.setattr(host, "_untold", {})
    return sink


def test_tables_are_made_as_far_as_the_time_goes_and_the_rest_asked_for_at_once(slow: Slow) -> None:
    chunks = [of_table(number) for number in range(5)]
    for _ in range(2):
        found = answer(*chunks)
        assert (found.expired, found.unavailable) == (True, ""), "not told as an outage, after which one waits"
        slow.left = slow.each
    results = answer(*chunks).results
    assert [len(result.ddl) for result in results] == [1] * 5, "each table is told of once, whichever call made it"
    assert all(len(slow.tables[f"t{number}"]) == 1 for number in range(5))


def test_a_store_that_makes_no_table_is_an_outage_and_asked_once_for_each(slow: Slow) -> None:
    slow.left = 0
    assert answer(of_table(1), of_table(2)).unavailable == "memory is not available: no answer in time"
    assert sorted(slow.asked) == ["t1", "t2"]


def test_an_outage_is_told_also_when_the_lease_ended_with_it(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told as a lease that ran out it would be tried again for ever, and nobody would hear of it."""
    assert answer(of_table(0)).results
    slow.left = 0
    made, now = slow.ensure_all, time.monotonic
    monkeypatch.setattr(
        slow, "ensure_all", lambda *given: (made(*given), monkeypatch.setattr(time, "monotonic", lambda: now() + 90))[0]
    )
    found = answer(of_table(0), of_table(1), of_table(2))
    assert (found.expired, found.unavailable) == (False, "memory is not available: no answer in time")


def test_rows_of_tables_that_are_there_do_not_wait_for_those_that_can_not_be_made(slow: Slow) -> None:
    assert answer(of_table(0)).results
    slow.tables["t0"].clear()
    slow.left = 0
    assert answer(of_table(0), of_table(1), of_table(2)).unavailable
    assert len(slow.tables["t0"]) == 1


def test_tables_made_for_a_batch_that_was_taken_away_are_told_of_with_the_next(slow: Slow) -> None:
    assert answer(of_table(0), of_table(1), of_table(2)).expired
    (result,) = answer(of_table(0)).results
    assert [change.table for change in result.ddl] == ["t0", "t1"]
    (result,) = answer(of_table(0)).results
    assert not result.ddl


def test_a_table_s_later_shape_waits_for_the_rows_of_the_first(slow: Slow) -> None:
    """It may drop a column that these have."""
    slow.left = 9
    before = TableSchema.of("t0", SCHEMA.columns, SCHEMA.key)
    after = TableSchema.of("t0", SCHEMA.columns[:2], SCHEMA.key)
    done, failed = slow.ensure_all([before, after, TableSchema.of("t1", SCHEMA.columns, SCHEMA.key)], 1e9)
    assert (done[0][0].fingerprint, len(done), failed) == (before.fingerprint, 2, {})
    done, failed = slow.ensure_all([before, after, TableSchema.of("t2", SCHEMA.columns, SCHEMA.key)], 1e9)
    assert (done, failed) == ([], {}), "one new table is left to its turn"


def test_a_table_that_is_refused_leaves_the_others_to_be_made(slow: Slow) -> None:
    slow.left = 9
    bare = TableSchema.of("bare", SCHEMA.columns, ())
    header = ChunkHeader("bare", 0, 7, 7, 1, 107, 0, 1)
    refused = msgspec.msgpack.encode(Chunk(header, bare, [brings(7, "a")]))
    one, two, three = answer(of_table(1), refused, of_table(2)).results
    assert [failure.error for failure in two.failures] == ["TableRefused"]
    assert not one.failures
    assert not three.failures
