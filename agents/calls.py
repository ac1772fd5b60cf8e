"""How the chunks of a batch are cut into calls to a store, and what they carry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from models import ChunkHeader
from parrot_faust.delivery.chunks import ChunkHead, head_of
from parrot_faust.logs import at
from parrot_faust.transport import Record

SOURCES_TOLD = 32  # chunks whose source is told in a batch's trace

#: Rows of one call to a store: HBase, the slower one, writes so many in a fifth of a second, far below a call's
#: deadline, and no store is faster with more.
CALL_ROWS = 3_000


def calls_of(rows: Sequence[int]) -> Iterator[slice]:
    """Cut chunks of so many rows each into calls of at most `CALL_ROWS`; a larger chunk is a call of its own."""
    begin = total = 0
    for index, count in enumerate(rows):
        if index > begin and total + count > CALL_ROWS:
            yield slice(begin, index)
            begin, total = index, 0
        total += count
    if rows:
        yield slice(begin, len(rows))


def sources_of(headers: Sequence[ChunkHeader]) -> list[str]:
    """The runs of source records that chunks carry, which join a batch to those of the agent `changes`."""
    return [
        f"{header.table}[{header.partition}] {header.first_offset}..{header.last_offset}"
        for header in headers[:SOURCES_TOLD]
    ]


def of_chunk(header: ChunkHeader, **more: Any) -> dict[str, Any]:
    """The `extra` of a line about a chunk: the source records it carries."""
    return at(
        header.table,
        header.partition,
        first_offset=header.first_offset,
        last_offset=header.last_offset,
        **more,
    )


def head_or_none(record: Record) -> ChunkHead | None:
    """The head of a chunk, None where the record is none, which has a dead letter then."""
    try:
        return head_of(record.value or b"")
    except msgspec.DecodeError:
        return None
