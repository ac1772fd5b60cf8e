"""What became of a table's shape, in the field's words."""

from __future__ import annotations

import msgspec

from models.schema import Column, TableSchema


class SchemaChange(msgspec.Struct, frozen=True, array_like=True):
    """One difference between two shapes of a table, told for people and kept in the history.

    `change` is the name of one of the classes below; `column` is empty where the change is of the table; `detail`
    says it for people.
    """

    table: str
    change: str
    column: str
    detail: str


class Alteration(msgspec.Struct, frozen=True, tag_field="change"):
    """Base of the typed changes: each has the fields that say exactly what differs."""

    table: str


class CreateTable(Alteration, frozen=True, tag=True):
    """A table that was not known before."""

    schema: TableSchema


class AddColumn(Alteration, frozen=True, tag=True):
    """A column that was not there before."""

    column: Column


class DropColumn(Alteration, frozen=True, tag=True):
    """A column that is there no more."""

    column: Column


class RenameColumn(Alteration, frozen=True, tag=True):
    """A column of another name. Made only where the source says so: two shapes alone tell of a drop and an addition."""

    old: str
    new: str


class AlterColumnType(Alteration, frozen=True, tag=True):
    """A column whose type is another one. `was` and `now` differ in type; nullability is a change of its own."""

    was: Column
    now: Column


class AlterNullability(Alteration, frozen=True, tag=True):
    """A column that may now be null, or no longer."""

    column: str
    nullable: bool


class AlterKey(Alteration, frozen=True, tag=True):
    """Other key columns, or another order of them."""

    was: tuple[str, ...]
    now: tuple[str, ...]


class AlterComment(Alteration, frozen=True, tag=True):
    """Another comment, of the table where `column` is empty."""

    column: str
    was: str
    now: str


class DropTable(Alteration, frozen=True, tag=True):
    """A table that is there no more."""


class Truncate(Alteration, frozen=True, tag=True):
    """All rows removed at once."""


#: The vocabulary, in the order in which changes of one table are told.
CHANGES: tuple[type[Alteration], ...] = (
    CreateTable,
    AlterKey,
    RenameColumn,
    AddColumn,
    AlterColumnType,
    AlterNullability,
    DropColumn,
    AlterComment,
    Truncate,
    DropTable,
)
