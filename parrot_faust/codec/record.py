"""What goes into the decoder and what comes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from models import Change, TableSchema
from parrot_faust.errors import TerminalError


class Record(Protocol):
    """A Kafka record. aiokafka's ConsumerRecord is one. `timestamp` is in milliseconds since the epoch."""

    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Segment(msgspec.Struct):
    """A run of consecutive changes of one shape. A change's `index` is its record's position in the batch."""

    schema: TableSchema
    changes: list[Change]


class Failure(msgspec.Struct):
    """A record that can't be decoded, with the reason."""

    index: int
    offset: int
    error: TerminalError


class Decoded(msgspec.Struct):
    """What a batch holds. Every record is in exactly one of: a change, a failure, `tombstones`, `skipped`.

    `skipped` counts the database's logical messages (op m), which carry no row.
    """

    segments: list[Segment]
    failures: list[Failure]
    tombstones: int = 0
    skipped: int = 0
