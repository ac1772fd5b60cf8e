"""The overview: everything is escaped, the worst comes first, and what needs a person is said with what to run."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from typing import Any

import pytest
from fleets import NOW, captured, view, written

from parrot_faust.delivery.stats import Stats
from parrot_faust.web import overview
from parrot_faust.web.charts import chart, spark
from parrot_faust.web.fleet import LATE_S, Fleet
from parrot_faust.web.markup import ago, share, span
from parrot_faust.web.paging import Asked
from parrot_faust.web.static import ICON, LIVE, STYLE

SCRIPT = "<script>alert('1')</script>\"onload=\"x"
ALLOWED = {
    "lang", "charset", "name", "content", "rel", "href", "src", "defer", "class", "role", "tabindex", "id", "type",
    "value", "aria-current", "aria-label", "viewbox", "d", "x", "y",
}  # fmt: skip


class Page(HTMLParser):
    """What a browser would make of a page: elements with their attributes, and the text of each table row."""

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
        if tag in ("thead", "tbody"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._in_cell:
            self.rows[-1][-1] += data.rstrip("\n")

    def below(self, heading: str) -> list[dict[str, str]]:
        """The rows of the table whose first heading this is, by heading."""
        begin = next((place for place, row in enumerate(self.rows) if row[0] == heading), None)
        if begin is None:
            return []
        found = []
        for row in self.rows[begin + 1 :]:
            if len(row) != len(self.rows[begin]) or row[0] == heading:
                break
            found.append(dict(zip(self.rows[begin], row, strict=True)))
        return found


class World:
    """A fleet of one worker, at a time that goes on."""

    def __init__(self) -> None:
        self.at = NOW
        self.stats = Stats(lambda: self.at)
        self.fleet = Fleet(lambda: self.at)
        self.known: dict[str, Any] = {"app": "unit", "schema_ms": {}, "verified": {}, "failing": {}}

    def view(self, asked: str = "", part: int = 1, **more: Any) -> dict[str, Any]:
        self.fleet.take("a", view(self.stats, at=self.at, **more))
        wanted = Asked(part=part, query={"q": asked} if asked else {})
        return overview.view(self.fleet.view(), self.fleet, self.known, wanted)

    def page(self, **more: Any) -> Page:
        return Page(overview.html(self.view(**more), self.fleet))

    def later(self, **more: Any) -> Page:
        """The page when what waits has waited for more than a moment."""
        self.view(**more)
        self.at += LATE_S + 1
        return self.page(**more)


@pytest.fixture
def world() -> World:
    return World()


def test_a_worker_that_has_seen_nothing_shows_that(world: World) -> None:
    page = world.page()
    assert "no change has been captured yet" in page.text
    assert "waiting for changes" in page.text
    assert not page.below("table")
    assert "1 worker, up 1 h 2 min, 200 MB" in page.text


def test_hostile_values_are_shown_and_never_run(world: World) -> None:
    captured(world.stats, SCRIPT, forwarded=1)
    written(world.stats, "kudu", SCRIPT, 1, refused=1)
    world.stats.sink_retrying(SCRIPT, SCRIPT, 1)
    world.stats.partition_stopped(SCRIPT, 0, 1, [SCRIPT], SCRIPT)
    world.known["app"] = SCRIPT
    made = world.view(held_tables={SCRIPT: [SCRIPT]}, host=SCRIPT)
    text = overview.html(made | {"asked": SCRIPT}, world.fleet)
    page = Page(text)
    assert [attributes for tag, attributes in page.elements if tag == "script"] == [{"src": "/live.js", "defer": None}]
    assert {name for _, attributes in page.elements for name in attributes} <= ALLOWED
    assert text.count("<script") == 1
    assert page.text.count(SCRIPT) >= 6, "and each is there to be read"


def test_everything_a_page_needs_comes_from_the_worker_itself(world: World) -> None:
    captured(world.stats, "t", forwarded=1)
    text = overview.html(world.view(), world.fleet)
    for tag, attributes in Page(text).elements:
        for name in ("href", "src"):
            target = attributes.get(name) or "/"
            assert re.match(r"/(?!/)|#", target), (tag, attributes)
    assert "style=" not in text, "the policy allows no style beside the sheet"
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    assert re.findall(r"https?://\S+", LIVE + STYLE + ICON) == ['http://www.w3.org/2000/svg"']


def test_the_script_renews_a_page_that_is_looked_at_within_two_seconds() -> None:
    assert [int(pause) for pause in re.findall(r"[ (](\d{3,4})\)", LIVE) if pause != "5000"] == [1500, 1500]


def luminance(colour: str) -> float:
    wide = colour if len(colour) == 6 else "".join(digit * 2 for digit in colour)
    parts = [int(wide[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_has_the_contrast_that_is_asked_for_in_light_and_dark() -> None:
    schemes = [dict(re.findall(r"--(\w+): #(\w+)", block)) for block in re.findall(r":root \{[^}]*\}", STYLE)]
    assert len(schemes) == 2
    for scheme in schemes:
        for ink in ("ink", "dim", "accent", "good", "bad", "warn"):
            for ground in ("page", "card"):
                one, other = sorted((luminance(scheme[ink]), luminance(scheme[ground])))
                assert (other + 0.05) / (one + 0.05) >= 4.5, (ink, ground)


def test_tables_with_trouble_come_first(world: World) -> None:
    stats = world.stats
    for name in ("a.fine", "c.fine", "e.refused", "g.stopped", "h.held"):
        captured(stats, name, forwarded=50)
    captured(stats, "d.dead", forwarded=5, dead_lettered=3)
    captured(stats, "f.some", forwarded=5, quarantined=1)
    written(stats, "kudu", "e.refused", 50, refused=4)
    stats.partition_stopped("g.stopped", 0, 7, ["n.max"], "v1")
    world.known["verified"] = {"b.wrong": {"at_ms": NOW * 1000, "verdict": "unexplained", "differences": 2}}
    captured(stats, "b.wrong", forwarded=5)
    page = world.page(held_tables={"h.held": ["a key changed"]})
    lines = page.below("table")
    assert [line["table"] for line in lines] == [
        "g.stopped", "h.held", "b.wrong", "e.refused", "d.dead", "f.some", "a.fine", "c.fine",
    ]  # fmt: skip
    assert [line["state"] for line in lines[:5]] == [
        "stopped by rule n.max 0 ms", "held: schema change", "2 rows differ", "current, dead letters",
        "current, dead letters",
    ]  # fmt: skip
    assert (lines[3]["dead letters"], lines[5]["quarantined"]) == ("4", "1 17 %")
    assert "3 things need a person" in page.text
    for command in (
        "parrot schema approve h.held", "parrot verify --table b.wrong --repair", "parrot rules apply quality_rules",
        "parrot deadletters list --topic d.dead",
    ):  # fmt: skip
        assert command in page.text


def test_a_table_that_is_paused_says_why_and_how_it_goes_on(world: World) -> None:
    captured(world.stats, "t", forwarded=1)
    pause = {"table": "t", "since_ms": int((NOW - 90) * 1000), "reason": "9 of its last 10 rows failed", "resume_ms": 0}
    page = world.page(paused_tables=[pause])
    assert page.below("table")[0]["state"] == "paused 1 min"
    assert "1 thing needs a person" in page.text
    assert "t is paused: 9 of its last 10 rows failed since 1 min" in page.text
    assert "parrot breaker resume t" in page.text


def test_rules_that_check_nothing_are_said_at_the_top_and_in_their_table_s_line(world: World) -> None:
    for name in ("a", "t", "u"):
        captured(world.stats, name, forwarded=1)
    suspended = [{"table": "t", "rule": f"n.{number}", "reason": "the table has no column n"} for number in range(5)]
    page = world.page(suspended_rules=[*suspended, {"table": "u", "rule": "m.max", "reason": "no column m"}])
    assert [line["state"] for line in page.below("table")] == [
        "5 rules suspended", "1 rule suspended", "current",
    ]  # fmt: skip
    assert "2 things need a person" in page.text
    banner = page.text[: page.text.index("Find a table")]
    assert "t 5 rules are suspended, and nothing is checked by them (n.0, n.1, n.2, ...): the table has no" in banner
    assert "u rule m.max is suspended, and nothing is checked by it: no column m" in banner
    assert "parrot rules apply quality_rules/*.yaml" in banner


@pytest.mark.parametrize(
    ("kind", "severity", "urgent"),
    [("freshness", "critical", True), ("volume", "warning", False), ("expect_x", "critical", False)],
)
def test_a_window_that_fails_is_said_and_needs_a_person_where_changes_do_not_come_as_they_should(
    world: World, kind: str, severity: str, *, urgent: bool
) -> None:
    captured(world.stats, "t", forwarded=1)
    failing = {
        "rule": "r", "type": kind, "severity": severity, "failing_since_ms": int((NOW - 90) * 1000),
        "results": [{"reason": "no change came at all"}],
    }  # fmt: skip
    world.known["failing"] = {"t": [failing, failing]}
    page = world.page()
    said = "t fails rule r in its last window: no change came at all, and 1 rule more; the quality page has all"
    assert said in page.text
    assert ("1 thing needs a person" in page.text) is urgent
    assert (page.text.index(said) < page.text.index("Find a table")) is urgent


def test_a_banner_of_very_much_stays_short(world: World) -> None:
    held = {f"t{number}": ["a key changed"] for number in range(500)}
    for name in held:
        captured(world.stats, name, forwarded=1)
    text = overview.html(world.view(held_tables=held), world.fleet)
    assert "and 488 more" in text
    assert "500 things need a person" in text
    assert len(text) < 150_000


def test_counts_are_added_up_and_those_of_trouble_stand_out(world: World) -> None:
    captured(world.stats, "a", forwarded=1_200, quarantined=3)
    captured(world.stats, "b", forwarded=34, dead_lettered=1)
    written(world.stats, "hbase", "b", 34, refused=2)
    text = overview.html(world.view(), world.fleet)
    cards = re.findall(r'<div class="card( \w+)?"><b>([\d,]+)</b><span>([^<]+)</span>', text)
    assert {name: (value, kind.strip()) for kind, value, name in cards} == {
        "changes/s": ("0", ""),
        "captured": ("1,238", ""),
        "forwarded": ("1,234", ""),
        "quarantined": ("3", "warn"),
        "dropped": ("0", ""),
        "dead letters": ("3", "bad"),
        "tombstones": ("0", ""),
    }


def test_one_letter_is_one_letter(world: World) -> None:
    captured(world.stats, "a", dead_lettered=1)
    captured(world.stats, "b", dead_lettered=1_200)
    text = overview.html(world.view(), world.fleet)
    assert "a has 1 dead letter since its workers started" in text
    assert "b has 1,200 dead letters since its workers started" in text


def test_a_table_is_behind_while_chunks_of_it_wait(world: World) -> None:
    captured(world.stats, "t", forwarded=10)
    captured(world.stats, "u", forwarded=3)
    for sink in ("kudu", "hbase"):
        written(world.stats, sink, "u", 3)
    written(world.stats, "kudu", "t", 10, refused=3)
    page = world.later(lag=1)
    assert {line["table"]: line["state"] for line in page.below("table")} == {
        "t": "behind in hbase 6.0 s", "u": "current",
    }  # fmt: skip
    assert "1 table behind" in page.text
    written(world.stats, "hbase", "t", 10)
    page = world.later(lag=1)
    assert page.below("table")[1]["state"] == "current"
    assert "all current" in page.text


def test_a_store_that_is_away_is_said_at_the_top_with_its_reason(world: World) -> None:
    captured(world.stats, "t", forwarded=10)
    written(world.stats, "kudu", "t", 10)
    assert "banner" not in overview.html(world.view(), world.fleet)
    world.stats.sink_retrying("hbase", "hbase is not available: connection refused", 0)
    page = world.later(lag=2)
    assert "hbase does not answer: connection refused. It is tried again" in page.text
    assert "since 6.0 s" in page.text
    assert page.below("table")[0]["state"] == "hbase away 6.0 s"
    assert page.text.index("does not answer") < page.text.index("Find a table")
    world.stats.sink_ok("hbase", 0)
    assert "banner" not in overview.html(world.view(), world.fleet)


def test_ages_of_the_newest_changes_and_verifications_are_shown(world: World) -> None:
    captured(world.stats, "t", forwarded=10)
    written(world.stats, "kudu", "t", 10, late_s=125)
    world.known |= {
        "schema_ms": {"t": (NOW - 86_400 * 3) * 1000},
        "verified": {"t": {"at_ms": (NOW - 7_300) * 1000, "verdict": "equal", "differences": 0}},
    }
    (line,) = world.page().below("table")
    assert line["newest in kudu"] == "2 min ago"
    assert line["newest in hbase"] == "–"
    assert (line["schema change"], line["verified"]) == ("3 d 0 h ago", "equal 2 h 1 min ago")


def test_tables_are_found_by_a_part_of_their_name(world: World) -> None:
    for name in ("shop.orders", "shop.customers"):
        captured(world.stats, name, forwarded=1)
    page = Page(overview.html(world.view(asked="ORD"), world.fleet))
    assert [line["table"] for line in page.below("table")] == ["shop.orders"]
    assert "no table has that in its name" in overview.html(world.view(asked="x<y"), world.fleet)


def test_a_page_of_five_hundred_busy_tables_has_the_worst_and_leads_to_the_others(world: World) -> None:
    names = [f"shop.public.table_{number:03}" for number in range(500)]
    for second in range(0, 900, 30):
        world.at = NOW + second
        for place, name in enumerate(names):
            first = second * 40
            world.stats.source_batch(name, 0, range(first, first + 1 + (place * second) % 97), [], {})
        world.view()
    for sink in ("kudu", "hbase"):
        for name in names:
            written(world.stats, sink, name, 1)
    suspended = [{"table": name, "rule": "gone.not_be_null", "reason": "no column gone"} for name in names[::2]]
    shown: list[str] = []
    for part in range(1, 6):
        view = world.view(part=part, suspended_rules=suspended)
        text = overview.html(view, world.fleet)
        lines = [line["table"] for line in Page(text).below("table")]
        assert lines == [line["table"] for line in view["tables"]]
        shown += lines
        assert text.count("<svg") >= 95
        assert (f'href="/?page={part + 1}"' in text, view["lists"]["tables"]["left_out"]) == (True, 500 - len(shown))
        assert (part > 1) is ("the ones before" in text)
        assert f"{250 - 12 * part} more" in text
    assert shown == [*names[::2], *names[1::2]]
    assert "500 of 500, <a" in text
    text = overview.html(world.view(part=6, suspended_rules=suspended), world.fleet)
    assert 'all 500 are in <a href="/?page=5">the parts before</a>' in text


def test_a_line_of_a_word_s_size_is_a_path_and_nothing_for_nothing() -> None:
    assert spark([]) == spark([0.0, 0.0]) == ""
    assert spark([0.0, 10.0, 5.0]) == '<svg class=k><path d="M0 15l4-14l4 7"/></svg>'
    assert 'd="M0 15h52l4-14"' in spark([0.0] * 14 + [1.0])
    assert 'd="M0 1l4 14h8"' in spark([1.0, 0.0, 0.0, 0.0])


def test_a_chart_says_its_newest_and_greatest_value_and_leaves_gaps() -> None:
    made = chart("late <in>", [None, 0.5, None, 3.0, 1.5], 5, seconds=True)
    assert "late &lt;in&gt;: newest 1.5 s, most 3.0 s" in made
    path = re.findall(r'class="l" d="([^"]+)"', made)[0]
    assert path.count("M") == 2
    assert "nothing in this time" in chart("x", [None, None], 5)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 ms"), (0.4, "400 ms"), (7, "7.0 s"), (59, "59 s"), (3_725, "1 h 2 min"), (90_000, "1 d 1 h")],
)
def test_times_are_said_in_the_units_that_matter(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_shares_are_never_rounded_to_nothing() -> None:
    assert [share(*pair) for pair in ((0, 5), (1, 100_000), (1, 20), (1, 2))] == ["", "<0.1 %", "5.0 %", "50 %"]
    assert ago(0.2) == "now"


def test_the_clock_is_not_asked_by_pages() -> None:
    world = World()
    captured(world.stats, "t", forwarded=1)
    first = overview.html(world.view(), world.fleet)
    assert abs(time.time() - NOW) > 1
    assert overview.html(world.view(), world.fleet) == first


def test_a_paused_store_is_said_with_what_lets_it_go_on(world: World) -> None:
    captured(world.stats, "t", forwarded=5)
    written(world.stats, "hbase", "t", 5)
    world.stats.sink_retrying("kudu", "kudu is not available: x", 0)
    page = world.later(paused="kudu", lag=1)
    stores = {row["store"]: row["state"] for row in page.below("store")}
    assert stores["kudu"].startswith("paused for 1 min")
    assert stores["hbase"] == "answers"
    assert page.below("table")[0]["state"].startswith("kudu paused")
    assert "kudu is paused: paused by <b>a person</b>." in page.text
    assert "parrot connector --sinks resume kudu" in page.text
    assert "does not answer" not in page.text, "nobody has asked it since"
    made = world.view(paused="kudu", lag=1)
    assert made["standing"] == {"kind": "bad", "words": "kudu paused"}
    assert made["stores"]["kudu"]["paused_ms"] == int((NOW - 90) * 1000)


@pytest.mark.parametrize(("paused", "words"), [("", ["pause", "pause"]), ("kudu", ["resume", "pause"])])
def test_who_may_act_has_a_button_for_each_store(world: World, paused: str, words: list[str]) -> None:
    made = world.view(paused=paused)
    page = Page(overview.html(made, world.fleet, may_act=True))
    forms = [attributes["action"] for tag, attributes in page.elements if tag == "form" and "action" in attributes]
    assert forms == [f"/actions/{word}" for word in words]
    assert "/actions/" not in overview.html(made, world.fleet)
    assert "/sign-in?back=%2F" in overview.html(made, world.fleet)
