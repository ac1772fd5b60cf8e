"""Names, values and errors that are written to be run or to confuse are text on every page."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pipelines import eventually
from playwright.sync_api import Page, expect
from running_demo import Demo
from visiting import Visitor

Visit = Callable[..., Visitor]
BIDI = "\u202ederaelc\u202c"  # signs that turn text around
SCRIPT = "<script>alert('run')</script>"
RELATION = f'{SCRIPT}"><img src=x onerror=alert(2)>'
COLUMN = "<b onmouseover=alert(3)>'col'</b>"
KEY = f"</td></table>{SCRIPT}&amp;{BIDI}"
OPERATION = "<script>alert(4)</script>"
LONG = "x" * 300  # without a place to break
TOPIC = "shop.public.script__"
ORDERS = "shop.public.orders"


def record(op: str, key: str) -> tuple[bytes, bytes]:
    """A record of a table of that name, as Debezium would write it."""
    source = {"db": "shop", "schema": "public", "table": RELATION, "ts_ms": 1_700_000_000_000}
    row = {"id": key, COLUMN: f"{SCRIPT}{LONG}"}
    return json.dumps({"before": None, "after": row, "source": source, "op": op}).encode(), json.dumps(
        {"id": key}
    ).encode()


@pytest.fixture(scope="module", autouse=True)
def hostile(demo: Demo) -> None:
    """A table with such a name, column and key, a record that is none, and a row that a rule holds back."""
    demo.make_topic(TOPIC)
    demo.produce(TOPIC, *record("c", KEY))
    demo.produce(TOPIC, *record(OPERATION, KEY))
    demo.sql("insert into customers (id, email, name) values (2000000000, %s, 'x')", SCRIPT)
    eventually(lambda: _known(demo))


def _known(demo: Demo) -> Any:
    tables = {line["table"]: line for line in demo.worker.page()["tables"]}
    return TOPIC in tables and tables[TOPIC]["dead_lettered"] and tables[TOPIC]["stores"]["kudu"]["applied"]


def harmless(page: Page) -> None:
    """Nothing of it has become a part of the page. What would run in it is noted by the visitor."""
    assert page.locator("script:not([src='/live.js']), img, b[onmouseover], main style").count() == 0
    assert page.title().endswith(" - Parrot Faust")


@pytest.mark.parametrize(
    ("path", "texts"),
    [
        ("/", [TOPIC]),
        (f"/?q={SCRIPT}", []),
        (f"/tables/{TOPIC}", [RELATION, KEY, OPERATION, COLUMN]),
        (f"/tables/{TOPIC}?key={SCRIPT}", ["never seen"]),
        ("/tables/shop.public.customers", [SCRIPT]),
        ("/schema", [COLUMN]),
        ("/errors", [TOPIC]),
        (f"/quality?q={SCRIPT}", []),
        (f"/sign-in?back={SCRIPT}", []),
    ],
)
def test_what_is_hostile_is_shown_as_it_is_and_does_nothing(visit: Visit, path: str, texts: list[str]) -> None:
    page = visit(viewport={"width": 380, "height": 800}).open(path)
    for text in texts:
        expect(page.locator("main")).to_contain_text(text)
    harmless(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    if "?q=" in path:
        expect(page.get_by_role("search").get_by_role("searchbox")).to_have_value(SCRIPT)


def test_what_came_of_an_action_with_hostile_fields_is_text(visit: Visit, signed_in: Any) -> None:
    visitor = visit(storage_state=signed_in)
    page = visitor.open("/errors")
    expect(page.get_by_role("button", name="send again").first).to_be_visible()
    page.locator("input[name=reason]").first.evaluate("(input, value) => { input.value = value }", RELATION)
    page.get_by_role("button", name="send again").first.click()
    expect(page.locator("main")).to_contain_text(RELATION)
    harmless(page)
    assert visitor.faults.pop().endswith("409 (Conflict)")
