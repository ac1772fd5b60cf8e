"""The difference between two shapes of one table, as typed changes and in words."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from models import (
    AddColumn,
    Alteration,
    AlterColumnType,
    AlterKey,
    AlterNullability,
    Column,
    CreateTable,
    DropColumn,
    RenameColumn,
    SchemaChange,
    TableSchema,
)


def diff(old: TableSchema | None, new: TableSchema) -> tuple[SchemaChange, ...]:
    """Return what turns `old` into `new`, told for people, in the order it would be applied; empty when they are the
    same shape.
    """
    return tuple(told(change) for change in changes(old, new))


def changes(old: TableSchema | None, new: TableSchema) -> tuple[Alteration, ...]:
    """Return what turns `old` into `new` as typed changes, in the order they would be applied."""
    table = new.table
    if old is None:
        return (CreateTable(table, new),)
    if old.fingerprint == new.fingerprint:
        return ()
    before = {column.name: column for column in old.columns}
    after = {column.name: column for column in new.columns}
    found: list[Alteration] = []
    if old.key != new.key:
        found.append(AlterKey(table, old.key, new.key))
    for name, column in after.items():
        was = before.get(name)
        if was is None:
            found.append(AddColumn(table, column))
            continue
        if type_text(was) != type_text(column):
            found.append(AlterColumnType(table, was, msgspec.structs.replace(column, nullable=was.nullable)))
        if was.nullable != column.nullable:
            found.append(AlterNullability(table, name, column.nullable))
    found.extend(DropColumn(table, column) for name, column in before.items() if name not in after)
    return tuple(found)


def apply(old: TableSchema | None, made: Sequence[Alteration]) -> TableSchema:
    """Return the shape that `made` turns `old` into. Raise ValueError when a change does not fit the shape before it.

    Changes that are of no shape (comments, a truncate) leave it as it is.
    """
    shape = old
    for change in made:
        if isinstance(change, CreateTable):
            shape = change.schema
            continue
        if shape is None:
            raise ValueError(f"{change.table}: {type(change).__name__} of a table that is not there")
        columns = {column.name: column for column in shape.columns}
        key = shape.key
        match change:
            case AddColumn(column=column):
                if column.name in columns:
                    raise ValueError(f"{change.table}: the added column {column.name} is there already")
                columns[column.name] = column
            case DropColumn(column=column):
                del columns[_known(change, columns, column.name)]
            case RenameColumn(old=was, new=now):
                _known(change, columns, was)
                columns = {
                    (now if name == was else name): (
                        msgspec.structs.replace(column, name=now) if name == was else column
                    )
                    for name, column in columns.items()
                }
                key = tuple(now if name == was else name for name in key)
            case AlterColumnType(now=column):
                columns[_known(change, columns, column.name)] = column
            case AlterNullability(column=name, nullable=nullable):
                columns[name] = msgspec.structs.replace(columns[_known(change, columns, name)], nullable=nullable)
            case AlterKey(now=now_key):
                key = now_key
            case _:
                continue
        # The key may name columns that a later change of the same run adds or drops: it is checked at the end.
        shape = msgspec.structs.replace(shape, columns=tuple(columns.values()), key=key)
    if shape is None:
        raise ValueError("no change makes a table")
    return TableSchema.of(
        shape.table,
        shape.columns,
        shape.key,
        database=shape.database,
        namespace=shape.namespace,
        relation=shape.relation,
    )


def merge(old: TableSchema | None, *runs: Sequence[Alteration]) -> tuple[Alteration, ...]:
    """Return the one run that has the effect of all `runs`, one after another, on `old`: what cancels out is gone."""
    return changes(old, apply(old, [change for run in runs for change in run]))


def told(change: Alteration) -> SchemaChange:
    """A change in words."""
    name = type(change).__name__
    match change:
        case CreateTable(schema=schema):
            columns = ", ".join(f"{column.name} {type_text(column)}" for column in schema.columns)
            return SchemaChange(change.table, name, "", f"({columns}) key ({', '.join(schema.key)})")
        case AddColumn(column=column) | DropColumn(column=column):
            return SchemaChange(change.table, name, column.name, type_text(column))
        case RenameColumn(old=was, new=now):
            return SchemaChange(change.table, name, was, f"to {now}")
        case AlterColumnType(was=was, now=now):
            return SchemaChange(change.table, name, now.name, f"{type_text(was)} to {type_text(now)}")
        case AlterNullability(column=column, nullable=nullable):
            return SchemaChange(change.table, name, column, f"may {'now' if nullable else 'no longer'} be null")
        case AlterKey(was=was, now=now):
            return SchemaChange(change.table, name, "", f"({', '.join(was)}) to ({', '.join(now)})")
    return SchemaChange(change.table, name, "", "")


def type_text(column: Column) -> str:
    """A column's type for people, for example ``decimal(10,2)`` or ``string json``."""
    size = f"({column.precision},{column.scale})" if column.precision is not None else ""
    return f"{column.kind}{size} {column.semantic}".rstrip()


def _known(change: Alteration, columns: dict[str, Column], name: str) -> str:
    if name not in columns:
        raise ValueError(f"{change.table}: {type(change).__name__} of {name}, which is not there")
    return name
