"""Where a table is read after its shape has changed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from models import Column, Kind, TableSchema
from parrot_faust.schema.behaviour import Behaviour, Policy
from parrot_faust.schema.history import SchemaHistory, SchemaSeen, Terms, encoded, fold, history_of
from parrot_faust.schema.stores import HBASE, KUDU
from parrot_faust.verify.differences import row_difference
from parrot_faust.verify.explain import explained
from parrot_faust.verify.hbase import _decoder, _names
from parrot_faust.verify.kudu import _projected, _with_earlier
from parrot_faust.verify.places import Places, places_of
from parrot_faust.verify.plan import ColumnPlan, TablePlan
from parrot_faust.verify.report import Reason
from parrot_faust.verify.stored import Earlier, Logical

ID = Column("id", Kind.INT32, False)
PRICE = Column("price", Kind.INT32)
TEXT = Column("price", Kind.STRING)


def shape(*columns: Column, key: tuple[str, ...] = ("id",)) -> TableSchema:
    return TableSchema.of("shop.public.t", columns, key)


def history(*shapes: TableSchema, **policy: Any) -> SchemaHistory:
    found, terms = SchemaHistory(None, ()), Terms(Policy(**policy), (KUDU, HBASE))
    for offset, each in enumerate(shapes):
        found = fold(found, SchemaSeen(each, each.table, 0, offset, "", (), 0), terms)
    return history_of(encoded(found))


@pytest.mark.parametrize("store", ["kudu", "hbase"])
def test_a_table_as_it_was_made_is_read_under_its_own_names(store: str) -> None:
    assert places_of(None, store) == Places()
    assert places_of(history(shape(ID, PRICE)), store) == Places()


@pytest.mark.parametrize("store", ["kudu", "hbase"])
def test_a_column_whose_type_changed_is_read_beside_the_older_one(store: str) -> None:
    found = places_of(history(shape(ID, PRICE), shape(ID, TEXT)), store)
    assert found == Places(1, {"price": "price__string"}, {"price": ("price",)})
    back = places_of(
        history(shape(ID, PRICE), shape(ID, TEXT), shape(ID, msgspec.structs.replace(PRICE, nullable=False))), store
    )
    assert back == Places(1, {}, {"price": ("price__string",)})


@pytest.mark.parametrize("store", ["kudu", "hbase"])
def test_a_table_whose_key_changed_is_read_in_its_newest_generation(store: str) -> None:
    found = places_of(history(shape(ID, PRICE), shape(ID, PRICE, key=("id", "price"))), store)
    assert found is not None
    assert (found.generation, found.target("public.t")) == (2, "public.t__g2")


def test_what_is_not_written_is_told() -> None:
    told = history(shape(ID, PRICE), shape(ID, TEXT), all=Behaviour.IGNORE)
    assert places_of(told, "kudu") == Places(left_out=("price",))
    other = history(shape(ID, PRICE), shape(ID, PRICE, key=("id", "price")), all=Behaviour.IGNORE)
    assert places_of(other, "kudu") is None


COLUMNS = (
    ColumnPlan("id", Logical.INT32, "int4", "integer"),
    ColumnPlan("price", Logical.TEXT, "text", "text"),
    ColumnPlan("new", Logical.TEXT, "text", "text"),
)
MOVED = Places(1, {"price": "price__string"}, {"price": ("price", "price__double")})
PLAN = TablePlan(
    "shop.public.t",
    "public",
    "t",
    COLUMNS,
    1,
    {"kudu": "t", "hbase": "t"},
    families={"price__string": "big"},
    places={"kudu": MOVED, "hbase": MOVED},
)


def test_kudu_is_asked_for_both_columns_that_are_there() -> None:
    names = _projected(PLAN, {"id", "price", "price__string"})
    assert names == ["id", "price__string", "price"]
    assert _with_earlier((1, None, None), names, (1, None, 12), [(1, 2)]) == (1, Earlier("price"), None)
    assert _with_earlier((1, "x", None), names, (1, "x", None), [(1, 2)]) == (1, "x", None)


def test_hbase_is_asked_for_both_columns_in_their_families() -> None:
    families, names = _names(PLAN)
    assert families == [b"d", b"big"]
    assert names == [b"d:id", b"big:price__string", b"d:new", b"d:price", b"d:price__double"]
    one, two = b"\0\0\0\1", b"\0\0\0\2"
    keys, rows = _decoder(PLAN)(([b"1", b"2"], [[one, b"x", None, None, None], [two, None, b"n", b"\0\0\0\x0c", None]]))
    assert keys == [(1,), (2,)]
    assert rows == [(1, "x", None), (2, Earlier("price"), "n")]


def test_a_value_in_the_older_column_is_explained_and_nothing_beside_it() -> None:
    source, kudu = (1, "12", None), (1, Earlier("price"), None)
    found = row_difference(PLAN, (1,), source, {"kudu": kudu, "hbase": (1, None, None)})
    assert found is not None
    told = explained(found, (), None, frozenset())
    assert [store.reason for store in told.stores] == [Reason.OLDER_COLUMN, Reason.UNEXPLAINED]
    other = row_difference(PLAN, (1,), (1, "12", "n"), {"kudu": kudu})
    assert other is not None
    assert explained(other, (), None, frozenset()).stores[0].reason is Reason.UNEXPLAINED
