"""What is known of windows' results beside the stream: read once, the last of each rule in force, the worst first."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
import pytest

from agents.rule_book import RuleBook
from models import WindowResult
from parrot_faust.names import Names
from parrot_faust.quality import RuleSet, load
from parrot_faust.quality_watch import LAST, LOOK_BACK, QualityWatch
from parrot_faust.web.paging import TEXT, Asked
from parrot_faust.web.quality_page import WINDOWS

TABLE = "shop.public.goods"
RULES = """
windows: [{every: 1m, checks: [{freshness: 5m, severity: warning}, {be_unique: {column: id}}, {row_count_to_equal: 3}]}]
schema: [{column_count_to_equal: 3}]
"""


def rules(text: str = RULES, table: str = TABLE) -> RuleSet:
    return load(f"table: {table}\n{text}", "r.yaml")


def result(rule: str, minute: int, *, success: bool = True, table: str = TABLE, at: int = 0) -> WindowResult:
    return WindowResult(
        table, rule, "v", "critical", minute * 60_000, minute * 60_000 + 60_000, success, minute, {"x": 1}, at=at
    )


class Kept(NamedTuple):
    """What is used of a record."""

    value: bytes
    offset: int


@dataclass
class Topic:
    """Partitions of results, and what was read of them."""

    parts: dict[int, list[bytes]] = field(default_factory=lambda: {0: [], 1: []})
    first: int = 0
    read: int = 0

    def add(self, *results: WindowResult, partition: int = 0) -> None:
        self.parts[partition] += [msgspec.json.encode(one) for one in results]

    async def partitions(self, topic: str) -> list[int]:
        assert topic == "unit.windows"
        return sorted(self.parts)

    async def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        return 0, len(self.parts[partition])

    async def scan(self, topic: str, partition: int, first: int, end: int) -> AsyncIterator[Sequence[Kept]]:
        values = self.parts[partition][first:end]
        self.read += len(values)
        if values:
            yield [Kept(value, offset) for offset, value in enumerate(values, first)]


def watch(topic: Topic, *files: RuleSet, paused: Sequence[dict[str, Any]] = ()) -> QualityWatch:
    known = {one.table: one for one in files}
    book = RuleBook(known, 0, logging.getLogger("unit"))
    windowing = SimpleNamespace(tables=lambda: set(known), breakers=SimpleNamespace(paused=lambda: list(paused)))
    parts = SimpleNamespace(names=Names("unit"), rules=book, windowing=windowing)
    return QualityWatch(parts, topic)  # type: ignore[arg-type]


async def test_each_result_is_read_once_and_the_last_of_each_rule_are_kept() -> None:
    topic = Topic()
    topic.add(*(result("id.be_unique", minute) for minute in range(2 * LAST)))
    made = watch(topic, rules())
    await made.read()
    await made.read()
    assert topic.read == 2 * LAST
    topic.add(result("id.be_unique", 99, success=False), partition=1)
    await made.read()
    assert topic.read == 2 * LAST + 1
    first = made.windows()[0]
    assert (first["rule"], first["judged"], first["failed"], first["success"]) == ("id.be_unique", LAST, 1, False)
    assert [one["observed"] for one in first["results"]] == [99, *range(2 * LAST - 1, LAST, -1)]


async def test_of_a_long_topic_only_the_end_is_read_and_one_made_anew_from_its_begin() -> None:
    topic = Topic()
    topic.add(*(result("id.be_unique", minute) for minute in range(LOOK_BACK + 7)))
    made = watch(topic, rules())
    await made.read()
    assert topic.read == LOOK_BACK
    topic.parts[0] = []
    topic.add(result("id.be_unique", 5, success=False))
    await made.read()
    assert topic.read == LOOK_BACK + 1
    assert made.failing()[TABLE][0]["rule"] == "id.be_unique"


async def test_a_result_that_was_sent_again_counts_once_and_what_is_none_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    topic = Topic()
    topic.add(result("id.be_unique", 1, success=False, at=7), result("id.be_unique", 1, success=False, at=7))
    topic.parts[0] += [b"{}", b""]
    made = watch(topic, rules())
    await made.read()
    assert made.windows()[0]["judged"] == 1
    assert caplog.text.count("can't be read") == 2


async def test_rules_that_fail_come_first_then_those_that_failed_and_those_of_no_result() -> None:
    topic = Topic()
    topic.add(result("freshness", 1, success=False), result("freshness", 2, success=False))
    topic.add(result("row_count_to_equal", 1, success=False), result("row_count_to_equal", 2))
    made = watch(topic, rules())
    await made.read()
    found = made.windows()
    assert [(one["rule"], one["success"]) for one in found] == [
        ("freshness", False), ("row_count_to_equal", True), ("column_count_to_equal", None), ("id.be_unique", None),
    ]  # fmt: skip
    assert found[0]["failing_since_ms"] == 60_000
    topic.add(result("column_count_to_equal", 3, success=False))
    await made.read()
    assert [one["rule"] for one in made.windows()][:2] == ["column_count_to_equal", "freshness"], "critical, warning"
    assert [one["rule"] for one in made.of_table(TABLE)] == [one["rule"] for one in made.windows()]


async def test_results_of_rules_that_are_no_longer_in_force_are_not_shown() -> None:
    topic = Topic()
    topic.add(result("old", 1, success=False), result("freshness", 1, success=False, table="gone"))
    made = watch(topic, rules())
    await made.read()
    assert made.failing() == {}
    assert not [one for one in made.windows() if one["results"]]
    assert made.of_table("gone") == []


async def test_rules_are_found_by_name_and_only_the_worst_are_told_in_full() -> None:
    topic = Topic()
    tables = [f"t{number:03}" for number in range(WINDOWS + 5)]
    for table in tables:
        topic.add(*(result("freshness", minute, table=table) for minute in range(3)))
    made = watch(topic, *(rules("windows: [{every: 1m, checks: [{freshness: 5m}]}]", table) for table in tables))
    await made.read()
    assert [len(one["results"]) for one in made.windows()] == [3] * WINDOWS + [1] * 5
    assert [len(one["results"]) for one in made.windows(Asked(part=2))] == [1] * WINDOWS + [3] * 5
    (found,) = made.windows(Asked(query={"q": "T029"}))
    assert (found["table"], len(found["results"])) == ("t029", 3)


def test_long_values_of_results_are_told_by_their_beginning() -> None:
    made = watch(Topic(), rules())
    long, bounds = ["x" * 400], {"value_set": list(range(200))}
    made.take(WindowResult(TABLE, "freshness", "v", "critical", 0, 60_000, False, long, bounds, reason="y" * 300))
    (told,) = made.windows(Asked(query={"q": "freshness"}))[0]["results"]
    assert {len(told[name]) for name in ("observed", "bounds", "reason")} == {TEXT}
    assert told["bounds"].startswith('{"value_set":[0,1,2')


def test_breakers_are_those_of_rules_and_those_that_are_paused() -> None:
    text = "columns: {n: [{be_between: {max_value: 10}}]}\nbreaker: {failed: 50%, within: 1m, at_least: 4}"
    pause = {"table": "b", "since_ms": 5, "reason": "a person", "resume_ms": 0}
    made = watch(Topic(), rules(text, "a"), rules("windows: []", "b"), paused=[pause])
    assert not made.wanted
    assert made.breakers() == [
        {"breaker": None, "state": "paused"} | pause,
        {
            "table": "a", "state": "closed", "since_ms": 0, "reason": "", "resume_ms": 0,
            "breaker": {"share": 0.5, "within_ms": 60_000, "at_least": 4},
        },
    ]  # fmt: skip
