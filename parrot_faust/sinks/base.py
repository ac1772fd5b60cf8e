"""The protocol that every sink keeps, and that the conformance suite checks on memory, Kudu and HBase."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from models import AppliedDdl, PlannedDdl, Row, StoreShape, TableSchema, WriteResult
from parrot_faust.sinks.together import Made


class Sink(Protocol):
    """A store's client. Blocking, used by one thread, inside the sink's own process.

    A sink never raises for one row: rows that can't be written are `RowFailure`s in the result. It raises
    `SinkUnavailable` when it does not know what became of a batch, and `TableRefused` when no row of the table can
    ever be written. Every call ends before `deadline`, a value of `time.monotonic()`.
    """

    name: str

    def open(self) -> None:
        """Connect. Raise SinkUnavailable when the store does not answer."""

    def close(self) -> None:
        """Let go of the connection; never raises."""

    def ensure(self, schema: TableSchema, deadline: float) -> Sequence[AppliedDdl]:
        """Make the target table able to hold rows of `schema`: create it, or add the columns it lacks.

        Return what was done, empty when nothing had to be. Cheap when the schema was seen before. Idempotent, also
        against another process doing the same at the same time.
        """

    def ensure_all(self, schemas: Iterable[TableSchema], deadline: float) -> Made:
        """Do what `ensure` does for the first shape of each table, unless it was seen before, several at once.

        What fails is not raised: the answer says which shapes the store gave no answer for, and `ensure` refuses what
        is refused. Nothing is done for a single one.
        """

    def plan(self, schema: TableSchema) -> Sequence[PlannedDdl]:
        """What `ensure` would do now, without doing it. Raise TableRefused when the table does not fit and can't."""

    def shape(self, schema: TableSchema) -> StoreShape | None:
        """The target table as the store has it now, None when it has none."""

    def write(self, schema: TableSchema, rows: Sequence[Row], deadline: float) -> WriteResult:
        """Apply `rows`, at most one of each key, and return when all that succeeded are durable.

        The table was prepared by `ensure`. An upsert replaces the row but for its `unset` positions; a delete of an
        absent row succeeds. Applying the same rows again leaves the store as it was.
        """

    def read(self, schema: TableSchema) -> Iterator[tuple[Any, ...]]:
        """Every row of the target table, in the column order of `schema`, values as `Kind` says (DECIMAL as text)."""
