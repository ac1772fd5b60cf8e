"""Undoing what a frozen worker wrote too late.

A worker that is frozen between looking at its lease and sending, and thawed after another one has taken over, sends
rows that may be older than what the store has by then, and Kudu has no write that depends on what is there. It can't
be kept from that, but it knows afterwards: the call has outlasted its lease. It then puts a chunk without rows behind
all others of the writes partition, which says whose rows may have come late. Whoever has the partition writes all rows
of these keys again, from the late ones on and in their order, and the store has the newest again.
"""

from __future__ import annotations

import msgspec

from models import Chunk, Late, Row, RowOp, TableSchema
from parrot_faust.delivery.chunks import ChunkHead
from parrot_faust.delivery.fence import Fence

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Chunk)


def late_chunk(like: ChunkHead, late: Late) -> bytes:
    """The chunk without rows that says which ones may have been written late; `like` is one of those."""
    header = msgspec.structs.replace(like.header, rows=0, letters=(), request="", late=late)
    return _encoder.encode(ChunkHead(header, like.schema, msgspec.Raw(_encoder.encode([]))))


class Rewriting:
    """Picks from the chunks that follow one another since the late ones the rows that have to be written again.

    It needs all of them, in order, and holds the keys of the late rows alone. Keys of different tables that are equal
    are taken for the same: to write a row again that was not late changes nothing.
    """

    def __init__(self, late: Late) -> None:
        self._late = late
        self._keys: set[tuple[object, ...]] = set()
        self._fence = Fence()
        self.rows = 0

    def take(self, offset: int, data: bytes) -> bytes | None:
        """The chunk at this offset as it has to be written again, None where nothing of it has to be."""
        try:
            chunk = _decoder.decode(data)
        except msgspec.DecodeError:  # it is no chunk, for which it has a dead letter
            return None
        if chunk.header.late is not None:
            return None
        keys = [_key(row, chunk.schema) for row in chunk.rows]
        if offset <= self._late.last:
            self._keys.update(keys)
        # What its first writer has left out, because an earlier owner of the source had sent it, is left out again.
        if not self._fence.admits(chunk.header, self._late.floor):
            return None
        rows = [row for row, key in zip(chunk.rows, keys, strict=True) if key in self._keys]
        if not rows:
            return None
        self.rows += len(rows)
        return _encoder.encode(Chunk(msgspec.structs.replace(chunk.header, rows=len(rows)), chunk.schema, rows))


def _key(row: Row, schema: TableSchema) -> tuple[object, ...]:
    if row.op == RowOp.DELETE:
        return tuple(row.values)
    return tuple(row.values[position] for position in schema.key_positions())
