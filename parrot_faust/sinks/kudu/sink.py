"""The Kudu sink: upserts and deletes in manual flushes, a result per row."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from models import AppliedDdl, PlannedDdl, Row, RowFailure, StoreShape, TableSchema, WriteResult
from parrot_faust import failpoints
from parrot_faust.errors import SinkUnavailable, TableRefused
from parrot_faust.sinks.kudu.layout import lay_out
from parrot_faust.sinks.kudu.mapping import store_columns
from parrot_faust.sinks.kudu.outcomes import message
from parrot_faust.sinks.kudu.partitions import UNCOVERED, Ranges
from parrot_faust.sinks.kudu.prepare import Preparer
from parrot_faust.sinks.kudu.ranges import periods_of
from parrot_faust.sinks.kudu.session import NAME, Refused, Sender
from parrot_faust.sinks.kudu.settings import KuduSettings
from parrot_faust.sinks.kudu.tables import describe, fit, planned
from parrot_faust.sinks.together import Made, together

#: The part of the time left that a call of Kudu's client is given: its time-outs run over by half, measured.
SHARE = 0.6


class KuduSink:
    """Keeps Kudu tables equal to their sources. See `parrot_faust.sinks.base.Sink` for what every method promises.

    Values cross Kudu's client as integers for the whole process (see `numbers`), so this belongs into a process of its
    own, as the client does anyway: it aborts its process on an internal check.
    """

    name = NAME

    def __init__(self, settings: KuduSettings, now: Callable[[], float] = time.time) -> None:
        self.settings, self._now = settings, now
        self._ranges: dict[str, Ranges | None] = {}
        #: What was done to ranges and no answer has told of yet: the write that did it may have failed afterwards.
        self._untold: list[AppliedDdl] = []
        self._client: Any = None
        self._preparers: dict[str, Preparer] = {}
        self._tables: dict[str, Any] = {}
        #: How often columns were dropped, by target: chunks from before that do not bring them back.
        self._drops: dict[str, int] = {}
        self._before_flush = failpoints.at("kudu_client.before_flush")

    def open(self) -> None:
        """Load Kudu's client and connect."""
        from parrot_faust.sinks.kudu.numbers import cross_as_integers

        cross_as_integers()
        self._client = self._connect(self.settings.timeout_s)

    def close(self) -> None:
        """Let go of everything; the client closes its connections when nothing holds it."""
        self._preparers.clear()
        self._tables.clear()
        self._client = None

    def ensure(self, schema: TableSchema, deadline: float) -> Sequence[AppliedDdl]:
        """Create the table or add the columns it lacks; free when this shape was seen before."""
        if schema.fingerprint in self._preparers:
            return ()
        client = self._opened()
        if (seconds := self._left(deadline)) < self.settings.timeout_s:
            client = self._connect(seconds)  # a client takes its time-outs when it connects, and has them for good
        target = self.settings.target(schema)
        drops = self._drops[target] = max(schema.drops, self._drops.get(target, 0))
        ranges = self._ranges_of(schema, target)
        left = partial(self._left, deadline)
        late = schema.drops < drops
        store, done = fit(client, self.settings, schema, left, late=late, ranges=ranges, now=self._now())
        self._tables[schema.fingerprint] = self._open_table(store.name)
        self._preparers[schema.fingerprint] = Preparer(lay_out(schema, store))
        return done

    def ensure_all(self, schemas: Iterable[TableSchema], deadline: float) -> Made:
        """Create tables several at once: the client waits for each until its tablets are there, and may be shared."""
        return together(
            schemas,
            target=self.settings.target,
            seen=lambda schema: schema.fingerprint in self._preparers,
            ensure=lambda schema: self.ensure(schema, deadline),
        )

    def plan(self, schema: TableSchema) -> Sequence[PlannedDdl]:
        """What `ensure` would do now."""
        return planned(self._opened(), self.settings, schema)

    def shape(self, schema: TableSchema) -> StoreShape | None:
        """The table as Kudu has it."""
        found = describe(self._opened(), self.settings.target(schema))
        if found is None:
            return None
        return StoreShape(found.name, tuple((column.name, column.shape) for column in found.columns))

    def write(self, schema: TableSchema, rows: Sequence[Row], deadline: float) -> WriteResult:
        """Upsert and delete; every row's error is read, and a row that Kudu refuses is found among its neighbours."""
        done = list(self.ensure(schema, deadline))
        try:
            failures = self._attempt(schema, rows, deadline)
        except Refused as refused:
            self._look_anew(schema, connect=UNCOVERED in refused.text)
            # The table may have been dropped or altered by others since it was opened: look, and write all again.
            self._forget(schema)
            done += self.ensure(schema, deadline)
            failures = self._attempt(schema, rows, deadline, find=True)
        done, self._untold = [*done, *self._untold], []
        return WriteResult(len(rows), tuple(failures), tuple(done))

    def read(self, schema: TableSchema) -> Iterator[tuple[Any, ...]]:
        """All rows; none when the table does not exist."""
        import kudu

        client = self._opened()
        target = self.settings.target(schema)
        store = describe(client, target)
        if store is None:
            return
        names = [column.name for column in schema.columns]
        there = {column.name for column in store.columns}
        if missing := [name for name in names if name not in there]:
            raise TableRefused(schema.table, f"Kudu's table {target} has no column {', '.join(missing)}")
        try:
            scanner = client.table(target).scanner()
            scanner.set_projected_column_names(names)
            scanner.set_selection(kudu.LEADER_ONLY)  # another replica may not have the last writes yet
            scanner.open()
            while scanner.has_more_rows():
                yield from scanner.next_batch().as_tuples()
        except kudu.KuduException as error:
            raise SinkUnavailable(self.name, message(error)) from error

    def _attempt(
        self, schema: TableSchema, rows: Sequence[Row], deadline: float, *, find: bool = False
    ) -> list[RowFailure]:
        prepared = self._preparers[schema.fingerprint].prepare(rows)
        if (ranges := self._ranges.get(self.settings.target(schema))) is not None:
            left = partial(self._left, deadline)
            self._untold += ranges.tend(self._opened(), self._now(), left)
            self._untold += ranges.cover(self._opened(), prepared.operations, left)
        sender = Sender(
            self._opened(), self._tables[schema.fingerprint], lambda: self._left(deadline), self._before_flush
        )
        refused: list[RowFailure] = []
        if find:
            refused = sender.find_refused(prepared.operations)
        elif prepared.operations:
            sender.send(prepared.operations)
        return sorted(prepared.failures + refused, key=lambda failure: failure.index)

    def _ranges_of(self, schema: TableSchema, target: str) -> Ranges | None:
        """The ranges of a table, None when it has none by the settings. Raise TableRefused when they can't be."""
        if target not in self._ranges:
            wanted = self.settings.of(schema.table).range
            periods = periods_of(schema.table, wanted, store_columns(schema), schema.key)
            made = Ranges(schema, target, periods, wanted) if periods is not None and wanted is not None else None
            self._ranges[target] = made
        return self._ranges[target]

    def _look_anew(self, schema: TableSchema, *, connect: bool) -> None:
        """Forget which ranges there are. The client remembers for minutes which there were not: `connect` takes another
        one.
        """
        if (ranges := self._ranges.get(self.settings.target(schema))) is None:
            return
        ranges.known.clear()
        if connect:
            self._client = self._connect(self.settings.timeout_s)
            self._preparers.clear()
            self._tables.clear()

    def _forget(self, schema: TableSchema) -> None:
        self._preparers.pop(schema.fingerprint, None)
        self._tables.pop(schema.fingerprint, None)

    def _open_table(self, target: str) -> Any:
        import kudu

        try:
            return self._opened().table(target)
        except kudu.KuduException as error:
            raise SinkUnavailable(self.name, message(error)) from error

    def _connect(self, seconds: float) -> Any:
        import kudu
        from kudu.client import Client

        milliseconds = max(1, int(seconds * 1000))
        try:
            return Client(
                list(self.settings.masters),
                admin_timeout_ms=milliseconds,
                rpc_timeout_ms=milliseconds,
                encryption_policy=getattr(kudu, f"ENCRYPTION_{self.settings.encryption.upper()}"),
                require_authentication=self.settings.require_authentication,
                sasl_protocol_name=self.settings.sasl_protocol.encode() or None,
            )
        except kudu.KuduException as error:
            raise SinkUnavailable(self.name, message(error)) from error

    def _opened(self) -> Any:
        if self._client is None:
            raise SinkUnavailable(self.name, "it is not open")
        return self._client

    def _left(self, deadline: float) -> float:
        """Seconds to give to a call. Raise SinkUnavailable when there are none."""
        left = (deadline - time.monotonic()) * SHARE
        if left <= 0:
            raise SinkUnavailable(self.name, "the deadline has passed; nothing more was sent")
        return left
