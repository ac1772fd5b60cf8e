"""How `parrot rows` reads a table whose key or columns have changed."""

from __future__ import annotations

from typing import Any

import pytest

from models import Column, Kind, TableSchema
from parrot_faust.cli.lying import lying
from parrot_faust.errors import DistributionError
from parrot_faust.schema import STORES, Behaviour, Policy, SchemaHistory, SchemaSeen, Terms
from parrot_faust.schema.history import fold

ID = Column("id", Kind.INT32, False)
PRICE = Column("price", Kind.INT32)
TEXT = Column("price", Kind.STRING)
TYPES = {"id": "integer", "price": "text"}


def history(*shapes: tuple[Column, ...], key: tuple[str, ...] = ("id",), **policy: Any) -> SchemaHistory:
    found, terms = SchemaHistory(None, ()), Terms(Policy(**policy), tuple(STORES.values()))
    for number, columns in enumerate(shapes):
        last = number == len(shapes) - 1
        shape = TableSchema.of("shop.public.t", columns, key if last else ("id",))
        found = fold(found, SchemaSeen(shape, shape.table, 0, number, "", (), number), terms)
    return found


def test_a_table_that_never_changed_or_of_which_nothing_is_known_is_read_as_it_is() -> None:
    for known in (None, history((ID, TEXT))):
        places = lying(known, "kudu", TYPES)
        assert (places.target("public.t"), places.types) == ("public.t", TYPES)
        assert places.row((1, None)) == (1, None)


@pytest.mark.parametrize("store", ["kudu", "hbase"])
def test_a_value_is_read_where_it_is_written_now_else_where_it_was_before(store: str) -> None:
    places = lying(history((ID, PRICE), (ID, TEXT)), store, TYPES)
    assert places.types == {"id": "integer", "price__string": "text", "price": "integer"}
    assert places.row((1, "lots", None)) == (1, "lots")
    assert places.row((2, None, 12)) == (2, "12 (in price)")
    assert places.row((3, None, None)) == (3, None)


@pytest.mark.parametrize("store", ["kudu", "hbase"])
def test_rows_are_those_of_the_newest_generation(store: str) -> None:
    places = lying(history((ID, TEXT), (ID, TEXT), key=("id", "price")), store, TYPES)
    assert places.target("public.t") == "public.t__g2"


def test_a_column_without_a_place_is_null_and_a_value_of_before_names_its_column() -> None:
    places = lying(history((ID,), (ID, TEXT), all=Behaviour.IGNORE), "kudu", TYPES)
    assert (places.types, places.row((1,))) == ({"id": "integer"}, (1, None))
    kept = lying(history((ID, PRICE), (ID, TEXT), all=Behaviour.IGNORE), "kudu", TYPES)
    assert kept.row((1, 12)) == (1, "12 (in price)")


def test_a_key_without_a_table_is_told() -> None:
    with pytest.raises(DistributionError, match=r"kudu has no table with the key of shop\.public\.t"):
        lying(history((ID, TEXT), (ID, TEXT), key=("id", "price"), all=Behaviour.IGNORE), "kudu", TYPES)
