"""What became of a table's shape, in the field's words."""

from __future__ import annotations

import msgspec


class SchemaChange(msgspec.Struct, frozen=True, array_like=True):
    """One difference between two shapes of a table.

    `change` is one of CreateTable, AddColumn, DropColumn, AlterColumnType, AlterNullability, AlterKey; `column` is
    empty where the change is of the table; `detail` says it for people.
    """

    table: str
    change: str
    column: str
    detail: str
