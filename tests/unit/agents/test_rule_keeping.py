"""Which rules are in force, and how they get into the table that every worker sees."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from agent_stubs import NAMES, ORDERS, TOPIC, Producer, turns

from agents.outbox import Outbox
from agents.quality_rules import keep, publish
from agents.rule_book import RuleBook, RuleEntry, read_rule_files
from models import Column, Kind, TableSchema
from parrot_faust.errors import RuleError, SettingsError
from parrot_faust.quality import RuleSet, load

LOG = logging.getLogger("test.rules")
STARTED = 1_000


def rules(limit: int, column: str = "n", table: str = TOPIC) -> RuleSet:
    return load(f"table: {table}\ncolumns: {{{column}: [{{be_between: {{max_value: {limit}}}}}]}}\n", "r.yaml")


OLD, NEW = rules(10), rules(20)


def entry(of: RuleSet, at_ms: int) -> str:
    return msgspec.json.encode(RuleEntry(of.version, of.to_json(), "a command", at_ms)).decode()


def book(file: RuleSet | None, raw: str) -> RuleBook:
    made = RuleBook({TOPIC: file} if file else {}, STARTED, LOG)
    made.attach({TOPIC: raw})
    return made


# -- in force --------------------------------------------------------------------------------------------------------


def test_a_file_is_in_force_from_the_first_record() -> None:
    made = RuleBook({TOPIC: OLD}, STARTED, LOG)
    assert made.in_force(TOPIC) == OLD
    assert made.in_force("another") is None


@pytest.mark.parametrize(("at_ms", "chosen"), [(STARTED - 1, OLD), (STARTED, NEW), (STARTED + 1, NEW)])
def test_of_file_and_table_the_newer_is_in_force(at_ms: int, chosen: RuleSet) -> None:
    assert book(OLD, entry(NEW, at_ms)).in_force(TOPIC) == chosen


def test_without_a_file_the_table_is_in_force_however_old() -> None:
    assert book(None, entry(NEW, 1)).in_force(TOPIC) == NEW


def test_an_entry_published_later_is_in_force_at_once_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    entries: dict[str, str] = {}
    made = RuleBook({TOPIC: OLD}, STARTED, LOG)
    made.attach(entries)
    assert made.in_force(TOPIC) == OLD
    entries[TOPIC] = entry(NEW, STARTED + 5)
    for _ in range(3):
        assert made.in_force(TOPIC) == NEW
    assert caplog.text.count(NEW.version) == 1


def test_checks_are_compiled_once_a_version_and_shape() -> None:
    entries: dict[str, str] = {}
    made = RuleBook({TOPIC: OLD}, STARTED, LOG)
    made.attach(entries)
    first = made.compiled(ORDERS)
    assert first is not None
    assert made.compiled(ORDERS) is first
    wider = TableSchema.of(TOPIC, (*ORDERS.columns, Column("more", Kind.STRING)), ORDERS.key)
    second = made.compiled(wider)
    assert second is not first
    entries[TOPIC] = entry(NEW, STARTED + 5)
    third = made.compiled(wider)
    assert third is not None
    assert third is not second
    assert third.version == NEW.version


def test_a_table_without_rules_costs_no_checks() -> None:
    empty = RuleSet.of(TOPIC, OLD.when, ())
    assert RuleBook({TOPIC: empty}, STARTED, LOG).compiled(ORDERS) is None
    assert RuleBook({}, STARTED, LOG).compiled(ORDERS) is None


def test_a_rule_that_does_not_fit_the_shape_is_said_loudly_and_once(caplog: pytest.LogCaptureFixture) -> None:
    made = RuleBook({TOPIC: rules(1, "absent")}, STARTED, LOG)
    made.compiled(ORDERS)
    made.compiled(ORDERS)
    assert caplog.text.count("SUSPENDED") == 1
    assert "absent" in caplog.text


# -- files -----------------------------------------------------------------------------------------------------------


def test_every_rule_file_of_a_folder_is_read_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"table: {TOPIC}\n")
    (tmp_path / "b.yml").write_text("table: other\n")
    (tmp_path / "rules.schema.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("none")
    assert set(read_rule_files(tmp_path)) == {TOPIC, "other"}


def test_two_files_for_a_table_are_refused_by_name(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(f"table: {TOPIC}\n")
    with pytest.raises(SettingsError, match=r"a\.yaml and in .*b\.yaml"):
        read_rule_files(tmp_path)


@pytest.mark.parametrize("content", [b"table: t\ncolumns: {n: [be_purple]}\n", b"table: \xff\n"])
def test_a_broken_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.yaml").write_bytes(content)
    with pytest.raises(RuleError, match=r"a\.yaml"):
        read_rule_files(tmp_path)


def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").mkdir()
    with pytest.raises(SettingsError, match=r"a\.yaml: can't be read"):
        read_rule_files(tmp_path)


# -- the table -------------------------------------------------------------------------------------------------------


@dataclass
class Stream:
    """A Faust stream of the rules topic."""

    messages: list[tuple[bytes | None, bytes | None]] = field(default_factory=list)

    async def events(self) -> AsyncIterator[Any]:
        for offset, (key, value) in enumerate(self.messages):
            yield SimpleNamespace(key=key, value=value, message=SimpleNamespace(offset=offset))


class Table(dict[str, str]):
    """Counts how often it is written: each time is a message of the changelog."""

    writes = 0

    def __setitem__(self, key: str, value: str) -> None:
        self.writes += 1
        super().__setitem__(key, value)


def message(of: RuleSet, at_ms: int = 1) -> tuple[bytes, bytes]:
    return of.table.encode(), entry(of, at_ms).encode()


async def test_the_table_holds_the_latest_set_of_each_table() -> None:
    table, other = Table(), rules(1, table="other")
    await keep(Stream([message(OLD), message(other), message(NEW)]), table, LOG)
    assert {name: msgspec.json.decode(raw, type=RuleEntry).version for name, raw in table.items()} == {
        TOPIC: NEW.version,
        "other": other.version,
    }


async def test_a_set_that_is_there_already_is_not_written_again() -> None:
    table = Table()
    await keep(Stream([message(OLD, 1), message(OLD, 2)]), table, LOG)
    assert table.writes == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"t", None),
        (b"t", b"{}"),
        (b"\xff\xfe", b"no json"),
        (None, b"\xff"),
        (b"t", entry(OLD, 1).replace("10", "99").encode()),  # changed after it was given its version
    ],
)
async def test_a_set_that_cannot_be_read_is_refused_and_the_one_in_force_stays(
    key: bytes | None, value: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    table = Table()
    await keep(Stream([message(OLD), (key, value), message(rules(1, table="other"))]), table, LOG)
    assert table[TOPIC] == entry(OLD, 1)
    assert "other" in table, "what comes after it is taken"
    assert "refused" in caplog.text


async def test_files_are_published_and_waited_for_and_come_back_as_they_were() -> None:
    producer, table = Producer(prompt=False), Table()
    made = RuleBook({TOPIC: OLD, "other": rules(1, table="other")}, STARTED, LOG)
    task = asyncio.create_task(publish(made, Outbox(producer, NAMES), NAMES, 77))
    await turns()
    producer.confirm(producer.sent[:1])
    await turns()
    assert not task.done()
    producer.confirm()
    await task
    assert {sent.topic for sent in producer.sent} == {NAMES.rules}
    await keep(Stream([(sent.key, sent.value) for sent in producer.sent]), table, LOG)
    made.attach(table)
    assert made.in_force(TOPIC) == OLD
    assert msgspec.json.decode(table[TOPIC], type=RuleEntry).at_ms == 77
