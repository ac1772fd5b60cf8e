"""Every page of the web view, as a browser shows it while things are wrong: light, dark, narrow, without scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from pipelines import eventually
from playwright.sync_api import Page, expect
from running_demo import Demo
from visiting import Visitor

TABLE = "/tables/shop.public.orders"
PATHS = (
    "/",
    "/quality",
    "/schema",
    "/errors",
    "/agents",
    "/cluster",
    TABLE,
    f"{TABLE}?key=1000000001",
    "/tables/shop.public.customers",
    "/sign-in?back=%2Fschema",
)
NARROW = {"width": 380, "height": 800}
Visit = Callable[..., Visitor]


@pytest.fixture(scope="module", autouse=True)
def troubles(demo: Demo) -> Iterator[None]:
    """A shape that waits, a table and a store that are paused, beside the letters that the demo has."""
    worker = demo.worker
    demo.sql("alter table products add column shelf text")
    demo.sql("update products set shelf = 'a' where id = (select min(id) from products)")
    worker.act("pause", table="shop.public.customers")
    worker.act("pause", sink="hbase")
    eventually(lambda: len([each for each in worker.page()["troubles"] if each["act"]]) == 3)
    eventually(lambda: worker.page("/errors")["groups"])
    eventually(lambda: worker.page(f"{TABLE}?key=1000000001")["trace"])
    yield
    worker.act("resume", table="shop.public.customers")
    worker.act("resume", sink="hbase")
    (held,) = worker.page("/schema")["held"]
    worker.act("approve", table=held["table"], shape=held["shape"])
    eventually(lambda: not [each for each in worker.page()["troubles"] if each["act"]])


def links(page: Page) -> set[str]:
    return {*page.locator("a[href^='/']").evaluate_all("links => links.map(link => link.getAttribute('href'))")}


def test_every_link_leads_to_a_page(visit: Visit) -> None:
    visitor = visit()
    seen, ahead = set(), {"/"}
    while ahead:
        path = ahead.pop()
        seen.add(path)
        page = visitor.open(path)
        expect(page.locator("h1")).to_be_visible()
        ahead |= links(page) - seen
    assert {f"{TABLE}?range=6h", *(path for path in PATHS if "key=" not in path)} <= seen


def shades(page: Page) -> list[int]:
    """Of the page's ground: red, green and blue."""
    found: list[int] = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    return found


def findings(page: Page, *rules: str) -> list[str]:
    """What axe has to say, of all its rules when none are named."""
    only = {"runOnly": list(rules)} if rules else {}
    found = Axe().run(page, options={"resultTypes": ["violations"], **only}).response["violations"]
    return [f"{each['id']} ({each['impact']}): {each['nodes'][0]['html'][:200]}" for each in found]


@pytest.mark.parametrize("path", PATHS)
def test_a_page_with_its_buttons_is_accessible_in_light_and_dark_and_fits_a_narrow_screen(
    visit: Visit, signed_in: Any, path: str
) -> None:
    page = visit(storage_state=signed_in, color_scheme="light").open(path)
    assert min(shades(page)) > 200
    assert findings(page) == []
    page.emulate_media(color_scheme="dark")
    assert max(shades(page)) < 60
    assert findings(page, "color-contrast") == []
    page.set_viewport_size(NARROW)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


def test_buttons_of_a_decision_are_in_sight_on_a_narrow_screen(visit: Visit, signed_in: Any) -> None:
    page = visit(storage_state=signed_in, viewport=NARROW).open("/schema")
    for word in ("approve", "reject"):
        box = page.get_by_role("button", name=word).bounding_box()
        assert box is not None
        assert 0 <= box["x"] < box["x"] + box["width"] <= NARROW["width"]
        assert box["height"] >= 24, "a finger must hit it"


def test_all_can_be_read_without_scripts(visit: Visit) -> None:
    visitor = visit(java_script_enabled=False)
    page = visitor.open("/")
    for table in ("customers", "products", "orders", "order_lines"):
        expect(page.get_by_role("link", name=f"shop.public.{table}")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("shop.public.products waits for a decision on its new shape")
    expect(page.get_by_role("status")).to_contain_text("hbase is paused")
    page.get_by_role("link", name="shop.public.orders").click()
    expect(page.get_by_role("img", name="changes/s")).to_be_visible()
    page.get_by_label("Key").fill("1000000001")
    page.get_by_role("button", name="Look").click()
    expect(page.get_by_role("row", name="kudu").filter(has_text="total.be_between")).to_be_visible()


def test_a_table_that_is_none_is_said_with_a_way_back(visit: Visit) -> None:
    visitor = visit()
    answer = visitor.page.goto("/tables/shop.public.nothing")
    assert answer is not None
    assert answer.status == 404
    expect(visitor.page.locator("main")).to_contain_text("No worker of this app has seen a table shop.public.nothing.")
    visitor.page.get_by_role("link", name="All tables").click()
    expect(visitor.page.get_by_role("heading", name="Stores")).to_be_visible()
    assert visitor.faults.pop().endswith("404 (Not Found)")
