"""Making Kudu's tables fit: created when they are not there, columns added when they lack some, or
dropped when the source has and the settings say so."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from models import AppliedDdl, PlannedDdl, TableSchema
from parrot_faust.errors import SinkUnavailable, TableRefused
from parrot_faust.sinks.kudu.encodings import layout_of, layouts_of
from parrot_faust.sinks.kudu.layout import StoreTable, missing_columns
from parrot_faust.sinks.kudu.mapping import StoreColumn, store_columns
from parrot_faust.sinks.kudu.outcomes import message
from parrot_faust.sinks.kudu.partitions import Ranges
from parrot_faust.sinks.kudu.ranges import periods_of
from parrot_faust.sinks.kudu.settings import KuduSettings, KuduTableSettings
from parrot_faust.sinks.naming import not_made

#: Seconds between two looks while another process changes the table: Kudu shows the old columns until every tablet has
#: the new ones, which takes some tens of milliseconds.
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.2
#: What Kudu says when another process was quicker, or is just about it: look again.
OVERTAKEN = ("Already present", "already exists", "already reserved", "in progress", "column does not exist")
#: Kudu says this also while tablet servers are still starting.
TOO_FEW_SERVERS = "not enough live tablet servers"


def fit(
    client: Any,
    settings: KuduSettings,
    schema: TableSchema,
    left: Callable[[], float],
    sleep: Callable[[float], None] = time.sleep,
    *,
    late: bool = False,
    ranges: Ranges | None = None,
    now: float = 0.0,
) -> tuple[StoreTable, Sequence[AppliedDdl]]:
    """Make the target table fit rows of `schema`; return it as it then is, and what was done.

    Another process may do the same at the same time. Raise TableRefused when the table can never fit, SinkUnavailable
    when Kudu does not answer; `left` raises it when the time is over. A `late` schema, from before
    columns were dropped, never alters a table that is there. A table with `ranges` begins with those of `now`.
    """
    target = settings.target(schema)
    chosen = settings.of(schema.table)
    layouts_of(schema.table, store_columns(schema), chosen.columns)  # refuses what can't be, before anything is made
    done: list[AppliedDdl] = []
    pause = FIRST_PAUSE
    while True:
        left()
        found = describe(client, target)
        started = time.monotonic()
        if found is None:
            if not chosen.create:
                raise SinkUnavailable("kudu", not_made(planned(client, settings, schema)[0]))
            if here := _unless_overtaken(schema, partial(_create, client, chosen, schema, target, ranges, now)):
                detail = f"{chosen.buckets} hash partitions on {', '.join(_hashed(schema, chosen))}"
                if ranges is not None:
                    ranges.known = set(ranges.first(now))
                    detail += f", ranges of {ranges.periods.told(ranges.first(now))}"
                done.append(AppliedDdl(schema.table, target, "CreateTable", detail, time.monotonic() - started))
        else:
            missing = missing_columns(schema, found)
            unwanted = tuple(column for column in found.columns[found.keys :] if column.name in schema.without)
            if late or not (missing or unwanted):
                return found, done
            change, columns = ("AddColumn", missing) if missing else ("DropColumn", unwanted)
            alter = partial(_add, chosen=chosen) if missing else _drop
            if here := _unless_overtaken(schema, partial(alter, client, target, columns)):
                seconds = time.monotonic() - started
                for column in columns:
                    detail = f"{column.name} {column.shape}"
                    done.append(AppliedDdl(schema.table, target, change, detail, seconds))
        if not here:
            sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


def planned(client: Any, settings: KuduSettings, schema: TableSchema) -> list[PlannedDdl]:
    """What `fit` would do, in statements as Impala has them for Kudu. Raise as it does."""
    target = settings.target(schema)
    wanted, chosen = store_columns(schema), settings.of(schema.table)
    found = describe(client, target)
    if found is None:
        layouts_of(schema.table, wanted, chosen.columns)
        columns = ", ".join(_told(each, chosen) for each in wanted)
        key, buckets = ", ".join(schema.key), chosen.buckets or 1
        spread = [f"hash ({', '.join(_hashed(schema, chosen))}) partitions {buckets}"] if buckets > 1 else []
        if (periods := periods_of(schema.table, chosen.range, wanted, schema.key)) is not None:
            spread.append(f"range ({periods.column}) every {periods.every}")
        by = f" partition by {', '.join(spread)}" if spread else ""
        text = f"create table {target} ({columns}, primary key ({key})){by} replicas {chosen.replicas}"
        return [PlannedDdl(schema.table, target, "CreateTable", text)]
    plan = [
        PlannedDdl(schema.table, target, "AddColumn", f"alter table {target} add columns ({_told(column, chosen)})")
        for column in missing_columns(schema, found)
    ]
    return plan + [
        PlannedDdl(schema.table, target, "DropColumn", f"alter table {target} drop column {column.name}")
        for column in found.columns[found.keys :]
        if column.name in schema.without
    ]


def _told(column: StoreColumn, chosen: KuduTableSettings) -> str:
    laid = layout_of(column, chosen.columns)
    words = [column.name, column.shape, "" if column.nullable else "not null"]
    words.append(f"encoding {laid.encoding}" if laid.encoding else "")
    words.append(f"compression {laid.compression}" if laid.compression else "")
    words.append("comment '{}'".format(column.comment.replace("'", "\\'")) if column.comment else "")
    return " ".join(word for word in words if word)


def describe(client: Any, target: str) -> StoreTable | None:
    """The table as Kudu has it, None when it has none. Raise SinkUnavailable when Kudu does not answer."""
    import kudu

    try:
        schema = client.table(target).schema
    except kudu.KuduNotFound:
        return None
    except kudu.KuduException as error:
        raise SinkUnavailable("kudu", message(error)) from error
    columns = tuple(_column(schema.at(index)) for index in range(len(schema)))
    return StoreTable(target, columns, len(schema.primary_key_indices()))


def _column(column: Any) -> StoreColumn:
    name = column.type.name
    if name != "decimal":
        return StoreColumn(column.name, name, column.nullable)
    attributes = column.type_attributes
    return StoreColumn(column.name, name, column.nullable, attributes.precision, attributes.scale)


def _unless_overtaken(schema: TableSchema, change: Callable[[], None]) -> bool:
    """Whether `change` was done here; False when another process did the like first."""
    import kudu

    try:
        change()
    except kudu.KuduException as error:
        text = message(error)
        if any(sign in text for sign in OVERTAKEN):
            return False
        if isinstance(error, kudu.KuduInvalidArgument) and TOO_FEW_SERVERS not in text:
            raise TableRefused(schema.table, text) from error
        raise SinkUnavailable("kudu", text) from error
    return True


def _hashed(schema: TableSchema, chosen: KuduTableSettings) -> list[str]:
    """The key columns that rows are spread by: without the one that ranges are made of, where there are others."""
    others = [name for name in schema.key if chosen.range is None or name != chosen.range.column]
    return others or list(schema.key)


def _create(
    client: Any, chosen: KuduTableSettings, schema: TableSchema, target: str, ranges: Ranges | None, now: float
) -> None:
    import kudu
    from kudu.client import Partitioning

    builder = kudu.schema_builder()
    for column in store_columns(schema):
        _specify(builder.add_column(column.name, nullable=column.nullable), column, chosen)
    builder.set_primary_keys(list(schema.key))
    partitioning = Partitioning()
    if chosen.buckets and chosen.buckets > 1:  # Kudu has no hash partitioning of one bucket
        partitioning.add_hash_partitions(_hashed(schema, chosen), chosen.buckets)
    if ranges is not None:
        partitioning.set_range_partition_columns([ranges.periods.column])
        for number in ranges.first(now):
            partitioning.add_range_partition(*ranges.periods.bounds(number))
    elif not (chosen.buckets and chosen.buckets > 1):
        partitioning.set_range_partition_columns([])
    client.create_table(target, builder.build(), partitioning, n_replicas=chosen.replicas)


def _add(client: Any, target: str, columns: Sequence[StoreColumn], chosen: KuduTableSettings) -> None:
    alterer = client.new_table_alterer(client.table(target))
    for column in columns:
        _specify(alterer.add_column(column.name, nullable=True), column, chosen)
    alterer.alter()


def _drop(client: Any, target: str, columns: Sequence[StoreColumn]) -> None:
    alterer = client.new_table_alterer(client.table(target))
    for column in columns:
        alterer.drop_column(column.name)
    alterer.alter()


def _specify(spec: Any, column: StoreColumn, chosen: KuduTableSettings) -> None:
    spec.type(column.type)
    if column.comment:
        spec.comment(column.comment)
    laid = layout_of(column, chosen.columns)
    if laid.encoding:
        spec.encoding(laid.encoding)
    if laid.compression:
        spec.compression(laid.compression)
    if column.type == "decimal":
        spec.precision(column.precision).scale(column.scale)
