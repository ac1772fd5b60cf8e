"""What every sink promises of tables, time and failure."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from stores import Store, Tables, deletes, silent_server, soon, upserts, write, write_chunks

from models import Column, Kind, Row, TableSchema, WriteResult
from parrot_faust.errors import SinkUnavailable, TableRefused
from parrot_faust.sinks import host
from parrot_faust.sinks.base import Sink
from parrot_faust.sinks.factory import SinkSpec

ID = Column("id", Kind.INT64, False)
TEXT = Column("text", Kind.STRING)
NUMBER = Column("number", Kind.INT32)
WRITERS = 4


@pytest.fixture
def hosted(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> Sink:
    """The sink, as the one of this process."""
    monkeypatch.setattr(host, "_sink", sink)
    return sink


def test_table_is_made_once_and_what_was_done_is_told(sink: Sink, tables: Tables) -> None:
    schema = tables.of(ID, TEXT)
    (made,) = sink.ensure(schema, soon())
    assert (made.table, made.change) == (schema.table, "CreateTable")
    assert list(sink.ensure(schema, soon())) == []


def test_tables_of_several_are_made_at_once_and_each_is_told_once(store: Store, sink: Sink) -> None:
    several = [Tables() for _ in range(3)]
    try:
        shapes = [tables.of(ID, TEXT) for tables in several]
        done, failed = sink.ensure_all([*shapes, several[0].of(ID, TEXT, NUMBER)], soon())
        assert failed == {}
        assert [(schema.table, [one.change for one in changes]) for schema, changes in done] == [
            (shape.table, ["CreateTable"]) for shape in shapes
        ]
        for shape in shapes:
            assert list(sink.ensure(shape, soon())) == []
            write(sink, shape, upserts((1, "a")))
            assert list(sink.read(shape)) == [(1, "a")]
    finally:
        for tables in several:
            store.drop(tables.made[0])


def test_table_that_another_worker_made_is_taken_as_it_is(store: Store, tables: Tables) -> None:
    schema = tables.of(ID, TEXT)
    write(store.sink(), schema, upserts((1, "kept")))
    later = store.sink()
    assert list(later.ensure(schema, soon())) == []
    assert list(later.read(schema)) == [(1, "kept")]


def test_added_column_is_told_once_and_old_rows_have_null(sink: Sink, tables: Tables) -> None:
    before = tables.of(ID, TEXT)
    write(sink, before, upserts((1, "a")))
    after = tables.of(ID, Column("price", Kind.DECIMAL, False, 10, 2), TEXT, NUMBER)
    done = sink.ensure(after, soon())
    assert sorted((change.change, change.detail.split()[0]) for change in done) == [
        ("AddColumn", "number"),
        ("AddColumn", "price"),
    ]
    assert list(sink.ensure(after, soon())) == []
    write(sink, after, upserts((2, "1.00", "b", 7)))
    assert sorted(sink.read(after)) == [(1, None, "a", None), (2, "1.00", "b", 7)]


def test_rows_of_an_older_shape_are_still_taken(sink: Sink, tables: Tables) -> None:
    before, after = tables.of(ID, TEXT), tables.of(ID, TEXT, NUMBER)
    write(sink, before, upserts((1, "a")))
    write(sink, after, upserts((2, "b", 2)))
    write(sink, before, upserts((3, "c")))
    assert sorted(sink.read(after)) == [(1, "a", None), (2, "b", 2), (3, "c", None)]


def test_writers_that_begin_at_once_make_one_table(store: Store, tables: Tables) -> None:
    plain = tables.of(ID, TEXT)
    wide = tables.of(ID, TEXT, *(Column(f"c{number}", Kind.INT32) for number in range(3)))
    sinks = [store.sink() for _ in range(WRITERS)]
    start = threading.Barrier(WRITERS, timeout=60)  # so that one that failed does not hold the others for ever

    def run(number: int) -> tuple[list[str], list[str]]:
        start.wait()
        created = [change.change for change in sinks[number].ensure(plain, soon())]
        write(sinks[number], plain, upserts((number, "plain")))
        start.wait()
        added = [change.change for change in sinks[number].ensure(wide, soon())]
        write(sinks[number], wide, upserts((WRITERS + number, "wide", 1, 2, 3)))
        return created, added

    with ThreadPoolExecutor(WRITERS) as pool:
        done = list(pool.map(run, range(WRITERS)))
    assert [change for created, _ in done for change in created] == ["CreateTable"]
    assert {change for _, added in done for change in added} == {"AddColumn"}
    rows = [(number, "plain", None, None, None) for number in range(WRITERS)]
    rows += [(WRITERS + number, "wide", 1, 2, 3) for number in range(WRITERS)]
    assert sorted(sinks[0].read(wide)) == rows


def test_table_without_a_key_is_refused_by_name(sink: Sink, tables: Tables) -> None:
    schema = tables.of(ID, TEXT, key=())
    with pytest.raises(TableRefused, match=schema.relation):
        sink.ensure(schema, soon())


def test_table_that_was_never_made_has_no_rows(sink: Sink, tables: Tables) -> None:
    assert list(sink.read(tables.of(ID))) == []


def test_passed_deadline_sends_nothing(sink: Sink, tables: Tables) -> None:
    schema = tables.of(ID, TEXT)
    with pytest.raises(SinkUnavailable, match="deadline"):
        sink.ensure(schema, time.monotonic())
    sink.ensure(schema, soon())
    with pytest.raises(SinkUnavailable, match="deadline"):
        sink.write(schema, upserts((1, "a")), time.monotonic())
    assert list(sink.read(schema)) == []
    write(sink, schema, upserts((2, "the sink is as good as before")))


def test_store_that_is_away_or_silent_is_a_transient_error(store: Store) -> None:
    with silent_server() as silent, pytest.raises(SinkUnavailable):
        store.reached_at(silent).open()
    with pytest.raises(SinkUnavailable):
        store.reached_at(silent).open()  # now nobody listens there


def test_last_operation_of_a_key_wins_within_a_chunk(hosted: Sink, tables: Tables) -> None:
    schema = tables.of(ID, TEXT)
    rows = [
        *upserts((1, "first"), (2, "kept until the next chunk"), (3, "deleted")),
        *deletes((1,), (3,)),
        *upserts((1, "last"), (4, "inserted")),
        *deletes((4,)),
        *upserts((4, "inserted again")),
    ]
    answer = write_chunks(schema, rows, deletes((2,)))
    assert [(result.rows, result.failures) for result in answer.results] == [(len(rows), ()), (1, ())]
    assert sorted(hosted.read(schema)) == [(1, "last"), (4, "inserted again")]


def test_unset_value_is_taken_from_the_same_chunk(hosted: Sink, tables: Tables) -> None:
    schema = tables.of(ID, TEXT, NUMBER)
    write_chunks(schema, [*upserts((1, "long text", 1)), *upserts((1, None, 2), unset=(1,))])
    assert list(hosted.read(schema)) == [(1, "long text", 2)]


def test_refused_rows_are_named_by_their_offsets(hosted: Sink, tables: Tables) -> None:
    schema = tables.of(ID, NUMBER)
    answer = write_chunks(schema, upserts((1, 1), (2, 2**40), (3, 3)), upserts((4, 2**40), (5, 5)))
    failed = [[(failure.offset, failure.transient) for failure in result.failures] for result in answer.results]
    assert failed == [[(1, False)], [(3, False)]]
    assert sorted(hosted.read(schema)) == [(1, 1), (3, 3), (5, 5)]


def test_what_was_folded_into_a_refused_row_is_applied_with_its_neighbours(hosted: Sink, tables: Tables) -> None:
    schema = tables.of(ID, NUMBER, TEXT)
    write_chunks(schema, upserts((4, 4, "deleted in the next call")))
    answer = write_chunks(
        schema,
        [*upserts((1, 1, "first"), (2, 2, "neighbour"), (1, 2, "last good one")), *deletes((4,))],
        upserts((1, 2**40, "refused"), (4, 2**40, "refused"), (5, 2**40, "replaced"), (5, 5, "good"), (3, 3, "n")),
    )
    failed = [[(failure.offset, failure.transient) for failure in result.failures] for result in answer.results]
    assert failed == [[], [(4, False), (5, False)]]
    assert sorted(hosted.read(schema)) == [(1, 2, "last good one"), (2, 2, "neighbour"), (3, 3, "n"), (5, 5, "good")]


def test_row_that_took_its_value_from_a_refused_one_is_applied_without_it(hosted: Sink, tables: Tables) -> None:
    schema = tables.of(ID, NUMBER, TEXT)
    answer = write_chunks(schema, [*upserts((1, 1, "kept"), (1, 2, b"no text")), *upserts((1, 3, None), unset=(2,))])
    assert [[failure.offset for failure in result.failures] for result in answer.results] == [[1]]
    assert list(hosted.read(schema)) == [(1, 3, "kept")]


def test_busy_key_whose_every_row_is_refused_holds_up_no_other(hosted: Sink, tables: Tables) -> None:
    schema = tables.of(ID, NUMBER)
    bad = [(1, 2**40 + number) for number in range(300)]
    answer = write_chunks(schema, upserts((1, 0), *bad, (2, 2)))
    assert [[failure.offset for failure in result.failures] for result in answer.results] == [list(range(1, 301))]
    assert sorted(hosted.read(schema)) == [(1, 0), (2, 2)]


def test_rows_known_to_be_refused_are_not_asked_for_again_when_the_call_is_repeated(
    hosted: Sink, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = tables.of(ID, NUMBER)
    rows = upserts((1, 2**40), (1, 2), (1, 2**41), (2, 2**40))
    write, calls = hosted.write, []

    def lost(schema: TableSchema, rows: Sequence[Row], deadline: float) -> WriteResult:
        calls.append([row.values for row in rows])
        if len(calls) == 3:
            raise SinkUnavailable(hosted.name, "the answer was lost")
        return write(schema, rows, deadline)

    monkeypatch.setattr(hosted, "write", lost)
    assert write_chunks(schema, rows).unavailable
    (result,) = write_chunks(schema, rows).results
    assert sorted(failure.offset for failure in result.failures) == [0, 2, 3]
    assert calls[:2] == [[(1, 2**41), (2, 2**40)], [(1, 2**40)]]
    assert calls[3:] == [[(1, 2**41)], [(1, 2)], [(1, 2**41)]]  # the first and the last row are known by now
    assert list(hosted.read(schema)) == [(1, 2)]
    (result,) = write_chunks(schema, upserts((2, 2))).results  # another row at an offset that was refused before
    assert result.failures == ()
    assert sorted(hosted.read(schema)) == [(1, 2), (2, 2)]


def test_refused_table_is_an_answer_for_each_of_its_rows(hosted: Sink, tables: Tables) -> None:
    refused = tables.of(ID, TEXT, key=())
    (result,) = write_chunks(refused, upserts((1, "a"), (2, "b"))).results
    assert [(failure.offset, failure.transient, failure.error) for failure in result.failures] == [
        (0, False, "TableRefused"),
        (1, False, "TableRefused"),
    ]


def test_expired_lease_sends_nothing(hosted: Sink, tables: Tables) -> None:
    schema = tables.of(ID, TEXT)
    answer = write_chunks(schema, upserts((1, "a")), lease=time.monotonic())
    assert (answer.expired, answer.results) == (True, ())
    assert list(hosted.read(schema)) == []


def test_store_that_is_away_fails_no_row(store: Store, tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    schema: TableSchema = tables.of(ID, TEXT)
    with silent_server() as address:
        pass  # nobody listens there any more
    monkeypatch.setattr(host, "_sink", None)
    monkeypatch.setattr(host, "_spec", SinkSpec("any", {}))
    monkeypatch.setattr(host, "build", lambda _: store.reached_at(address))
    answer = write_chunks(schema, upserts((1, "a")))
    assert answer.unavailable
    assert answer.results == ()
