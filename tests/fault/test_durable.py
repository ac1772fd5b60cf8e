"""The judge can be wrong both ways: it must tell of what is lost, and not of what is about to come again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from durable import Watched, not_durable
from tapes import Entry

from models import Chunk, ChunkHeader, Column, Kind, Row, RowOp, TableSchema

TOPIC, WRITES = "shop.public.orders", "app.writes.kudu"
SCHEMA = TableSchema.of(TOPIC, [Column("id", Kind.INT64, "int"), Column("n", Kind.INT64, "int")], ["id"])
TABLE = Watched("orders", ("id",))

#: A row as source offset, key and change number; no number is a delete.
Written = tuple[int, int, int | None]


def chunk(place: int, rows: Sequence[Written]) -> tuple[Entry, Chunk]:
    made = [
        Row(offset, offset, RowOp.DELETE, (key,)) if n is None else Row(offset, offset, RowOp.UPSERT, (key, n))
        for offset, key, n in rows
    ]
    header = ChunkHeader(TOPIC, 0, rows[0][0], rows[-1][0], 1, rows[-1][0], 0, len(rows))
    return Entry(WRITES, 0, place, None, None), Chunk(header, SCHEMA, made)


@pytest.mark.parametrize(
    ("chunks", "shown", "lost"),
    [
        ([[(1, 7, 10)], [(2, 7, 20)]], {7: 20}, False),
        ([[(1, 7, 10)], [(2, 7, 20)]], {7: 10}, True),
        ([[(1, 7, 10)], [(2, 7, 20)]], {}, True),
        ([[(1, 7, 10), (2, 7, 20)]], {7: 10}, True),
        ([[(1, 7, 10)], [(2, 7, None)]], {}, False),
        ([[(1, 7, 10)], [(2, 7, None)]], {7: 10}, True),
        # behind what is committed, newer ones
        ([[(1, 7, 10)], [(2, 7, 20)], [(3, 7, 30)]], {7: 30}, False),
        ([[(1, 7, 10)], [(2, 7, 20)], [(3, 7, None)]], {}, False),
        # behind it, sent again by another owner
        ([[(1, 7, 10)], [(2, 7, 20)], [(1, 7, 10)]], {7: 10}, False),
        ([[(1, 7, None)], [(2, 7, 20)], [(1, 7, None)]], {}, False),
        ([[(1, 7, 10)], [(2, 7, 20)], [(1, 8, 10)]], {7: 10}, True),
    ],
)
def test_a_row_that_is_committed_is_in_the_store_or_one_that_stands_behind_it(
    chunks: Sequence[Sequence[Written]], shown: Mapping[int, int], lost: bool
) -> None:
    tape = [chunk(place, rows) for place, rows in enumerate(chunks)]
    committed = {(WRITES, 0): min(2, len(chunks))}
    held, missing = not_durable(tape, committed, {TOPIC: TABLE}, set(), lambda _, key: shown.get(key[0]))
    assert (held, bool(missing)) == (1, lost)


def test_what_is_not_committed_or_was_refused_need_not_be_there() -> None:
    tape = [chunk(0, [(1, 7, 10)]), chunk(1, [(2, 8, 20)])]
    committed = {(WRITES, 0): 1}
    assert not_durable(tape, committed, {TOPIC: TABLE}, {(TOPIC, 0, 1)}, lambda _, __: None) == (0, [])
    assert not_durable(tape, {}, {TOPIC: TABLE}, set(), lambda _, __: None) == (0, [])
