"""Names that fall together: two source tables with one table in a store, two in one topic, two columns of one name."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from models import Column, Kind, TableSchema
from parrot_faust.codec.table import Bindings
from parrot_faust.errors import TableRefused
from parrot_faust.schema import STORES, Claims, Policy, SchemaSeen, Terms
from parrot_faust.schema.history import SchemaHistory, encoded, fold, history_of, stranger

ID = Column("id", Kind.INT64, False)
NOTE = Column("note", Kind.STRING)
TOPIC = "p.public.a_b"
ALL = tuple(STORES.values())
TERMS = Terms(Policy(), ALL)


def shape(topic: str, relation: str = "", key: tuple[str, ...] = ("id",), database: str = "shop") -> TableSchema:
    _, namespace, table = topic.split(".")
    return TableSchema.of(topic, (ID, NOTE), key, database=database, namespace=namespace, relation=relation or table)


def key_alone(relation: str) -> TableSchema:
    return TableSchema.of(TOPIC, (ID,), ("id",), database="shop", namespace="public", relation=relation)


@dataclass
class World:
    """Histories as the workers have them, and names that leave out the schema, as a template may."""

    histories: dict[str, str] = field(default_factory=dict)
    template: str = "{table}"

    def take(self, *shapes: TableSchema, at_ms: int = 5) -> None:
        for each in shapes:
            history = fold(
                history_of(self.histories.get(each.table)),
                SchemaSeen(each, each.table, 0, 0, "", (), at_ms),
                TERMS,
            )
            self.histories[each.table] = encoded(history)

    def target(self, store: str, each: TableSchema) -> str | None:
        name = self.template.format(table=each.relation, schema=each.namespace)
        return None if store == "hbase" else f"{name}__g{each.generation}" if each.generation > 1 else name

    def others(self, claims: Claims, each: TableSchema, *, earlier: bool = False) -> list[tuple[str, str, str]]:
        found = claims.others(self.histories, each.table, {"kudu": each, "hbase": each}, earlier=earlier)
        return [(claim.store, claim.target, claim.table) for claim in found]


def test_a_table_of_a_store_is_that_of_the_source_table_which_had_it_first() -> None:
    world = World()
    world.take(shape("p.shop.orders"))
    claims = Claims(world.target)
    assert world.others(claims, shape("p.shop.orders")) == [], "its own"
    assert world.others(claims, shape("p.other.orders")) == [("kudu", "orders", "p.shop.orders")]
    assert world.others(claims, shape("p.other.customers")) == []
    (claim,) = claims.others(world.histories, "p.other.orders", {"kudu": shape("p.other.orders")})
    assert "kudu's table orders is that of p.shop.orders" in claim.told("p.other.orders")
    assert "`tables.p.other.orders.kudu.table`" in claim.told("p.other.orders")


def test_what_is_taken_later_is_known_by_then() -> None:
    world = World()
    claims = Claims(world.target)
    assert world.others(claims, shape("p.other.orders")) == []
    world.take(shape("p.shop.orders"))
    assert world.others(claims, shape("p.other.orders"))


def test_tables_of_former_keys_are_claimed_too() -> None:
    world = World()
    world.take(shape("p.shop.orders"), shape("p.shop.orders", key=("id", "note")))
    assert world.others(Claims(world.target), shape("p.shop.orders__g2")) == [("kudu", "orders__g2", "p.shop.orders")]


def test_settings_that_bring_two_tables_together_leave_it_to_the_earlier_one() -> None:
    world = World(template="{schema}.{table}")
    world.take(shape("p.shop.orders"), at_ms=7)
    world.take(shape("p.other.orders"), at_ms=9)
    assert world.others(Claims(world.target), shape("p.other.orders"), earlier=True) == []
    world.template = "{table}"
    claims = Claims(world.target)
    assert world.others(claims, shape("p.shop.orders"), earlier=True) == []
    assert world.others(claims, shape("p.other.orders"), earlier=True) == [("kudu", "orders", "p.shop.orders")]


def test_a_table_that_is_to_be_merged_has_no_rivals() -> None:
    world = World()
    world.take(shape("p.shop.orders"))
    claims = Claims(world.target, lambda table: table == "p.other.orders")
    assert world.others(claims, shape("p.other.orders")) == []


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        (shape(TOPIC, "a/b"), shape(TOPIC, "a/b", ("id", "note")), False),
        (shape(TOPIC, "a/b"), shape(TOPIC, "a:b"), True),
        (shape(TOPIC, "a_b"), shape(TOPIC, "a b"), True),
        (shape("p.public.a__", "a__"), shape("p.public.a__", "a\N{PARROT}"), True),
        (shape("p.public.orders", "orders_1"), shape("p.public.orders", "orders_2"), False),
        (shape("p.public.orders", database="one"), shape("p.public.orders", database="two"), False),
        (shape(TOPIC, "a/b"), key_alone("a_b"), False),
        (shape(TOPIC, "a/b"), key_alone("a:b"), True),
    ],
)
def test_only_tables_that_debezium_itself_puts_into_one_topic_are_strangers(
    first: TableSchema, second: TableSchema, refused: bool
) -> None:
    assert bool(stranger(first, second)) is refused
    history = fold(SchemaHistory(None, ()), SchemaSeen(first, first.table, 0, 0, "", (), 5), TERMS)
    assert history.has(first)
    after = fold(history, SchemaSeen(second, second.table, 0, 1, "", (), 6), TERMS)
    assert after.has(second) is not refused
    assert (after is history) or not refused
    merged = fold(
        history,
        SchemaSeen(second, second.table, 0, 1, "", (), 6),
        Terms(Policy(), ALL, frozenset({second.table})),
    )
    assert merged.has(second) or len(second.columns) == len(second.key)


def test_a_row_with_two_columns_of_one_name_is_refused_by_that_name() -> None:
    bindings = Bindings(TOPIC, {})
    with pytest.raises(TableRefused, match="more than one column note"):
        bindings.binding((ID, NOTE, NOTE), ("id",), (None, None, None))
