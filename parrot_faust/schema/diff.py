"""The difference between two shapes of one table."""

from __future__ import annotations

from models import Column, SchemaChange, TableSchema


def diff(old: TableSchema | None, new: TableSchema) -> tuple[SchemaChange, ...]:
    """Return what turns `old` into `new`, in the order it would be applied; empty when they are the same shape."""
    table = new.table
    if old is None:
        columns = ", ".join(f"{column.name} {type_text(column)}" for column in new.columns)
        return (SchemaChange(table, "CreateTable", "", f"({columns}) key ({', '.join(new.key)})"),)
    if old.fingerprint == new.fingerprint:
        return ()
    before = {column.name: column for column in old.columns}
    after = {column.name: column for column in new.columns}
    changes = []
    if old.key != new.key:
        changes.append(SchemaChange(table, "AlterKey", "", f"({', '.join(old.key)}) to ({', '.join(new.key)})"))
    for name, column in after.items():
        if name not in before:
            changes.append(SchemaChange(table, "AddColumn", name, type_text(column)))
            continue
        was, now = type_text(before[name]), type_text(column)
        if was != now:
            changes.append(SchemaChange(table, "AlterColumnType", name, f"{was} to {now}"))
        if before[name].nullable != column.nullable:
            detail = "may now be null" if column.nullable else "may no longer be null"
            changes.append(SchemaChange(table, "AlterNullability", name, detail))
    changes.extend(
        SchemaChange(table, "DropColumn", name, type_text(column))
        for name, column in before.items()
        if name not in after
    )
    return tuple(changes)


def type_text(column: Column) -> str:
    """A column's type for people, for example ``decimal(10,2)`` or ``string json``."""
    size = f"({column.precision},{column.scale})" if column.precision is not None else ""
    return f"{column.kind}{size} {column.semantic}".rstrip()
