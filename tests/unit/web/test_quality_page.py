"""The quality page: windows, shapes, breakers, suspended rules, the worst first; small and quick with many tables."""

from __future__ import annotations

from typing import Any

import pytest
from fleets import NOW, captured, view
from test_web_pages import SCRIPT, Page, World

from parrot_faust.web import quality_page
from parrot_faust.web.paging import Asked

AT = int(NOW) * 1000


def result(minute: int, *, success: bool = True, **more: Any) -> dict[str, Any]:
    start = AT - 60_000 * (minute + 1)
    base = {
        "start_ms": start, "end_ms": start + 60_000, "version": "v1", "success": success, "observed": {"rows": 12},
        "bounds": {"min_share": 0.5, "column": "n"}, "mostly": 1.0, "rows": 12, "late": 0,
        "reason": "" if success else "12 rows, where 90 are usual",
    }  # fmt: skip
    return base | more


def rule(table: str, name: str, *results: dict[str, Any], **more: Any) -> dict[str, Any]:
    failed = [one["start_ms"] for one in results if not one["success"]]
    base = {
        "table": table, "rule": name, "type": name, "version": "v1", "severity": "critical",
        "success": results[0]["success"] if results else None, "judged": len(results), "failed": len(failed),
        "failing_since_ms": min(failed, default=0), "results": list(results),
    }  # fmt: skip
    return base | more


def page(world: World, asked: str = "", *, may_act: bool = False, snapshot: Any = None, **about: Any) -> str:
    world.fleet.take("a", view(world.stats, at=world.at, **(snapshot or {})))
    beside = {"windows": [], "breakers": [], "unread": ""} | about
    made = quality_page.quality(world.fleet.view(), world.fleet, world.known, beside, Asked(query={"q": asked}))
    return quality_page.quality_html(made, may_act=may_act)


@pytest.fixture
def world() -> World:
    world = World()
    captured(world.stats, "t", forwarded=90, quarantined=10)
    return world


def test_windows_show_what_they_observed_against_what_and_for_how_long_they_fail(world: World) -> None:
    bad = rule("t", "volume", result(0, success=False), result(1, success=False, late=3), result(2), severity="warning")
    made = Page(page(world, windows=[bad, rule("u", "n.be_unique", result(0, observed=None)), rule("u", "new")]))
    begin = next(place for place, row in enumerate(made.rows) if "judged for" in row)
    first, second, third = made.rows[begin + 1 : begin + 4]
    assert first == [
        "t", "volume", "fails (warning) since 2023-11-14 22:11:20", "rows 12", "min_share 0.5", "0 ms ago", "2 of 3",
    ]  # fmt: skip
    assert second[2:4] == ["holds", "none"]
    assert third == ["u", "new", "not judged yet", "", "", "", ""]
    begin = next(place for place, row in enumerate(made.rows) if "window, UTC" in row)
    assert made.rows[begin + 2] == [
        "t", "volume", "2023-11-14 22:11:20 +1 min", "fails", "rows 12", "min_share 0.5", "12 3 late",
        "12 rows, where 90 are usual", "v1",
    ]  # fmt: skip
    assert [row[3] for row in made.rows[begin + 1 : begin + 5]] == ["fails", "fails", "holds", "holds"]


def test_a_result_of_a_shape_is_no_window_and_shares_and_long_values_are_told(world: World) -> None:
    shape = result(0, start_ms=AT, end_ms=AT, observed=["x" * 500], mostly=0.9)
    made = Page(page(world, windows=[rule("t", "column_count_to_equal", shape)]))
    (row,) = [row for row in made.rows if row[2].endswith("its columns")]
    assert row[5] == "min_share 0.5, mostly 0.9"
    assert len(row[4]) == quality_page.LONGEST


def test_breakers_say_why_they_tripped_and_when_the_table_goes_on(world: World) -> None:
    wants = {"share": 0.2, "within_ms": 60_000, "at_least": 100}
    idle = {"state": "closed", "since_ms": 0, "reason": "", "resume_ms": 0}
    paused = {"state": "paused", "since_ms": AT - 90_000, "reason": "9 of 10 failed", "resume_ms": 600_000}
    breakers = [
        {"table": "t t", "breaker": wants} | paused,
        {"table": "u", "breaker": None} | paused | {"resume_ms": 0},
    ]
    made = page(world, breakers=[*breakers, {"table": "v", "breaker": wants} | idle], may_act=True)
    begin = next(place for place, row in enumerate(Page(made).rows) if "trips when" in row)
    first, second, third = Page(made).rows[begin + 1 : begin + 4]
    assert first == [
        "t t", "paused for 1 min", "9 of 10 failed", "more than 20 % of at least 100 rows fail in 1 min",
        "in 8 min, or by parrot breaker resume 't t'resume this table",
    ]  # fmt: skip
    assert second[3:] == ["paused by a person only", "parrot breaker resume uresume this table"]
    assert third[1:3] == ["closed", ""]
    assert "resume this table" not in page(world, breakers=breakers)


def test_suspended_rules_are_at_the_top_and_in_the_banner(world: World) -> None:
    snapshot = {"suspended_rules": [{"table": "t", "rule": "n.max", "reason": "the table has no column n"}]}
    made = Page(page(world, snapshot=snapshot))
    assert made.below("table") == [
        {"table": "t", "rule": "n.max", "checks nothing, because": "the table has no column n"}
    ]
    assert "1 thing needs a person" in made.text
    assert made.text.index("nothing is checked by it") < made.text.index("Suspended rules")
    assert "every rule fits its table" in page(world)


def test_tables_and_rules_are_found_by_a_part_of_their_names(world: World) -> None:
    captured(world.stats, "u", forwarded=1)
    snapshot = {"suspended_rules": [{"table": "t", "rule": "n.max", "reason": "x"}]}
    world.stats.rule_failed("u", "m.be_between", "v2", 0, 1)
    made = Page(page(world, "M.BE", snapshot=snapshot))
    assert "checks nothing, because" not in made.text
    assert any(row[:2] == ["u", "m.be_between"] for row in made.rows)
    assert not any(row[0] == "t" for row in made.rows)
    assert Page(page(world, SCRIPT)).elements.count(("script", {"src": "/live.js", "defer": None})) == 1


def test_what_can_t_be_read_is_said(world: World) -> None:
    assert "can't be read now: &lt;no broker&gt;" in page(world, unread="<no broker>")
