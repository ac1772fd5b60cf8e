"""The overview page: everything is escaped, trouble comes first, and what a store lacks is said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from models import ChunkHeader
from parrot_faust.delivery.stats import Outcome, Stats
from parrot_faust.web.pages import overview
from parrot_faust.web.static import ICON, LIVE, STYLE

NOW = 1_700_000_000.0
SCRIPT = "<script>alert('1')</script>\"onload=\"x"


class Page(HTMLParser):
    """What a browser would make of the page: elements with their attributes, and the text of each table row."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.text, self._in_cell = "", False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._in_cell:
            self.rows[-1][-1] += data

    def tables(self) -> list[dict[str, str]]:
        """The rows of the list of tables, by heading."""
        begin = next((place for place, row in enumerate(self.rows) if "captured" in row), None)
        if begin is None:
            return []
        headings = self.rows[begin]
        found = []
        for row in self.rows[begin + 1 :]:
            if len(row) != len(headings) or row[1] not in ("current", "behind"):
                break
            found.append(dict(zip(headings, row, strict=True)))
        return found


def captured(stats: Stats, topic: str, **outcomes: int) -> None:
    offsets: Iterator[int] = iter(range(10_000))
    by = {Outcome(name): [next(offsets) for _ in range(count)] for name, count in outcomes.items()}
    everything = sorted(offset for each in by.values() for offset in each)
    stats.source_batch(topic, 0, everything, [], by)


def written(stats: Stats, sink: str, topic: str, rows: int, refused: int = 0) -> None:
    header = ChunkHeader(topic, 0, 0, rows - 1, 1, 1, int(NOW * 1e6) - 400_000, rows, int(NOW * 1e6) - 400_000)
    stats.sink_chunk(sink, header, range(refused), lambda: range(rows))


def view(stats: Stats, *, lag: int = 0, **more: Any) -> dict[str, Any]:
    """What a worker with the stores kudu and hbase shows."""
    made = stats.snapshot()
    for sink in ("kudu", "hbase"):
        idle = {"tables": {}, "visible_ms": {"p50": 0.0, "p99": 0.0, "count": 0}, "state": "ok", "error": ""}
        made["sinks"].setdefault(sink, idle)["lag_chunks"] = lag
    base = {"loop_lag_ms": {"max": 3.25, "own": 1.0}, "memory": 200e6, "uptime": 3725.0, "app": "unit", "worker": 4711}
    return made | base | more


@pytest.fixture
def stats() -> Stats:
    return Stats(lambda: NOW)


def test_a_worker_that_has_seen_nothing_shows_that(stats: Stats) -> None:
    page = Page(overview(view(stats)))
    assert "no change has been captured yet" in page.text
    assert "waiting for changes" in page.text
    assert not page.tables()
    assert "up 1 h 2 min" in page.text
    assert "200 MB" in page.text


def test_hostile_values_are_shown_and_never_run(stats: Stats) -> None:
    captured(stats, SCRIPT, forwarded=1)
    written(stats, "kudu", SCRIPT, 1)
    stats.rule_failed(SCRIPT, SCRIPT, SCRIPT, 0, 5)
    stats.schema_change(SCRIPT, SCRIPT, SCRIPT, SCRIPT, 1.0)
    stats.sink_retrying(SCRIPT, SCRIPT, 1)
    stats.agent_step(SCRIPT, 1, **{f"{SCRIPT}_ms": 1.0})
    made = view(stats, app=SCRIPT, worker=SCRIPT)
    text = overview(made)
    page = Page(text)
    assert [attributes for tag, attributes in page.elements if tag == "script"] == [{"src": "/live.js", "defer": None}]
    allowed = {"lang", "charset", "name", "content", "rel", "href", "src", "defer", "class", "role", "title"}
    assert {name for _, attributes in page.elements for name in attributes} <= allowed
    assert text.count("<script") == 1
    assert page.text.count(SCRIPT) >= 12, "and each is there to be read"


def test_everything_a_page_needs_comes_from_the_worker_itself(stats: Stats) -> None:
    text = overview(view(stats))
    for tag, attributes in Page(text).elements:
        for name in ("href", "src"):
            assert (attributes.get(name) or "/").startswith("/"), (tag, attributes)
            assert not (attributes.get(name) or "").startswith("//"), (tag, attributes)
    assert "style=" not in text, "the policy allows no style beside the sheet"
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    assert re.findall(r"https?://\S+", LIVE + STYLE + ICON) == ['http://www.w3.org/2000/svg"']


def test_the_script_renews_the_page_within_two_seconds() -> None:
    (first, again) = re.findall(r"setTimeout\(renew, (\d+)\)", LIVE)
    assert int(first) < 2_000
    assert int(again) < 2_000


def test_tables_with_trouble_come_first(stats: Stats) -> None:
    captured(stats, "a.fine", forwarded=50)
    captured(stats, "b.dropped", forwarded=5, dropped=2)
    captured(stats, "c.fine", forwarded=50)
    captured(stats, "d.dead", forwarded=5, dead_lettered=3)
    captured(stats, "e.refused", forwarded=5)
    captured(stats, "f.held", forwarded=5, quarantined=1)
    written(stats, "kudu", "e.refused", 5, refused=4)
    tables = Page(overview(view(stats))).tables()
    order = [row["table"] for row in tables]
    assert order == ["e.refused", "d.dead", "b.dropped", "f.held", "a.fine", "c.fine"]
    assert tables[0]["in kudu"] == "1 4 refused"
    assert tables[1]["dead lettered"] == "3"


def test_counts_are_added_up_and_those_of_trouble_stand_out(stats: Stats) -> None:
    captured(stats, "a", forwarded=1_200, quarantined=3)
    captured(stats, "b", forwarded=34, dead_lettered=1)
    written(stats, "hbase", "b", 34, refused=2)
    text = overview(view(stats))
    cards = {
        name: (value, "trouble" in kind)
        for kind, value, name in re.findall(r'<div class="(card[^"]*)"><b>([\d,]+)</b><span>([^<]+)</span>', text)
    }
    assert cards == {
        "captured": ("1,238", False),
        "forwarded": ("1,234", False),
        "quarantined": ("3", True),
        "dropped": ("0", False),
        "dead lettered": ("3", True),
        "tombstones": ("0", False),
    }


def states(made: dict[str, Any]) -> dict[str, str]:
    return {row["table"]: row["state"] for row in Page(overview(made)).tables()}


def test_a_table_is_behind_while_chunks_of_it_wait(stats: Stats) -> None:
    captured(stats, "t", forwarded=10)
    captured(stats, "u", forwarded=3)
    for sink in ("kudu", "hbase"):
        written(stats, sink, "u", 3)
    written(stats, "kudu", "t", 10)
    made = view(stats, lag=1)
    assert states(made) == {"t": "behind", "u": "current"}
    assert "1 table behind" in overview(made)
    written(stats, "hbase", "t", 10)
    made = view(stats, lag=1)
    assert states(made) == {"t": "current", "u": "current"}
    assert "all current" in overview(made)


def test_refused_rows_and_stores_a_table_does_not_go_to_leave_it_current(stats: Stats) -> None:
    captured(stats, "t", forwarded=10)
    written(stats, "kudu", "t", 10, refused=3)
    assert states(view(stats)) == {"t": "current"}, "nothing waits for hbase"
    written(stats, "hbase", "t", 10, refused=1)
    assert states(view(stats, lag=5)) == {"t": "current"}


def test_a_store_that_is_away_is_said_at_the_top_with_its_reason(stats: Stats) -> None:
    captured(stats, "t", forwarded=10)
    written(stats, "kudu", "t", 10)
    assert "banner" not in overview(view(stats))
    stats.sink_retrying("hbase", "hbase is not available: connection refused", 0)
    made = view(stats)
    page, text = Page(overview(made)), overview(made)
    assert "hbase does not answer: connection refused. It is tried again" in page.text
    assert "hbase away" in page.text
    assert text.index("banner") < text.index("Tables")
    assert states(made) == {"t": "behind"}
    stats.sink_ok("hbase", 0)
    assert "banner" not in overview(view(stats))


def test_stores_rules_schema_changes_and_agents_are_listed(stats: Stats) -> None:
    written(stats, "kudu", "t", 1)
    for offset in range(3):
        stats.rule_failed("t", "n.max", "abc123", 0, offset)
    stats.rule_failed("t", "rare", "abc123", 0, 1)
    captured(stats, "t", forwarded=1)
    stats.schema_change("t", "CreateTable", "", "(id int64)", 0.0)
    stats.schema_change("t", "AddColumn", "kudu", "note " + "x" * 500, 0.25)
    stats.agent_step("changes", 1_000, decode_ms=4.0)
    stats.agent_step("changes", 1_000, decode_ms=2.0)
    rows = Page(overview(view(stats))).rows
    kudu = next(row for row in rows if row[0] == "kudu")
    assert kudu[1] == "ok"
    assert abs(int(kudu[2].removesuffix(" ms")) - 400) < 20
    rules = [row[1:3] for row in rows if row[-1] == "abc123"]
    assert rules == [["n.max", "3"], ["rare", "1"]]
    newest, oldest = (row for row in rows if row[1] in ("CreateTable", "AddColumn"))
    assert newest[1:5] == ["AddColumn", "kudu", "0.25 s", "11-14 22:13:20"]
    assert len(newest[5]) == 120
    assert oldest[1:4] == ["CreateTable", "source", ""]
    assert next(row for row in rows if row[0] == "changes") == ["changes", "2", "2,000", "decode 3.0"]
