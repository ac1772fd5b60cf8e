from __future__ import annotations

import math
import struct
from collections import Counter
from typing import Any

import msgspec
import pytest

from models import Change, Chunk, Column, Kind, Op, Row, RowOp, TableSchema
from parrot_faust.delivery.chunks import Origin, Packed, head_of, pack, row_of, row_offsets, writes_partition

SCHEMA = TableSchema.of("shop.public.t", (Column("id", Kind.INT64, False), Column("v", Kind.STRING)), ("id",))
ORIGIN = Origin("shop.public.t", 3, 17)
HUGE = 1 << 30


def rows(*sizes: int) -> list[Row]:
    return [Row(100 + i * 2, 1_000 + i, RowOp.UPSERT, (i, "x" * size)) for i, size in enumerate(sizes)]


def packed(source: list[Row], times: list[int] | None = None, **limits: int) -> list[Packed]:
    bounds = {"max_rows": HUGE, "max_bytes": HUGE, **limits}
    return list(pack(ORIGIN, SCHEMA, source, times or [0] * len(source), **bounds))


def read(chunk: Packed) -> Chunk:
    assert chunk.data is not None
    return msgspec.msgpack.decode(chunk.data, type=Chunk)


def change(op: Op, after: tuple[Any, ...] | None = None, unset: tuple[int, ...] = ()) -> Change:
    return Change(op, 0, 41, 7, (5,), (5, "before"), after, unset)


@pytest.mark.parametrize("op", [Op.CREATE, Op.UPDATE, Op.READ])
def test_change_with_a_row_after_it_is_an_upsert_of_that_row(op: Op) -> None:
    assert row_of(change(op, (5, None), (1,)), 9) == Row(41, 9, RowOp.UPSERT, (5, None), (1,))


def test_delete_carries_the_key_alone() -> None:
    assert row_of(change(Op.DELETE), 9) == Row(41, 9, RowOp.DELETE, (5,))


@pytest.mark.parametrize("op", [Op.TRUNCATE, Op.MESSAGE, Op.UPDATE])
def test_change_without_a_row_is_no_write(op: Op) -> None:
    with pytest.raises(ValueError, match="offset 41 has no row"):
        row_of(change(op), 9)


def test_header_says_where_the_rows_come_from() -> None:
    (chunk,) = packed(rows(1, 2, 3), [70, 0, 50])
    header = chunk.header
    assert (header.table, header.partition, header.generation) == ("shop.public.t", 3, 17)
    assert (header.first_offset, header.last_offset, header.rows) == (100, 104, 3)
    assert (header.last_version, header.oldest_us, header.newest_us) == (1_002, 50, 70)


def test_rows_of_a_snapshot_have_no_time() -> None:
    (chunk,) = packed(rows(1, 2), [0, 0])
    assert (chunk.header.oldest_us, chunk.header.newest_us) == (0, 0)


def test_chunk_carries_schema_and_rows() -> None:
    source = rows(1, 2, 3)
    (chunk,) = packed(source)
    assert read(chunk) == Chunk(chunk.header, SCHEMA, source)
    assert read(chunk).schema.key_positions() == (0,)


def test_nothing_makes_no_chunk() -> None:
    assert packed([]) == []


@pytest.mark.parametrize(("count", "limit", "sizes"), [(5, 5, [5]), (6, 5, [5, 1]), (3, 1, [1, 1, 1])])
def test_no_chunk_has_more_rows_than_allowed(count: int, limit: int, sizes: list[int]) -> None:
    assert [chunk.header.rows for chunk in packed(rows(*[1] * count), max_rows=limit)] == sizes


def test_chunk_of_exactly_the_limit_is_whole_and_of_one_byte_more_is_halved() -> None:
    source = rows(10, 10, 10, 10)
    (whole,) = packed(source)
    assert whole.size == len(whole.data or b"")
    assert len(packed(source, max_bytes=whole.size)) == 1
    assert [chunk.header.rows for chunk in packed(source, max_bytes=whole.size - 1)] == [2, 2]


def test_times_stay_with_their_rows_when_a_chunk_is_cut() -> None:
    times = [10, 20, 30, 40, 50, 60, 70]
    by_rows = packed(rows(*[1] * 7), times, max_rows=3)
    assert [(chunk.header.oldest_us, chunk.header.newest_us) for chunk in by_rows] == [(10, 30), (40, 60), (70, 70)]
    (whole,) = packed(rows(*[1] * 7))
    halves = packed(rows(*[1] * 7), times, max_bytes=whole.size - 1)
    assert [(chunk.header.oldest_us, chunk.header.newest_us) for chunk in halves] == [(10, 30), (40, 70)]


def test_row_that_fits_no_chunk_comes_alone_and_its_neighbours_whole() -> None:
    chunks = packed(rows(1, 1, 5_000, 1, 1), max_bytes=1_000)
    (alone,) = [chunk for chunk in chunks if chunk.data is None]
    assert (alone.header.first_offset, alone.header.last_offset, len(alone.rows)) == (104, 104, 1)
    assert alone.size > 5_000
    others = [row.offset for chunk in chunks if chunk.data is not None for row in read(chunk).rows]
    assert others == [100, 102, 106, 108]


def test_head_is_read_without_the_rows() -> None:
    (chunk,) = packed(rows(1, 2, 3))
    assert chunk.data is not None
    assert head_of(chunk.data).header == chunk.header
    assert row_offsets(chunk.data) == [100, 102, 104]


@pytest.mark.parametrize("data", [b"", b"\xc0", b"{}", b"\x93", b"no chunk", msgspec.msgpack.encode([[], [], []])])
def test_bytes_that_are_no_chunk_are_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        head_of(data)


def test_head_of_a_chunk_that_was_cut_short_is_refused() -> None:
    (chunk,) = packed(rows(1, 2, 3))
    assert chunk.data is not None
    for length in range(len(chunk.data)):
        with pytest.raises(msgspec.DecodeError):
            head_of(chunk.data[:length])


VALUES = (
    *(None, True, -(2**63), 2**63 - 1),
    *(0.1, -0.0, math.inf, -math.inf, math.nan, 5e-324),
    *("", "ü\0😀", b"", bytes(range(256))),
    "12345678901234567890123456789012345678.90",
)


def test_values_arrive_bit_for_bit() -> None:
    columns = tuple(Column(f"c{place}", Kind.STRING) for place in range(len(VALUES)))
    schema = TableSchema.of("t", columns, ())
    source = [Row(1, 1, RowOp.UPSERT, VALUES, (0,)), Row(2, 2, RowOp.DELETE, VALUES)]
    (chunk,) = pack(ORIGIN, schema, source, [1, 1], max_rows=9, max_bytes=HUGE)
    for sent, got in zip(source, read(chunk).rows, strict=True):
        assert (got.offset, got.version, got.op, got.unset) == (sent.offset, sent.version, sent.op, sent.unset)
        for before, after in zip(sent.values, got.values, strict=True):
            assert type(after) is type(before)
            if isinstance(before, float):
                assert struct.pack("<d", after) == struct.pack("<d", before)
            else:
                assert after == before


def test_source_partition_always_goes_to_the_same_writes_partition() -> None:
    # Written down: another release must choose the same, or a key's changes are in two places during an update.
    assert [writes_partition("shop.public.orders", partition, 4) for partition in range(4)] == [3, 1, 3, 1]
    assert writes_partition("shop.public.orders", 0, 1) == 0


def test_writes_partitions_are_all_used() -> None:
    used = Counter(writes_partition(f"shop.public.t{table}", part, 8) for table in range(20) for part in range(20))
    assert set(used) == set(range(8))
    assert max(used.values()) < 2 * 400 / 8
