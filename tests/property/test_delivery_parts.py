"""Each part of the delivery core against a plainer way of doing the same."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import Chunk, ChunkHeader, Column, Kind, Row, RowOp, TableSchema
from parrot_faust.delivery.chunks import Origin, head_of, pack, row_offsets
from parrot_faust.delivery.ledger import Ledger, Ticket
from parrot_faust.delivery.reduction import reduce
from parrot_faust.delivery.stats import BESIDE, Outcome, Stats
from parrot_faust.delivery.versions import VersionClock, floor_of
from parrot_faust.sinks.memory import MemorySink

#: How long an example takes says something of the machine only.
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

TABLE = "shop.public.t"
COLUMNS = (
    Column("a", Kind.STRING),
    Column("id", Kind.INT32, False),
    Column("b", Kind.STRING),
    Column("k", Kind.STRING, False),
)
SCHEMA = TableSchema.of(TABLE, COLUMNS, ("k", "id"))
FOR_EVER = float("inf")
INT64 = 2**63 - 1

# -- reduction -------------------------------------------------------------------------------------------------------

_keys = st.tuples(st.sampled_from("xy"), st.integers(0, 1))
_texts = st.none() | st.text(max_size=2)


@st.composite
def writes(draw: st.DrawFn, max_size: int = 12) -> list[Row]:
    rows = []
    for offset in range(draw(st.integers(0, max_size))):
        key = draw(_keys)
        if draw(st.booleans()):
            rows.append(Row(offset, offset, RowOp.DELETE, key))
            continue
        unset = tuple(sorted(draw(st.sets(st.sampled_from([0, 2])))))
        a, b = (None if place in unset else draw(_texts) for place in (0, 2))
        rows.append(Row(offset, offset, RowOp.UPSERT, (a, key[1], b, key[0]), unset))
    return rows


def stored(*batches: list[Row]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    sink = MemorySink()
    sink.ensure(SCHEMA, FOR_EVER)
    for batch in batches:
        assert not sink.write(SCHEMA, batch, FOR_EVER).failures
    return {(row[3], row[1]): row for row in sink.read(SCHEMA)}


@given(writes(), writes())
@settings(CALM, max_examples=400)
def test_reduced_rows_leave_the_store_as_the_rows_one_by_one(before: list[Row], rows: list[Row]) -> None:
    reduced = reduce(rows, SCHEMA.key_positions())
    assert stored(before, reduced.rows) == stored(before, *([row] for row in rows))


@given(writes())
@CALM
def test_no_key_is_left_twice_and_none_is_lost(rows: list[Row]) -> None:
    def key(row: Row) -> tuple[Any, ...]:
        return row.values if row.op == RowOp.DELETE else (row.values[3], row.values[1])

    reduced = reduce(rows, SCHEMA.key_positions())
    assert sorted(map(key, reduced.rows)) == sorted(set(map(key, rows)))
    assert reduced.positions == sorted(reduced.positions)
    for row, position in zip(reduced.rows, reduced.positions, strict=True):
        last = rows[position]
        assert (row.offset, row.version, row.op) == (last.offset, last.version, last.op)
        assert not any(key(later) == key(row) for later in rows[position + 1 :])


@given(writes(), st.lists(st.integers(0, 12), max_size=3))
@CALM
def test_it_does_not_matter_where_a_run_is_cut(rows: list[Row], cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(rows)]
    parts = [rows[start:end] for start, end in pairwise(places)]
    positions = SCHEMA.key_positions()
    assert stored(*(reduce(part, positions).rows for part in parts)) == stored(reduce(rows, positions).rows)


@given(writes())
@CALM
def test_reducing_again_changes_nothing(rows: list[Row]) -> None:
    once = reduce(rows, SCHEMA.key_positions()).rows
    assert reduce(once, SCHEMA.key_positions()).rows == once


# -- ledger ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from("oooossssscf"), st.integers(0, 7)), max_size=60))
@settings(CALM, max_examples=400)
def test_ledger_commits_what_is_settled_from_the_beginning_without_a_gap(steps: list[tuple[str, int]]) -> None:
    ledger = Ledger()
    batches: list[tuple[Ticket, bool]] = []  # of this account, and whether each is settled
    void: list[Ticket] = []
    position, committed = 0, None
    for step, number in steps:
        if step == "o":
            first = position + number % 3
            position = first + 1 + number
            batches.append((ledger.open("p", first, position - 1, number), False))
        elif step == "s" and batches:
            place = number % len(batches)
            ticket, done = batches[place]
            assert ledger.settle(ticket, str(ticket.last)) is not done
            batches[place] = (ticket, True)
        elif step == "c":
            committed = ledger.settled("p")
            if committed is not None:
                ledger.committed("p", committed)
        elif step == "f":
            ledger.forget(["p"])
            void += [ticket for ticket, _ in batches]
            batches, position, committed = [], max(0, position - number), None
        assert not any(ledger.settle(ticket) for ticket in void)

        head = [ticket for place, (ticket, _) in enumerate(batches) if all(done for _, done in batches[: place + 1])]
        wanted = head[-1].last + 1 if head else None
        assert ledger.settled("p") == wanted
        assert ledger.committable("p") == (None if wanted in (None, committed) else (wanted, str(head[-1].last)))
        waiting = [ticket for ticket, _ in batches[len(head) :]]
        assert ledger.outstanding("p") == (len(waiting), sum(ticket.size for ticket in waiting))


# -- versions --------------------------------------------------------------------------------------------------------

_times = st.lists(st.integers(0, 2**53), max_size=30)


@given(_times, st.integers(0, 2**53), st.integers(0, 30))
@CALM
def test_versions_grow_stay_near_their_times_and_are_the_same_again(times: list[int], floor: int, cut: int) -> None:
    versions = VersionClock(floor).advance(times)
    assert all(before < after for before, after in zip([floor, *versions], versions, strict=False))
    assert all(version >= time for version, time in zip(versions, times, strict=True))
    highest = floor
    for place, time in enumerate(times):
        highest = max(highest, time)
        assert versions[place] <= highest + place + 1  # no further ahead than there were changes to tell apart
    clock = VersionClock(floor)
    begun = clock.advance(times[:cut])
    assert begun + VersionClock(floor_of(str(clock.last))).advance(times[cut:]) == versions


@given(st.text() | st.integers().map(str))
@CALM
def test_any_note_is_a_floor_that_a_store_has_room_above(note: str) -> None:
    assert 0 <= floor_of(note) < INT64 // 2


# -- chunks ----------------------------------------------------------------------------------------------------------


@given(writes(40), st.integers(1, 50), st.integers(150, 2_000), st.data())
@CALM
def test_chunks_hold_every_row_once_in_order_and_within_the_limits(
    rows: list[Row], max_rows: int, max_bytes: int, data: st.DataObject
) -> None:
    times = data.draw(st.lists(st.integers(0, INT64), min_size=len(rows), max_size=len(rows)))
    chunks = list(pack(Origin(TABLE, 2, 7), SCHEMA, rows, times, max_rows=max_rows, max_bytes=max_bytes))
    assert [row for chunk in chunks for row in chunk.rows] == rows
    place = 0
    for chunk in chunks:
        header, own = chunk.header, times[place : place + len(chunk.rows)]
        place += len(chunk.rows)
        assert 1 <= len(chunk.rows) == header.rows <= max_rows
        assert (header.first_offset, header.last_offset) == (chunk.rows[0].offset, chunk.rows[-1].offset)
        assert header.last_version == max(row.version for row in chunk.rows)
        known = [time for time in own if time]
        assert (header.oldest_us, header.newest_us) == (min(known, default=0), max(known, default=0))
        if chunk.data is None:
            assert len(chunk.rows) == 1
            assert chunk.size > max_bytes
            continue
        assert chunk.size == len(chunk.data) <= max_bytes
        assert msgspec.msgpack.decode(chunk.data, type=Chunk) == Chunk(header, SCHEMA, list(chunk.rows))
        assert head_of(chunk.data).header == header
        assert row_offsets(chunk.data) == [row.offset for row in chunk.rows]


# -- stats -----------------------------------------------------------------------------------------------------------

_SINGLE = [outcome for outcome in Outcome if outcome not in BESIDE]


@st.composite
def deliveries(draw: st.DrawFn, length: int) -> list[tuple[int, int]]:
    """Runs of places that begin where the last one ended or anywhere before; together they reach the end."""
    runs, reached = [], 0
    while reached < length:
        start = draw(st.integers(0, reached) | st.just(reached))
        end = draw(st.integers(start + 1, min(length, start + 10)))
        runs.append((start, end))
        reached = max(reached, end)
    return runs


@given(st.data())
@settings(CALM, max_examples=200)
def test_offsets_are_counted_once_for_any_cut_and_any_replay(data: st.DataObject) -> None:
    offsets = sorted(data.draw(st.sets(st.integers(0, 60), min_size=1)))
    fates = {offset: data.draw(st.sampled_from([*_SINGLE, "tombstone", "no row"])) for offset in offsets}
    warned = {offset for offset in offsets if data.draw(st.booleans())}
    stats = Stats(lambda: 0.0)
    for start, end in data.draw(deliveries(len(offsets))):
        ahead = data.draw(st.integers(end, end + 5))  # batches that were checked, and taken away before they settled
        for offset in sorted(warned & set(offsets[start:ahead])):
            stats.rule_failed(TABLE, "rule", "1", 0, offset)
        batch = offsets[start:end]
        outcomes = {outcome: [offset for offset in batch if fates[offset] is outcome] for outcome in _SINGLE}
        outcomes[Outcome.WARNED] = sorted(warned & set(batch))
        stats.source_batch(TABLE, 0, batch, [offset for offset in batch if fates[offset] == "tombstone"], outcomes)

    counts = stats.snapshot()["sources"][TABLE]
    expected = {outcome.value: sum(fate is outcome for fate in fates.values()) for outcome in _SINGLE}
    expected["skipped"] += sum(fate == "no row" for fate in fates.values())
    tombstones = sum(fate == "tombstone" for fate in fates.values())
    assert counts == {
        "captured": len(offsets),
        "tombstones": tombstones,
        "warned": len(warned),
        "mended": 0,
        **expected,
    }
    assert counts["captured"] == tombstones + sum(expected.values())
    assert sum(entry["failed"] for entry in stats.snapshot()["rules"]) == len(warned)


@given(st.data())
@settings(CALM, max_examples=200)
def test_rows_are_counted_once_for_any_cut_into_chunks_and_any_replay(data: st.DataObject) -> None:
    offsets = sorted(data.draw(st.sets(st.integers(0, 60), min_size=1)))
    refused = {offset for offset in offsets if data.draw(st.booleans())}
    stats = Stats(lambda: 0.0)
    for start, end in data.draw(deliveries(len(offsets))):
        rows = offsets[start:end]
        header = ChunkHeader(TABLE, 0, rows[0], rows[-1], 1, rows[-1], 0, len(rows))
        failed = data.draw(st.permutations(sorted(refused & set(rows))))
        stats.sink_chunk("kudu", header, failed, lambda rows=rows: rows)
    counts = stats.snapshot()["sinks"]["kudu"]["tables"][TABLE]
    assert (counts["applied"], counts["dead_lettered"]) == (len(offsets) - len(refused), len(refused))
