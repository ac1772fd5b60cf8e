"""What every sink promises of shapes that were decided on: planned without effect, dropped once, generations apart."""

from __future__ import annotations

from stores import Store, Tables, soon, upserts, write

from models import Column, Kind, TableSchema
from parrot_faust.sinks.base import Sink

ID = Column("id", Kind.INT64, False)
TEXT = Column("text", Kind.STRING)
NUMBER = Column("number", Kind.INT32)


def again(
    schema: TableSchema, *columns: Column, generation: int = 1, without: tuple[str, ...] = (), drops: int = 0
) -> TableSchema:
    return TableSchema.of(
        schema.table, columns, schema.key, database=schema.database, namespace=schema.namespace,
        relation=schema.relation, generation=generation, without=without, drops=drops,
    )  # fmt: skip


def test_a_plan_says_what_is_done_then_and_does_nothing(store: Store, tables: Tables) -> None:
    schema, sink = tables.of(ID, TEXT), store.sink()
    (planned,) = sink.plan(schema)
    assert sink.shape(schema) is None, "nothing was made"
    (done,) = sink.ensure(schema, soon())
    assert (planned.table, planned.target, planned.change) == (done.table, done.target, done.change)
    assert planned.target in planned.statement or sink.name == "memory"
    assert list(sink.plan(schema)) == []
    write(sink, schema, upserts((1, "a")))
    found = sink.shape(schema)
    assert found is not None
    assert {name for name, _ in found.columns} == {"id", "text"}


def test_a_dropped_column_is_gone_and_late_rows_do_not_bring_it_back(store: Store, tables: Tables) -> None:
    before, sink = tables.of(ID, TEXT, NUMBER), store.sink()
    write(sink, before, upserts((1, "a", 10), (2, "b", 20)))
    after = again(before, ID, TEXT, without=("number",), drops=1)
    write(sink, after, upserts((1, "c")))
    if sink.name != "hbase":  # which has no columns: cells go when their row is written
        found = sink.shape(after)
        assert found is not None
        assert [name for name, _ in found.columns if name == "number"] == []
    write(sink, before, upserts((3, "late", 30)))
    write(sink, after, upserts((3, "then")))
    assert sorted(sink.read(after)) == [(1, "c"), (2, "b"), (3, "then")]
    assert sink.plan(after) == [] or sink.name == "memory"
    with_number = again(before, ID, TEXT, NUMBER, drops=1)
    sink.ensure(with_number, soon())  # added again
    rows = {row[0]: row[2] for row in sink.read(with_number)}
    assert (rows[1], rows[3]) == (None, None), "the value from before does not come back"


def test_generations_are_tables_of_their_own(store: Store, tables: Tables) -> None:
    first, sink = tables.of(ID, TEXT), store.sink()
    second = again(first, ID, TEXT, generation=2)
    try:
        write(sink, first, upserts((1, "first")))
        write(sink, second, upserts((1, "second"), (2, "second")))
        assert list(sink.read(first)) == [(1, "first")]
        assert sorted(sink.read(second)) == [(1, "second"), (2, "second")]
    finally:
        store.drop(second)


def test_a_sink_that_starts_again_drops_what_is_still_there(store: Store, tables: Tables, sink: Sink) -> None:
    before = tables.of(ID, TEXT, NUMBER)
    write(sink, before, upserts((1, "a", 10)))
    after = again(before, ID, TEXT, without=("number",), drops=1)
    later = store.sink()
    write(later, after, upserts((1, "b")))
    write(store.sink(), after, upserts((2, "c")))  # done already: nothing to do, and no error
    assert sorted(store.sink().read(after)) == [(1, "b"), (2, "c")]
