"""The pages of a table, of quality, schema, errors, agents and the cluster: right numbers, and everything escaped."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from fleets import NOW, captured, view, written
from test_web_pages import ALLOWED, SCRIPT, Page, World

from parrot_faust.errors import ParrotError
from parrot_faust.web import other_pages, quality_page, table_page
from parrot_faust.web.lookups import KEPT, Lookups

RULE = {
    "id": "n.be_between", "type": "expect_column_values_to_be_between", "wants": {"min_value": 1, "where": "m < 2"},
    "action": "quarantine", "version": "v2",
}  # fmt: skip
LETTER = {
    "at_ms": (NOW - 90) * 1000, "key": "17", "why": "n.be_between", "message": "n is -1", "place": "t/0/5", "sink": "",
}  # fmt: skip
EVENT = {
    "at_ms": (NOW - 60) * 1000, "where": "kudu", "what": "AddColumn note", "verdict": "", "seconds": 0.25,
}  # fmt: skip


def about(**more: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "rules": [], "windows": [], "targets": {}, "events": [], "samples": [], "letters": [], "unread": "",
    }  # fmt: skip
    return known | more


def hostile_rule() -> dict[str, Any]:
    """A rule of windows and its result, all of whose texts are a script."""
    result = {
        "start_ms": 1, "end_ms": 2, "version": SCRIPT, "success": False, "observed": {SCRIPT: SCRIPT}, "mostly": 1.0,
        "bounds": {SCRIPT: [SCRIPT]}, "rows": 1, "late": 0, "reason": SCRIPT,
    }  # fmt: skip
    return {
        "table": SCRIPT, "rule": SCRIPT, "type": SCRIPT, "version": SCRIPT, "severity": SCRIPT, "success": False,
        "judged": 1, "failed": 1, "failing_since_ms": 1, "results": [result],
    }  # fmt: skip


@pytest.fixture
def world() -> World:
    world = World()
    captured(world.stats, "t", forwarded=90, quarantined=10)
    written(world.stats, "kudu", "t", 90, refused=2)
    for offset in range(10):
        world.stats.rule_failed("t", "n.be_between", "v2", 0, 1_000 + offset)
    world.stats.rule_failed("t", "n.old", "v1", 0, 2_000)
    world.stats.checked("t", 100, 0.002)
    world.stats.agent_step("changes", 100, decode_ms=4.0, check_ms=2.0, send_ms=1.0)
    world.stats.agent_step("kudu_writer", 90, write_ms=30.0, wait_ms=1.0)
    return world


def table(world: World, name: str = "t", **more: Any) -> dict[str, Any]:
    world.fleet.take("a", view(world.stats, at=world.at, partitions={"t": [0, 2]}, queues={"changes": [2, 5_000_000]}))
    made = table_page.view(world.fleet.view(), world.fleet, world.known, name, about(**more), long=False)
    assert made is not None
    return made


def test_a_table_shows_its_rules_with_what_passed_and_failed(world: World) -> None:
    made = table(world, rules=[RULE, RULE | {"id": "n.rare"}])
    rows = Page(table_page.html(made)).below("rule")
    assert [[row["rule"], row["failed"], row["passed"], row["version"]] for row in rows] == [
        ["n.be_between", "10", "90", "v2"],
        ["n.old", "1", "–", "v1"],
        ["n.rare", "0", "100", "v2"],
    ]
    assert rows[0]["what it wants"] == "be_between min_value 1, where m < 2"
    assert made["check_us"] == 20.0


def test_a_rule_that_is_suspended_has_passed_nothing(world: World) -> None:
    world.fleet.take(
        "b", view(world.stats, suspended_rules=[{"table": "t", "rule": "n.be_between", "reason": "no column n"}])
    )
    made = table(world, rules=[RULE])
    rows = Page(table_page.html(made)).below("rule")
    assert [rows[0][name] for name in ("rule", "action", "failed", "passed")] == [
        "n.be_between", "suspended: no column n", "20", "–",
    ]  # fmt: skip


def test_a_table_shows_its_stores_letters_and_shapes(world: World) -> None:
    made = table(
        world, targets={"kudu": "public.t"}, samples=[LETTER], letters=[LETTER | {"key": "9"}], events=[lambda: EVENT]
    )
    page = Page(table_page.html(made))
    stores = {row["store"]: row for row in page.below("store")}
    assert (stores["kudu"]["table there"], stores["kudu"]["applied"], stores["kudu"]["refused"]) == (
        "public.t",
        "88",
        "2",
    )
    (letter,) = page.below("when")
    assert (letter["when"], letter["key"], letter["what was wrong"]) == ("1 min ago", "17", "n is -1")
    (event,) = page.below("UTC")
    assert (event["where"], event["change"], event["took"]) == ("kudu", "AddColumn note", "250 ms")
    assert "here/4711: 0, 2" in page.text


def test_a_table_nobody_knows_has_no_page(world: World) -> None:
    world.view()
    assert table_page.view(world.fleet.view(), world.fleet, world.known, "x", about(), long=True) is None


def test_every_page_escapes_what_it_shows_and_is_json_too(world: World) -> None:
    stats = world.stats
    captured(stats, SCRIPT, forwarded=1, quarantined=1)
    written(stats, "kudu", SCRIPT, 1, refused=1)
    stats.rule_failed(SCRIPT, SCRIPT, SCRIPT, 0, 9)
    stats.agent_step(SCRIPT, 1, decode_ms=1.0)
    bad = {"at_ms": 1, "key": SCRIPT, "why": SCRIPT, "message": SCRIPT, "place": SCRIPT, "sink": SCRIPT}
    event = {"table": SCRIPT, "at_ms": 1, "where": SCRIPT, "what": SCRIPT, "verdict": SCRIPT, "seconds": 1.0}
    group = {
        "topic": SCRIPT, "reason": SCRIPT, "stage": SCRIPT, "sink": SCRIPT, "state": SCRIPT, "count": 1, "first_ms": 1,
        "last_ms": 1,
    }  # fmt: skip
    world.fleet.take(
        "b",
        view(
            stats,
            host=SCRIPT,
            version=SCRIPT,
            partitions={SCRIPT: [0]},
            held_tables={SCRIPT: [SCRIPT]},
            suspended_rules=[{"table": SCRIPT, "rule": SCRIPT, "reason": SCRIPT}],
        ),
    )
    whole, fleet, known = world.fleet.view(), world.fleet, world.known
    shown = about(
        rules=[dict.fromkeys(RULE, SCRIPT) | {"wants": {SCRIPT: SCRIPT}}], targets={"kudu": SCRIPT},
        events=[lambda: event], samples=[bad], letters=[bad], unread=SCRIPT, windows=[hostile_rule()],
    )  # fmt: skip
    of_table = table_page.view(whole, fleet, known, SCRIPT, shown, long=False)
    assert of_table is not None
    schema = other_pages.schema(
        whole, fleet, known, [lambda: event], [{"table": SCRIPT, "reasons": [SCRIPT], "shape": SCRIPT}]
    )
    errors = other_pages.errors(whole, fleet, known, [group], "")
    agents, cluster = (make(whole, fleet, known) for make in (other_pages.agents, other_pages.cluster))
    beside = {"windows": [hostile_rule()], "breakers": [], "unread": ""}
    quality = quality_page.quality(whole, fleet, known, beside)
    for made, text, least in (
        (of_table, table_page.html(of_table), 21),
        (quality, quality_page.quality_html(quality), 18),
        (schema, other_pages.schema_html(schema, may_act=True), 6),
        (errors, other_pages.errors_html(errors, may_act=True), 4),
        (agents, other_pages.agents_html(agents), 2),
        (cluster, other_pages.cluster_html(cluster), 3),
    ):
        page = Page(text)
        assert text.count("<script") == 1
        assert {name for _, attributes in page.elements for name in attributes} <= ALLOWED | {"method", "action"}
        assert page.text.count(SCRIPT) >= least, page.text
        assert "style=" not in text
        assert json.loads(json.dumps(made))["app"] == "unit"


def test_agents_show_the_mean_of_their_steps_and_what_they_have_in_hand(world: World) -> None:
    table(world)
    made = other_pages.agents(world.fleet.view(), world.fleet, world.known)
    changes, writer = Page(other_pages.agents_html(made)).below("agent")
    assert (changes["decode ms"], changes["check ms"], changes["write ms"]) == ("4.00", "2.00", "")
    assert changes["in hand"] == "2 5.0 MB"
    assert (writer["agent"], writer["write ms"], writer["changes"]) == ("kudu_writer", "30.00", "90")


def test_the_cluster_page_shows_who_has_what_and_who_is_silent(world: World) -> None:
    table(world)
    world.at += 20
    world.fleet.take("b", view(world.stats, at=world.at, worker=12, partitions={"u": [1]}))
    made = other_pages.cluster(world.fleet.view(), world.fleet, world.known)
    page = Page(other_pages.cluster_html(made))
    assert [row["state"] for row in page.below("worker")] == ["silent for 20 s", "works"]
    assert [[row["topic"], row["partitions"]] for row in page.below("topic")] == [["t", "0, 2"], ["u", "1"]]


def test_errors_say_how_to_send_letters_again_or_that_they_are_being_read(world: World) -> None:
    table(world)
    group = {
        "topic": "t", "reason": "CellTooLarge", "stage": "write", "sink": "kudu", "state": "open", "count": 3,
        "first_ms": 1, "last_ms": 2,
    }  # fmt: skip
    made = other_pages.errors(world.fleet.view(), world.fleet, world.known, [group], "")
    (row,) = Page(other_pages.errors_html(made)).below("table")
    assert (
        row["send them again"]
        == "parrot deadletters replay --topic t --reason CellTooLarge --dry-runsign in to do it here"
    )
    assert row["stage"] == "write (kudu)"
    for groups, unread, words in ((None, "", "being read"), ([], "", "no dead letter is open"), (None, "x", "now: x")):
        made = other_pages.errors(world.fleet.view(), world.fleet, world.known, groups, unread)
        assert words in other_pages.errors_html(made)


async def test_a_page_does_not_wait_for_what_is_slow_and_shows_it_later() -> None:
    lookups, go = Lookups(logging.getLogger("unit")), asyncio.Event()

    async def slow() -> str:
        await go.wait()
        return "found"

    assert await lookups.get("x", slow, 0.0, wait_s=0) == (None, "")
    go.set()
    assert await lookups.get("x", slow, 1e9, wait_s=10) == ("found", "")
    await lookups.close()


async def test_what_somebody_has_acted_on_is_read_again_soon_and_for_a_while() -> None:
    now = [100.0]
    lookups, read = Lookups(logging.getLogger("unit"), lambda: now[0]), []

    async def load() -> int:
        read.append(now[0])
        return len(read)

    async def look(at: float) -> None:
        now[0] = at
        await lookups.get("x", load, 10.0, wait_s=10)
        await asyncio.gather(*(entry.task for entry in lookups._entries.values() if entry.task))

    await look(100)
    lookups.hurry("x", 1.0, 5.0)
    for at in (100.5, 101, 102, 106, 107, 112):
        await look(at)
    assert read == [100, 101, 102, 112]
    await lookups.close()


def test_letters_are_thrown_away_by_how_many_were_shown(world: World) -> None:
    group = {"topic": "t", "reason": "x", "stage": "write", "sink": "kudu", "first_ms": 1, "last_ms": 1}
    groups = [
        group | {"state": state, "count": count} for state, count in (("open", 3), ("failed", 2), ("forwarded", 9))
    ]
    made = other_pages.errors(world.fleet.view(), world.fleet, world.known, groups, "")
    fields = [each for tag, each in Page(other_pages.errors_html(made, may_act=True)).elements if tag == "input"]
    assert {each["value"] for each in fields if each["name"] == "letters"} == {"5"}
    made = other_pages.errors(world.fleet.view(), world.fleet, world.known, groups[2:], "")
    assert "<button" not in other_pages.errors_html(made, may_act=True), "what is on its way is left alone"


async def test_what_can_t_be_read_is_said_and_the_last_answer_stays() -> None:
    lookups = Lookups(logging.getLogger("unit"))

    async def fine() -> int:
        return 1

    async def broken() -> int:
        raise ParrotError("no broker")

    assert await lookups.get("x", fine, 0.0, wait_s=10) == (1, "")
    assert await lookups.get("x", broken, 0.0) == (1, ""), "nobody waits for what is only renewed"
    await asyncio.gather(*(entry.task for entry in lookups._entries.values() if entry.task))
    assert await lookups.get("x", broken, 1e9) == (1, "no broker")
    for number in range(2 * KEPT):
        await lookups.get(number, fine, 0.0, wait_s=10)
    assert len(lookups._entries) == KEPT
    await lookups.close()
