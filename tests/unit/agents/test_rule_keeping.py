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
from agents.rule_book import RuleBook, read_rule_files
from agents.rule_reports import RuleReports
from models import Column, Kind, TableSchema
from parrot_faust.errors import RuleError, SettingsError
from parrot_faust.quality import RuleSet, load
from parrot_faust.quality.standing import Doing, RuleCommand, RuleEntry, WorkerReport

LOG = logging.getLogger("test.rules")
STARTED = 1_000


def rules(limit: int, column: str = "n", table: str = TOPIC) -> RuleSet:
    return load(f"table: {table}\ncolumns: {{{column}: [{{be_between: {{max_value: {limit}}}}}]}}\n", "r.yaml")


OLD, NEW = rules(10), rules(20)


def entry(of: RuleSet, at_ms: int, *, paused: bool = False, **files: str) -> str:
    known = {f"{name}.yaml": version for name, version in files.items()}
    made = RuleEntry(of.version, of.to_json(), "a.yaml", at_ms, "me", paused=paused, files=known)
    return msgspec.json.encode(made).decode()


def book(file: RuleSet | None, raw: str) -> RuleBook:
    made = RuleBook({TOPIC: file} if file else {}, STARTED, LOG, names={TOPIC: "orders.yaml"})
    made.attach({TOPIC: raw})
    return made


# -- in force --------------------------------------------------------------------------------------------------------


def test_a_file_is_in_force_from_the_first_record() -> None:
    made = RuleBook({TOPIC: OLD}, STARTED, LOG)
    assert made.in_force(TOPIC) == OLD
    assert made.in_force("another") is None


def test_a_file_whose_content_is_new_is_in_force_from_the_first_record_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    made = book(OLD, entry(NEW, 10**15, orders="another"))
    assert made.in_force(TOPIC) == OLD
    assert f"version {OLD.version} is in force (file orders.yaml given at start)" in caplog.text


def test_a_file_that_has_not_changed_since_it_was_applied_gives_way_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    made = book(OLD, entry(NEW, 1, orders=OLD.version))
    assert made.in_force(TOPIC) == NEW
    assert f"wins over file orders.yaml (version {OLD.version})" in caplog.text


def test_what_is_paused_or_removed_judges_nothing_and_is_told() -> None:
    assert book(None, entry(NEW, 1, paused=True)).in_force(TOPIC) is None
    made = book(None, entry(NEW, 1, paused=True))
    assert made.standings()[TOPIC].state == "paused"
    removed = msgspec.json.encode(RuleEntry("", "", "", 5, "me")).decode()
    made = book(None, removed)
    assert (made.in_force(TOPIC), made.standings()[TOPIC].state) == (None, "removed")


@pytest.mark.parametrize("raw", ["no json", "{}", entry(OLD, 5).replace("10", "99")])
def test_an_entry_that_cannot_be_read_is_said_once_and_the_rules_in_force_stay(
    raw: str, caplog: pytest.LogCaptureFixture
) -> None:
    entries: dict[str, str] = {}
    made = RuleBook({TOPIC: OLD}, STARTED, LOG)
    made.attach(entries)
    assert made.in_force(TOPIC) == OLD
    entries[TOPIC] = raw
    for _ in range(3):
        assert made.in_force(TOPIC) == OLD
    assert caplog.text.count("those in force stay") == 1
    entries[TOPIC] = entry(NEW, 6)
    assert made.in_force(TOPIC) == NEW


def test_since_when_a_version_judges_is_when_this_worker_saw_it() -> None:
    clock = iter(range(5_000, 6_000))
    entries: dict[str, str] = {}
    made = RuleBook({TOPIC: OLD}, STARTED, LOG, now_ms=lambda: next(clock))
    made.attach(entries)
    assert made.standings()[TOPIC].since_ms == STARTED
    entries[TOPIC] = entry(NEW, 1)
    assert made.standings()[TOPIC].since_ms == 5_000
    entries[TOPIC] = entry(NEW, 2, more="x")  # the same set, told again
    assert (made.standings()[TOPIC].version, made.standings()[TOPIC].since_ms) == (NEW.version, 5_000)


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
    assert caplog.text.count(f"version {NEW.version} is in force") == 1


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


def message(of: RuleSet, at_ms: int = 1, doing: Doing = Doing.APPLY, origin: str = "a.yaml") -> tuple[bytes, bytes]:
    command = RuleCommand(of.table, doing, at_ms, "me", origin, of.to_json())
    return command.key, msgspec.json.encode(command)


def versions(table: Table) -> dict[str, str]:
    return {name: msgspec.json.decode(raw, type=RuleEntry).version for name, raw in table.items()}


async def test_the_table_holds_the_latest_set_of_each_table() -> None:
    table, other = Table(), rules(1, table="other")
    await keep(Stream([message(OLD), message(other), message(NEW)]), table, LOG)
    assert versions(table) == {TOPIC: NEW.version, "other": other.version}


async def test_a_set_that_is_there_already_is_not_written_again() -> None:
    table = Table()
    await keep(Stream([message(OLD, 1), message(OLD, 2)]), table, LOG)
    assert table.writes == 1


def crafted(**parts: Any) -> bytes:
    rule = msgspec.structs.replace(OLD.rules[0], **parts)
    return message(RuleSet.of(TOPIC, OLD.when, (rule,)))[1]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"t", None),
        (b"t", b"{}"),
        (b"\xff\xfe", b"no json"),
        (None, b"\xff"),
        (b"t", message(NEW)[1].replace(b"20", b"99")),  # changed after it was given its version
        (b"t", message(NEW)[1].replace(TOPIC.encode(), b"another", 1)),  # for one table, of another
        (b"t", crafted(type="expect_nonsense")),
        (b"t", crafted(kwargs={"min_value": {"no": "number"}})),
        (b"t", crafted(row_condition="import os")),
        (b"t", msgspec.json.encode(RuleCommand("never heard of", Doing.PAUSE, 1))),
        (b"t", message(RuleSet.of(TOPIC, OLD.when, tuple(OLD.rules) * 5_000))[1]),  # no message takes it
    ],
)
async def test_a_command_that_cannot_be_done_is_refused_and_the_rules_in_force_stay(
    key: bytes | None, value: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    table = Table()
    await keep(Stream([message(OLD), (key, value), message(rules(1, table="other"))]), table, LOG)
    assert versions(table) == {TOPIC: OLD.version, "other": rules(1, table="other").version}
    assert "refused" in caplog.text


async def test_an_entry_that_cannot_be_read_is_replaced_by_the_next_set(caplog: pytest.LogCaptureFixture) -> None:
    table = Table({TOPIC: "rubbish"})
    await keep(Stream([message(NEW)]), table, LOG)
    assert versions(table) == {TOPIC: NEW.version}
    assert "can't be read" in caplog.text


async def test_files_are_published_and_waited_for_and_come_back_as_they_were() -> None:
    producer, table = Producer(prompt=False), Table()
    names = {TOPIC: "orders.yaml"}
    made = RuleBook({TOPIC: OLD, "other": rules(1, table="other")}, STARTED, LOG, names=names)
    task = asyncio.create_task(publish(made, Outbox(producer, NAMES), NAMES, 77, "worker a:1"))
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
    kept = msgspec.json.decode(table[TOPIC], type=RuleEntry)
    assert (kept.at_ms, kept.by, kept.files) == (77, "worker a:1", {"orders.yaml": OLD.version})


async def test_a_worker_that_starts_again_with_its_old_file_undoes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    table, started = Table(), message(OLD, 1, Doing.FILE, "orders.yaml")
    await keep(Stream([started, message(NEW, 2, origin="looser.yaml"), started]), table, LOG)
    assert versions(table) == {TOPIC: NEW.version}
    assert f"wins over file orders.yaml (version {OLD.version})" in caplog.text


def test_a_rule_is_suspended_while_its_column_is_gone_and_it_is_in_force() -> None:
    entries = {TOPIC: entry(rules(10, "gone"), 1)}
    made = book(None, entries[TOPIC])
    made.attach(entries)
    made.compiled(ORDERS)
    assert made.suspended() == {TOPIC: [("gone.be_between", "the table has no column gone")]}
    entries[TOPIC] = entry(rules(10, "gone"), 2, paused=True)
    assert made.suspended() == {}, "nothing is checked by any rule of it, which is said otherwise"
    entries[TOPIC] = entry(rules(10, "gone"), 3)
    assert made.suspended()
    wider = TableSchema.of(TOPIC, (*ORDERS.columns, Column("gone", Kind.INT32)), ORDERS.key)
    made.compiled(wider)
    assert made.suspended() == {}


def test_rules_of_a_column_that_is_gone_are_known_before_a_change_has_come() -> None:
    text = f"table: {TOPIC}\ncolumns: {{gone: [not_be_null], note: [{{be_between: {{max_value: 1}}}}]}}\n"
    window = "windows: [{every: 1m, checks: [{be_unique: {column: left}}, {freshness: 5m}]}]\n"
    made = book(load(text + window, "r.yaml"), "")
    made.attach({})
    assert not made.has_judged(TOPIC)
    assert made.gone(ORDERS) == [
        ("gone.not_be_null", "the table has no column gone"), ("left.be_unique", "the table has no column left"),
    ]  # fmt: skip
    wider = (*ORDERS.columns, Column("gone", Kind.INT32), Column("left", Kind.INT32))
    assert made.gone(TableSchema.of(TOPIC, wider, ORDERS.key)) == []
    made.compiled(ORDERS)
    assert made.has_judged(TOPIC)
    assert made.gone(TableSchema.of("another", ORDERS.columns, ORDERS.key)) == []


# -- reports ---------------------------------------------------------------------------------------------------------


async def test_a_worker_reports_each_change_and_that_it_lives_and_takes_its_report_back() -> None:
    producer, entries, now = Producer(), {TOPIC: entry(OLD, 1)}, 100_000
    made = book(None, entries[TOPIC])
    made.attach(entries)

    async def sleep(_: float) -> None: ...

    suspended: list[dict[str, str]] = []
    reports = RuleReports(
        "a:1",
        made,
        Outbox(producer, NAMES),
        NAMES,
        sources=lambda: [TOPIC],
        suspended=lambda: suspended,
        now_ms=lambda: now,
        sleep=sleep,
        log=LOG,
    )
    await reports.step()
    await reports.step()
    assert len(producer.sent) == 1, "nothing has changed"
    entries[TOPIC] = entry(NEW, 2)
    await reports.step()
    now += 6_000
    await reports.step()
    suspended.append({"table": TOPIC, "rule": "n.be_between", "reason": "the table has no column n"})
    await reports.step()
    await reports.step()
    told = [msgspec.json.decode(sent.value or b"", type=WorkerReport) for sent in producer.sent]
    assert [one.rules[TOPIC].version for one in told] == [OLD.version, *[NEW.version] * 3]
    assert [one.rules[TOPIC].suspended for one in told] == [{}] * 3 + [{"n.be_between": "the table has no column n"}]
    assert told[0].sources == (TOPIC,)
    await reports.leave()
    await reports.step()
    assert (producer.sent[-1].value, len(producer.sent)) == (None, 5)
    assert {sent.key for sent in producer.sent} == {b"a:1"}


async def test_a_report_that_fails_is_said_once_and_changes_go_on(caplog: pytest.LogCaptureFixture) -> None:
    rounds = 0

    async def refuse(*_: Any) -> Any:
        raise RuntimeError("no broker")

    async def sleep(_: float) -> None:
        nonlocal rounds
        rounds += 1

    made = book(None, entry(OLD, 1))
    reports = RuleReports(
        "a:1", made, Outbox(refuse, NAMES), NAMES, sources=list, suspended=list, now_ms=lambda: 1, sleep=sleep, log=LOG
    )
    await reports.run(lambda: rounds == 3)
    assert caplog.text.count("no broker") == 1
