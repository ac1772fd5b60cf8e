"""Which rules a worker says check nothing: of its own tables, before and after changes have come."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from faust.exceptions import ConsumerNotStarted
from faust.types import TP

from agents.rule_book import RuleBook
from models import Column, Kind, TableSchema
from parrot_faust import windowing
from parrot_faust.quality import load
from parrot_faust.windowing import Windowing

ID = Column("id", Kind.INT64, False)


class World:
    """What is looked at of a worker's parts."""

    def __init__(self, *tables: str) -> None:
        rules = {name: load(f"table: {name}\ncolumns: {{n: [not_be_null]}}", "r") for name in tables}
        self.rules = RuleBook(rules, 0, logging.getLogger("unit"))
        self.latest: dict[str, TableSchema] = {}
        self.topics: list[str] | None = list(tables)
        self.of_windows: dict[str, list[tuple[str, str]]] = {}
        self.schemas = SimpleNamespace(history=lambda table: SimpleNamespace(latest=self.latest.get(table)))
        self.app = SimpleNamespace(consumer=SimpleNamespace(assignment=self._assignment))
        self.windowing = object.__new__(Windowing)
        parts: Any = self
        tallying: Any = SimpleNamespace(suspended=lambda: self.of_windows)
        self.windowing._parts, self.windowing.tallying, self.windowing._rules_table = parts, tallying, ()
        self.windowing._suspended = (0.0, [])

    def _assignment(self) -> set[TP]:
        if self.topics is None:
            raise ConsumerNotStarted("not yet")
        return {TP(topic, 0) for topic in self.topics}

    def names(self) -> list[tuple[str, str]]:
        return [(one["table"], one["rule"]) for one in self.windowing.suspended()]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windowing, "SUSPENDED_S", 0.0)


def shape(table: str, *columns: Column) -> TableSchema:
    return TableSchema.of(table, (ID, *columns), ("id",))


def test_a_column_that_is_gone_is_said_from_the_start_and_what_changes_have_shown_from_then_on() -> None:
    world = World("a", "b")
    assert world.names() == [], "no shape is known"
    world.latest = {"a": shape("a"), "b": shape("b", Column("n", Kind.STRING))}
    assert world.names() == [("a", "n.not_be_null")]
    world.of_windows = {"a": [("w", "why")]}
    world.rules.compiled(shape("a", Column("n", Kind.INT32)))
    assert world.names() == [("a", "w")]


def test_only_of_tables_whose_partitions_the_worker_has() -> None:
    world = World("a")
    world.rules.compiled(shape("a"))
    assert world.names() == [("a", "n.not_be_null")]
    world.topics = ["b"]
    assert world.names() == []
    world.topics = None
    assert world.names() == []


def test_it_is_not_looked_each_time_that_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World("a")
    monkeypatch.setattr(windowing, "SUSPENDED_S", 1e9)
    assert world.names() == []
    world.rules.compiled(shape("a"))
    assert world.names() == []
