from __future__ import annotations

import pytest

from models import Column, Kind, SchemaChange, TableSchema
from parrot_faust.schema import diff
from parrot_faust.schema.diff import type_text

ID = Column("id", Kind.INT64, False)
NAME = Column("name", Kind.STRING)
PRICE = Column("c", Kind.DECIMAL, True, 10, 2)


def schema(*columns: Column, key: tuple[str, ...] = ("id",), relation: str = "t") -> TableSchema:
    return TableSchema.of("shop.public.t", columns, key, relation=relation)


def told(old: TableSchema | None, new: TableSchema) -> list[tuple[str, str, str]]:
    changes = diff(old, new)
    assert all(change.table == new.table for change in changes)
    return [(change.change, change.column, change.detail) for change in changes]


def test_first_shape_creates_the_table() -> None:
    assert diff(None, schema(ID, NAME)) == (
        SchemaChange("shop.public.t", "CreateTable", "", "(id int64, name string) key (id)"),
    )


def test_same_shape_is_no_change() -> None:
    assert told(schema(ID, NAME), schema(ID, NAME)) == []


@pytest.mark.parametrize("other", [schema(NAME, ID), schema(ID, NAME, relation="other")])
def test_order_of_columns_and_the_tables_parts_need_no_change_of_a_store(other: TableSchema) -> None:
    assert other.fingerprint != schema(ID, NAME).fingerprint
    assert told(schema(ID, NAME), other) == []


def test_added_and_dropped_columns_are_named() -> None:
    assert told(schema(ID), schema(ID, NAME)) == [("AddColumn", "name", "string")]
    assert told(schema(ID, NAME), schema(ID)) == [("DropColumn", "name", "string")]


def test_rename_is_an_addition_and_a_drop_in_that_order() -> None:
    renamed = Column("title", Kind.STRING)
    assert told(schema(ID, NAME), schema(ID, renamed)) == [
        ("AddColumn", "title", "string"),
        ("DropColumn", "name", "string"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "detail"),
    [
        (Column("c", Kind.INT32), Column("c", Kind.INT64), "int32 to int64"),
        (PRICE, Column("c", Kind.DECIMAL, True, 12, 2), "decimal(10,2) to decimal(12,2)"),
        (PRICE, Column("c", Kind.DECIMAL, True, 10, 3), "decimal(10,2) to decimal(10,3)"),
        (Column("c", Kind.DECIMAL), Column("c", Kind.DECIMAL, True, 10, 0), "decimal to decimal(10,0)"),
        (Column("c", Kind.STRING), Column("c", Kind.STRING, semantic="json"), "string to string json"),
        (Column("c", Kind.TIMESTAMP, semantic="zoned"), Column("c", Kind.TIMESTAMP), "timestamp zoned to timestamp"),
    ],
)
def test_other_type_is_told_from_and_to(old: Column, new: Column, detail: str) -> None:
    assert told(schema(ID, old), schema(ID, new)) == [("AlterColumnType", "c", detail)]


def test_nullability_is_told_apart_from_the_type() -> None:
    strict = Column("name", Kind.STRING, False)
    assert told(schema(ID, NAME), schema(ID, strict)) == [("AlterNullability", "name", "may no longer be null")]
    assert told(schema(ID, strict), schema(ID, NAME)) == [("AlterNullability", "name", "may now be null")]
    both = told(schema(ID, NAME), schema(ID, Column("name", Kind.BYTES, False)))
    assert [change for change, _, _ in both] == ["AlterColumnType", "AlterNullability"]


@pytest.mark.parametrize(
    ("key", "detail"), [(("id", "name"), "(id) to (id, name)"), (("name",), "(id) to (name)"), ((), "(id) to ()")]
)
def test_other_key_is_told_first(key: tuple[str, ...], detail: str) -> None:
    more = Column("more", Kind.BOOL)
    assert told(schema(ID, NAME), schema(ID, NAME, more, key=key)) == [
        ("AlterKey", "", detail),
        ("AddColumn", "more", "bool"),
    ]


def test_order_of_key_columns_is_part_of_the_key() -> None:
    two, swapped = schema(ID, NAME, key=("id", "name")), schema(ID, NAME, key=("name", "id"))
    assert told(two, swapped) == [("AlterKey", "", "(id, name) to (name, id)")]


def test_type_is_told_in_one_short_text() -> None:
    assert type_text(Column("c", Kind.DECIMAL, True, 10, 2, "money")) == "decimal(10,2) money"
    assert type_text(ID) == "int64"
