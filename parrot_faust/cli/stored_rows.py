"""Rows of a table as a store of the settings has them: what lies where comes from the history that the workers keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from models import Kind, TableSchema
from parrot_faust.choices import sink_specs
from parrot_faust.cli.lying import lying
from parrot_faust.errors import DistributionError, SettingsError
from parrot_faust.schema.history import SchemaHistory
from parrot_faust.schema.layout import place
from parrot_faust.schema.stores import STORES
from parrot_faust.schema_desk import named, run
from parrot_faust.settings import Settings
from parrot_faust.sinks.factory import build

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Shown(NamedTuple):
    """Columns of a source table, and rows with a value for each."""

    names: list[str]
    rows: list[tuple[Any, ...]]


def rows_in(settings: Settings, store: str, table: str, key: str | None, limit: int) -> Shown:
    """The first rows that a store gives, in the order of their keys, or the one whose key columns joined by | are
    `key`. `table` is a topic or the end of its name.

    Raise SettingsError when the settings name no such store, ParrotError when no worker has seen the table or the
    store does not answer.
    """
    specs = {spec.kind: spec for spec in sink_specs(settings)}
    if store not in specs:
        raise SettingsError(f"the settings name no sinks.{store}")
    histories = run(settings, lambda desk: desk.histories())
    history = histories[named(histories, table)]
    latest, there = _shape(history, store)
    where = lying(history, store, {column.name: "" for column in latest.columns})
    position = {column.name: at for at, column in enumerate(there.columns)}
    told = [_TOLD.get(column.kind, _same) for column in there.columns]
    names = list(where.columns)
    keys = [names.index(name) for name in latest.key]
    order = [position[name] for name in where.types]

    def read() -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
        sink = build(specs[store])
        try:
            sink.open()
            for row in sink.read(there):
                values = [None if value is None else tell(value) for tell, value in zip(told, row, strict=True)]
                shown = where.row(tuple(values[at] for at in order))
                identity = tuple(shown[at] for at in keys)
                if key is None or "|".join(map(str, identity)) == key:
                    yield identity, shown
        finally:
            sink.close()

    found = [row for row, _ in zip(read(), range(limit), strict=False)]
    return Shown(names, [row for _, row in sorted(found, key=lambda each: each[0])])


def _shape(history: SchemaHistory, store: str) -> tuple[TableSchema, TableSchema]:
    """The newest shape at the source, and the one of the store's table that has its rows."""
    latest, layout = history.latest, history.layouts.get(store)
    if latest is None or layout is None:
        raise DistributionError(f"no row of this table has gone to {store} yet")
    placement = place(STORES[store], layout, latest, latest)
    if placement is None:
        raise DistributionError(f"{store} has no table with the key of {latest.table}")
    return latest, placement.schema


def _moment(value: Any) -> Any:
    try:
        return (_EPOCH + timedelta(microseconds=value)).isoformat() if isinstance(value, int) else value
    except OverflowError:
        return value  # an infinity of the source's, or beyond the year 9999


def _day(value: Any) -> Any:
    try:
        return (_EPOCH.date() + timedelta(days=value)).isoformat() if isinstance(value, int) else value
    except OverflowError:
        return value


def _time(value: Any) -> Any:
    return str(timedelta(microseconds=value)) if isinstance(value, int) else value


def _same(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


_TOLD: dict[Kind, Callable[[Any], Any]] = {
    Kind.TIMESTAMP: _moment,
    Kind.DATE: _day,
    Kind.TIME: _time,
    Kind.BYTES: lambda value: value.hex(),
}
