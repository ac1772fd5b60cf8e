"""What a value can lose on its way, and where: the documented table, and which of it concerns a given column.

Nothing here changes a value. A loss that is not in this table is a fault; the integration test of all types compares
source and stores and allows exactly these.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from models import Column, Kind, TableSchema

_KUDU_DIGITS = 38


class Place(StrEnum):
    """Who loses it: the connector sends it so, or this worker or a store has no room for it."""

    CONNECTOR = "connector"
    WORKER = "worker"
    KUDU = "kudu"
    HBASE = "hbase"


class Loss(NamedTuple):
    """`types` are the source's, `option` the connector's setting, `what` is lost, `instead` what to do about it."""

    name: str
    place: Place
    types: str
    option: str
    what: str
    instead: str


LOSSES: tuple[Loss, ...] = (
    Loss(
        "numeric-special",
        Place.CONNECTOR,
        "numeric",
        "decimal.handling.mode=precise",
        "NaN and the infinities arrive as null",
        "decimal.handling.mode=string (they arrive as NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY)",
    ),
    Loss(
        "numeric-scale",
        Place.CONNECTOR,
        "numeric without scale",
        "decimal.handling.mode=precise",
        "zeros at the end after the point: 1.10 arrives as 1.1, which is the same number",
        "declare the scale, or decimal.handling.mode=string",
    ),
    Loss(
        "numeric-double",
        Place.CONNECTOR,
        "numeric, money",
        "decimal.handling.mode=double",
        "digits beyond the 15 to 17 that a double has",
        "decimal.handling.mode=precise",
    ),
    Loss(
        "numeric-zeros",
        Place.CONNECTOR,
        "numeric with a negative scale",
        "decimal.handling.mode=string",
        "nothing, but more than 2,000 zeros come after the point",
        "decimal.handling.mode=precise (the zeros are left out again)",
    ),
    Loss(
        "money-snapshot",
        Place.CONNECTOR,
        "money",
        "all, in a snapshot",
        "digits beyond the 15 to 17 that a double has: snapshots read money as one",
        "numeric",
    ),
    Loss(
        "old-snapshot",
        Place.CONNECTOR,
        "date, timestamp, timestamptz",
        "all, in a snapshot",
        "moments before 1582-10-15 come by the Julian calendar, up to ten days off (months, in the far past); dates "
        "before year 1 come as years after it",
        "change the rows once after the snapshot (an update that sets a column to itself): the log has them right",
    ),
    Loss(
        "interval-numeric",
        Place.CONNECTOR,
        "interval",
        "interval.handling.mode=numeric",
        "months count 30.4375 days, infinity is 0, more than 292,471 years are the greatest number of 64 bits",
        "interval.handling.mode=string",
    ),
    Loss(
        "interval-infinite",
        Place.CONNECTOR,
        "interval",
        "interval.handling.mode=string",
        "infinity is P0Y0M0DT0H0M0S",
        "none",
    ),
    Loss(
        "time-connect",
        Place.CONNECTOR,
        "time, timestamp",
        "time.precision.mode=connect",
        "microseconds: values are cut to milliseconds",
        "any other time.precision.mode",
    ),
    Loss(
        "time-24",
        Place.CONNECTOR,
        "time, timetz",
        "time.precision.mode=isostring for time, all for timetz",
        "24:00:00 arrives as 00:00:00",
        "another time.precision.mode for time; none for timetz",
    ),
    Loss(
        "timetz-zone",
        Place.CONNECTOR,
        "timetz",
        "all",
        "the time zone: the time arrives in UTC",
        "keep the zone in a column of its own",
    ),
    Loss(
        "nanos-range",
        Place.CONNECTOR,
        "timestamp",
        "time.precision.mode=nanoseconds",
        "moments before 1677-09-21 and after 2262-04-11, and the infinities, are wrapped round to other moments",
        "any other time.precision.mode: PostgreSQL has no nanoseconds",
    ),
    Loss(
        "array-times",
        Place.CONNECTOR,
        "arrays of time and timetz",
        "all",
        "the microseconds (time) or the fraction (timetz)",
        "none",
    ),
    Loss("array-nested", Place.CONNECTOR, "arrays of arrays", "all", "the inner arrays arrive as null", "none"),
    Loss(
        "array-null",
        Place.CONNECTOR,
        "arrays of enum and of bit",
        "all",
        "the whole array arrives as null",
        "text[]",
    ),
    Loss("bits-length", Place.CONNECTOR, "varbit", "all", "zeros at the beginning, as in a number", "none"),
    Loss(
        "names-log",
        Place.CONNECTOR,
        "tables whose own name is not ASCII",
        "all",
        "in the log their name is garbled: changes come under another topic, without key, and are refused there",
        "ASCII names of tables (columns may have any: the worker reads their names in both spellings)",
    ),
    Loss(
        "identity-index",
        Place.CONNECTOR,
        "tables with a primary key and `replica identity using index` of another index",
        "all",
        "deletes and changes of the primary key: they come without the old primary key, and the old row stays",
        "message.key.columns with the index's columns, or replica identity default or full",
    ),
    Loss(
        "toast-key-change",
        Place.CONNECTOR,
        "text, bytea and all other long values",
        "all, replica identity default",
        "a long value that a change of the key leaves as it is: it is null under the new key, and the log says so",
        "replica identity full",
    ),
    Loss(
        "default-added",
        Place.CONNECTOR,
        "a column added with a default",
        "all",
        "the default of rows that were there before: null until the row is changed, for there is no event of them",
        "update the rows once, or run an incremental snapshot",
    ),
    Loss(
        "generated-log",
        Place.CONNECTOR,
        "generated columns",
        "all, up to PostgreSQL 17",
        "null in the log, the value in a snapshot: PostgreSQL does not publish them",
        "leave the column out (column.exclude.list)",
    ),
    Loss(
        "unknown-types",
        Place.CONNECTOR,
        "geometric types but point, composite types, multiranges, arrays of these and of interval and money, tsquery, "
        "pg_lsn, xid8, jsonpath",
        "include.unknown.datatypes=false",
        "the whole column: it is in no event",
        "include.unknown.datatypes=true (their text arrives as bytes)",
    ),
    Loss(
        "name-log",
        Place.CONNECTOR,
        "name",
        "include.unknown.datatypes=false",
        "null in the log, the value in a snapshot",
        "include.unknown.datatypes=true, or text",
    ),
    Loss(
        "nanoseconds",
        Place.WORKER,
        "times and timestamps finer than microseconds (not PostgreSQL's)",
        "time.precision.mode=nanoseconds, adaptive",
        "the nanoseconds: values are cut to microseconds, towards the past",
        "none: no store has a type for them",
    ),
    Loss(
        "zone-name",
        Place.WORKER,
        "timestamps with a time zone",
        "all",
        "the zone or offset: the moment is kept in UTC (PostgreSQL keeps no zone itself)",
        "keep the zone in a column of its own",
    ),
    Loss(
        "placeholder",
        Place.WORKER,
        "text, bytes and arrays",
        "all",
        "a value that is exactly __debezium_unavailable_value: Debezium marks with it what an update left as it was",
        "none: the connector's unavailable.value.placeholder must stay as it is",
    ),
    Loss(
        "decimal-text",
        Place.KUDU,
        "numeric without scale, with more than 38 digits, or with a scale above the precision; money",
        "decimal.handling.mode=precise",
        "the number as a type: Kudu has a string of its digits, which sorts and compares as text",
        "numeric(P,S) with P up to 38",
    ),
    Loss(
        "time-number",
        Place.KUDU,
        "time",
        "all",
        "the type: Kudu has an int64 of microseconds since midnight",
        "none: Kudu has no type for a time of day",
    ),
)

_BY_NAME = {loss.name: loss for loss in LOSSES}


def losses(schema: TableSchema, sinks: tuple[str, ...] = ("kudu", "hbase")) -> tuple[tuple[Column, Loss], ...]:
    """The columns of a table that lose something in the worker or in one of these sinks, and what.

    What the connector loses can't be seen in what it sends: of that only `LOSSES` tells.
    """
    return tuple(
        (column, loss) for column in schema.columns for loss in _of(column) if loss.place in (Place.WORKER, *sinks)
    )


def _of(column: Column) -> Iterator[Loss]:
    if column.semantic == "nanos":
        yield _BY_NAME["nanoseconds"]
    if column.semantic == "zoned":
        yield _BY_NAME["zone-name"]
    if column.kind is Kind.DECIMAL and not _fits_kudu(column):
        yield _BY_NAME["decimal-text"]
    if column.kind is Kind.TIME:
        yield _BY_NAME["time-number"]


def _fits_kudu(column: Column) -> bool:
    precision, scale = column.precision or 0, column.scale or 0
    return 1 <= precision <= _KUDU_DIGITS and 0 <= scale <= precision
