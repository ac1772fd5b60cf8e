"""Packing rows into chunks that fit a Kafka message, and reading a chunk's head without its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

import msgspec

from models import Change, Chunk, ChunkHeader, Op, Place, Row, RowOp, TableSchema

_encoder = msgspec.msgpack.Encoder()


class ChunkHead(msgspec.Struct, array_like=True):
    """A chunk of which only the header is decoded."""

    header: ChunkHeader
    schema: msgspec.Raw
    rows: msgspec.Raw


_chunk_decoder = msgspec.msgpack.Decoder(Chunk)
_head_decoder = msgspec.msgpack.Decoder(ChunkHead)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the rows of a run of chunks come from; `request` is who asked for them where they are sent again."""

    table: str
    partition: int
    generation: int
    request: str = ""


@dataclass(frozen=True, slots=True)
class Packed:
    """An encoded chunk, or, when `data` is None, the one row that is larger than any chunk may be."""

    header: ChunkHeader
    rows: Sequence[Row]
    data: bytes | None
    size: int


def row_of(change: Change, version: int) -> Row:
    """The write that makes a store follow `change`, which must carry a row."""
    if change.op is Op.DELETE:
        return Row(change.offset, version, RowOp.DELETE, change.key)
    if change.after is None:
        raise ValueError(f"a change of op {change.op} at offset {change.offset} has no row after it")
    return Row(change.offset, version, RowOp.UPSERT, change.after, change.unset)


def pack(
    origin: Origin,
    schema: TableSchema,
    rows: Sequence[Row],
    times_us: Sequence[int],
    *,
    max_rows: int,
    max_bytes: int,
    letters: Sequence[Place] = (),
) -> Iterator[Packed]:
    """Yield chunks of at most `max_rows` rows and `max_bytes` bytes, in order.

    `times_us` are the rows' source commit times, 0 for rows read by a snapshot. Halves what is too large, so that a
    row which does not fit a chunk by itself comes out alone, without data. `letters` are the dead letters that the rows
    were held in, one a row, where dead letters are sent again.
    """
    for start in range(0, len(rows), max_rows):
        part = slice(start, start + max_rows)
        yield from _fit(origin, schema, rows[part], times_us[part], letters[part], max_bytes)


def _fit(
    origin: Origin,
    schema: TableSchema,
    rows: Sequence[Row],
    times_us: Sequence[int],
    letters: Sequence[Place],
    max_bytes: int,
) -> Iterator[Packed]:
    known = [time_us for time_us in times_us if time_us]
    header = ChunkHeader(
        table=origin.table,
        partition=origin.partition,
        first_offset=rows[0].offset,
        last_offset=rows[-1].offset,
        generation=origin.generation,
        last_version=rows[-1].version,
        newest_us=max(known, default=0),
        rows=len(rows),
        oldest_us=min(known, default=0),
        letters=tuple(letters),
        request=origin.request,
    )
    data = _encoder.encode(Chunk(header, schema, list(rows)))
    if len(data) <= max_bytes:
        yield Packed(header, rows, data, len(data))
    elif len(rows) == 1:
        yield Packed(header, rows, None, len(data))
    else:
        half = len(rows) // 2
        yield from _fit(origin, schema, rows[:half], times_us[:half], letters[:half], max_bytes)
        yield from _fit(origin, schema, rows[half:], times_us[half:], letters[half:], max_bytes)


def run_of(chunk: Chunk) -> tuple[str, str, int]:
    """What chunks that follow one another must have in common for their rows to be reduced together.

    The generation is part of it: only what one owner of a source partition sends is without gaps. Behind a row that a
    new owner sends again, one that a former owner sends late may leave out a value that was changed in between.
    """
    return chunk.header.table, chunk.schema.fingerprint, chunk.header.generation


def head_of(data: bytes) -> ChunkHead:
    """Decode a chunk's header. Raise msgspec.DecodeError when the bytes are no chunk."""
    return _head_decoder.decode(data)


def row_offsets(data: bytes) -> list[int]:
    """The source offsets of a chunk's rows, in order."""
    return [row.offset for row in _chunk_decoder.decode(data).rows]


def row_versions(data: bytes) -> dict[int, int]:
    """The versions of a chunk's rows, by their source offsets."""
    return {row.offset: row.version for row in _chunk_decoder.decode(data).rows}


def writes_partition(table: str, partition: int, partitions: int) -> int:
    """The writes partition of a source partition: always the same one, so order per key survives."""
    return crc32(f"{table}/{partition}".encode()) % partitions
