"""One committed change of a source row, decoded."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class Op(StrEnum):
    """Debezium's operation codes. `MESSAGE` (logical decoding messages) carries no row."""

    CREATE = "c"
    UPDATE = "u"
    DELETE = "d"
    READ = "r"
    TRUNCATE = "t"
    MESSAGE = "m"


class Change(msgspec.Struct, gc=False):
    """A change as tuples in the column order of its `TableSchema`.

    `index` is the record's position in the batch it came with and `offset` its offset in the source partition.
    `time_us` is the source's commit time in microseconds since the epoch, 0 when the event does not say.
    `key` holds the key's values in key order, for every op but TRUNCATE.
    `before` and `after` are full-width rows or None; `unset` lists the positions in `after` whose value the event did
    not carry (an unchanged TOAST column), where `after` holds None in its place.
    """

    op: Op
    index: int
    offset: int
    time_us: int
    key: tuple[Any, ...]
    before: tuple[Any, ...] | None
    after: tuple[Any, ...] | None
    unset: tuple[int, ...] = ()
