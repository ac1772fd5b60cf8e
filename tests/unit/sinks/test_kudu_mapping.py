from __future__ import annotations

import pytest

from models import Column, Kind, TableSchema
from parrot_faust.errors import TableRefused
from parrot_faust.sinks.kudu.layout import StoreTable, lay_out, missing_columns
from parrot_faust.sinks.kudu.mapping import TYPES, StoreColumn, store_column, store_columns


def schema(*columns: Column, key: tuple[str, ...] = ("id",)) -> TableSchema:
    return TableSchema.of("shop.public.t", columns, key, database="shop", namespace="public", relation="t")


ID = Column("id", Kind.INT64, False)
NAME = Column("name", Kind.STRING, False)


def test_every_kind_has_a_type() -> None:
    assert set(TYPES) | {Kind.DECIMAL} == set(Kind)


@pytest.mark.parametrize(
    ("precision", "scale", "shape"),
    [
        (38, 0, "decimal(38,0)"),
        (38, 38, "decimal(38,38)"),
        (12, 2, "decimal(12,2)"),
        (39, 2, "string"),
        (None, None, "string"),
        (4, -2, "string"),
        (3, 5, "string"),
    ],
)
def test_decimal_becomes_text_where_kudu_has_no_decimal_for_it(
    precision: int | None, scale: int | None, shape: str
) -> None:
    assert store_column(Column("d", Kind.DECIMAL, True, precision, scale), key=False).shape == shape


def test_key_comes_first_and_alone_takes_no_nulls() -> None:
    second = Column("b", Kind.STRING, False)
    found = store_columns(schema(NAME, ID, second, key=("b", "id")))
    assert [(column.name, column.nullable) for column in found] == [("b", False), ("id", False), ("name", True)]


@pytest.mark.parametrize("kind", [Kind.BOOL, Kind.FLOAT32, Kind.FLOAT64])
def test_key_type_that_kudu_has_not_is_refused_by_name(kind: Kind) -> None:
    with pytest.raises(TableRefused, match=r"shop\.public\.t.*key column flag"):
        store_columns(schema(Column("flag", kind, False), key=("flag",)))


def test_table_without_key_is_refused() -> None:
    with pytest.raises(TableRefused, match="no primary key"):
        store_columns(schema(ID, key=()))


def test_more_columns_than_kudu_takes_are_refused() -> None:
    with pytest.raises(TableRefused, match="301 columns"):
        store_columns(schema(ID, *(Column(f"c{number}", Kind.INT32) for number in range(300))))


def stored(*columns: StoreColumn, keys: int = 1) -> StoreTable:
    return StoreTable("public.t", columns, keys)


KEY = StoreColumn("id", "int64", False)


def test_column_that_the_table_lacks_is_named() -> None:
    assert missing_columns(schema(ID, NAME), stored(KEY)) == (StoreColumn("name", "string", True),)


def test_every_difference_is_named_at_once() -> None:
    there = stored(
        StoreColumn("other", "int64", False),
        StoreColumn("name", "int32", True),
        StoreColumn("price", "decimal", True, 10, 2),
        StoreColumn("must", "int32", False),
    )
    here = schema(ID, NAME, Column("price", Kind.DECIMAL, True, 12, 2))
    with pytest.raises(TableRefused) as refused:
        missing_columns(here, there)
    for part in (
        "column name is int32 there and string here",
        "column price is decimal(10,2) there and decimal(12,2) here",
        "its key there is other and here id",
        "column must there takes no nulls",
    ):
        assert part in str(refused.value)


def test_layout_finds_values_where_kudu_orders_columns_otherwise() -> None:
    there = stored(
        StoreColumn("id", "int64", False),
        StoreColumn("tenant", "int32", False),
        StoreColumn("gone", "string", True),
        StoreColumn("name", "string", True),
        keys=2,
    )
    here = schema(NAME, Column("tenant", Kind.INT32, False), ID, key=("tenant", "id"))
    layout = lay_out(here, there)
    assert layout.positions == (2, 1, None, 0)
    assert layout.key_positions == (1, 0)
