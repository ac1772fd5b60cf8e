"""What `changes` hands to the writers: a run of checked rows of one table, one shape, one source partition."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import msgspec

from models.redrive import Place
from models.schema import TableSchema


class RowOp(IntEnum):
    """What the store is to do."""

    UPSERT = 0
    DELETE = 1


class Row(msgspec.Struct, array_like=True, gc=False):
    """One row to write.

    For UPSERT `values` is the whole row in column order and `unset` the positions that must be left as they are in
    the store. For DELETE `values` is the key alone, in key order. `version` orders the writes of a key: a later one of
    the same source partition is always greater. DECIMAL values are text.
    """

    offset: int
    version: int
    op: RowOp
    values: tuple[Any, ...]
    unset: tuple[int, ...] = ()


class Late(msgspec.Struct, array_like=True, frozen=True):
    """Rows that may have been written after their writer's lease had run out.

    They are those of the chunks at offsets `first` to `last`, inclusive, of the writes partition. `floor` is the newest
    group generation among the chunks that were written before them.
    """

    first: int
    last: int
    floor: int


class ChunkHeader(msgspec.Struct, array_like=True, frozen=True):
    """Where a chunk comes from: enough to fence it and to account for it without reading its rows.

    Offsets are of the source partition and inclusive; they cover every record between the first and last row.
    `generation` is that of the consumer group when the chunk was made. `last_version` is the greatest version in it.
    `oldest_us` and `newest_us` are the first and last
    source commit times among its rows, both 0 when all of them were read by a snapshot. A chunk of dead letters that
    are sent again names in `letters` the address of each row's letter, in order, and in `request` who asked for it; its
    offsets are older than those of its neighbours. A chunk with `late` has no rows: those that it names are to be
    written again.
    """

    table: str
    partition: int
    first_offset: int
    last_offset: int
    generation: int
    last_version: int
    newest_us: int
    rows: int
    oldest_us: int = 0
    letters: tuple[Place, ...] = ()
    request: str = ""
    late: Late | None = None


class Chunk(msgspec.Struct, array_like=True):
    """Rows in source order, with their schema and origin. One Kafka message of a writes topic."""

    header: ChunkHeader
    schema: TableSchema
    rows: list[Row]
