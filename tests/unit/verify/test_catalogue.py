"""Which columns are compared, and under which names."""

from __future__ import annotations

from typing import Any

from models import Column, Kind, TableSchema
from parrot_faust.settings import Settings
from parrot_faust.settings.sections import KuduSection, Sinks
from parrot_faust.settings.sections import Source as SourceSection
from parrot_faust.verify import catalogue
from parrot_faust.verify.catalogue import Found
from parrot_faust.verify.plan import SourceColumn
from parrot_faust.verify.postgres import keys_condition

TOPIC = "shop.Fuhr_Park.Kunde_Nr"
SETTINGS = Settings(source=SourceSection(topics=r"shop\..*"), sinks=Sinks(kudu=KuduSection(masters=("kudu:7051",))))


class Catalogue:
    """A source of one table."""

    database = "shop"

    def __init__(self, *columns: str) -> None:
        self._columns = columns

    def columns(self, _schema: str, _table: str) -> list[SourceColumn]:
        return [SourceColumn(name, "text", "b", False, -1, "text") for name in self._columns]

    def key(self, _schema: str, _table: str) -> tuple[str, ...]:
        return self._columns[:1]


def plan(source: Any, *captured: str) -> Any:
    shape = TableSchema.of(TOPIC, tuple(Column(name, Kind.STRING) for name in captured), captured[:1])
    found = Found(TOPIC, "Fuhr Park", "Kunde Nr", 1, 1, captured=True)
    return catalogue.plan(SETTINGS, source, found, {TOPIC: shape}, {})


def test_columns_are_compared_under_the_names_that_avro_gives_them_and_read_by_their_own() -> None:
    made, skipped = plan(Catalogue("Kunde Nr", "größe", "1st"), "Kunde_Nr", "gr__e", "_1st")
    assert skipped == []
    assert [column.name for column in made.columns] == ["Kunde_Nr", "gr__e", "_1st"]
    assert [column.at_source for column in made.columns] == ["Kunde Nr", "größe", "1st"]
    assert keys_condition(made, [("a",)]).as_string(None).startswith('("Kunde Nr") in')


def test_columns_that_travel_under_their_own_names_are_compared_under_them() -> None:
    made, _ = plan(Catalogue("Kunde Nr", "größe"), "Kunde Nr", "größe")
    assert [(column.name, column.at_source) for column in made.columns] == [("Kunde Nr", ""), ("größe", "")]


def test_a_table_is_not_compared_whose_key_was_not_captured() -> None:
    made, skipped = plan(Catalogue("id", "name"), "name")
    assert made is None
    assert [(one.table, one.reason) for one in skipped] == [(TOPIC, "its key column id is not among what is captured")]
