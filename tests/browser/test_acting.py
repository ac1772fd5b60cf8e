"""What people do with the web view: watch it, ask where a row is, and see to what needs a person."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError

import pytest
from playwright.sync_api import Locator, Page, expect
from running_demo import Demo
from visiting import Visitor

Visit = Callable[..., Visitor]
ORDERS = "/tables/shop.public.orders"
LATER_MS = 60_000  # many times as long as a page takes to renew itself


def order(demo: Demo, identity: int, total: int) -> None:
    values = (identity, total)
    demo.sql("insert into orders (id, customer_id, status, total, placed) values (%s, 1, 'new', %s, now())", *values)


def line(page: Page, name: str, *words: str) -> Locator:
    """The row of a grid that begins with a name and has these words."""
    found = page.get_by_role("row").filter(has=page.get_by_role("cell", name=name, exact=True))
    for word in words:
        found = found.filter(has_text=word)
    return found


def press(place: Page | Locator, name: str) -> None:
    """Press a button, see that what came of it stays to be read however long one reads, and go back."""
    page = place.page if isinstance(place, Locator) else place
    place.get_by_role("button", name=name).click()
    expect(page).to_have_url(re.compile("/actions/"))
    told = page.locator("main").inner_text()
    page.clock.run_for(LATER_MS)
    page.wait_for_load_state("networkidle")
    assert page.locator("main").inner_text() == told
    assert page.title().endswith(" - Parrot Faust")
    page.get_by_role("link", name="back").click()


@pytest.fixture
def person(visit: Visit, signed_in: Any) -> Page:
    """Somebody with the token, whose clock goes on when the test says so too."""
    page: Page = visit(storage_state=signed_in).page
    page.clock.install()
    return page


def test_a_change_at_the_source_is_seen_without_loading_the_page_anew(visit: Visit, demo: Demo) -> None:
    page = visit().open("/")
    captured = page.locator(".card", has_text="captured").locator("b")
    before = captured.inner_text()
    page.evaluate("window.stayed = true")
    demo.sql("update customers set name = 'Ada' where id = (select min(id) from customers)")
    expect(captured).not_to_have_text(before)
    assert page.evaluate("window.stayed")


def test_why_a_row_is_not_there_is_answered(visit: Visit, demo: Demo) -> None:
    page = visit().open(ORDERS)
    order(demo, 2_000_000_002, -5)
    ((good,),) = demo.ask("select min(id) from orders where total between 0 and 9999 and status = 'paid'")
    expect(page.get_by_role("row").filter(has_text="2000000002")).to_contain_text("be_between does not hold for -5.00")
    for key, state, words in (
        (str(good), "applied", ""),
        ("2000000002", "quarantined", "total.be_between"),
        ("2000000003", "never seen", ""),
    ):
        page.get_by_label("Key").fill(key)
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(f"key={key}$"))
        for store in ("kudu", "hbase"):
            expect(line(page, store, state, words)).to_be_visible()
    page.get_by_label("Key").fill("one")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("id is a whole number, and 'one' is none")


def test_dead_letters_are_sent_again_and_what_became_of_them_is_seen(person: Page, demo: Demo) -> None:
    demo.sql(
        "insert into products (id, sku, price, description) values (2000000001, 'ABC-1234', 1, repeat('x', 70000))"
    )
    person.goto("/errors")
    letters = person.get_by_role("row").filter(has_text="ValueRefused")
    expect(letters).to_contain_text("write (kudu)")
    press(letters, "send again")
    expect(letters).to_contain_text("failed")
    demo.sql("update products set description = 'short' where id = 2000000001")
    press(letters, "send again")
    expect(person.get_by_role("row").filter(has_text="DecodeError")).to_be_visible()
    expect(letters).to_have_count(0)


def test_dead_letters_are_thrown_away_once_somebody_has_said_so_twice(person: Page, demo: Demo) -> None:
    demo.produce("shop.public.customers", b"no record at all")
    person.goto("/errors")
    letters = person.get_by_role("row").filter(has_text="shop.public.customers")
    expect(letters.get_by_role("button", name="throw away 1")).to_be_hidden()
    with pytest.raises(HTTPError, match="409"):
        demo.worker.act("discard", table="shop.public.customers", reason="DecodeError", letters="7")
    letters.get_by_text("discard …").click()
    press(letters, "throw away 1")
    expect(person.get_by_role("row").filter(has_text="shop.public.orders")).to_be_visible()
    expect(letters).to_have_count(0)


def test_a_shape_that_waits_is_approved(person: Page, demo: Demo) -> None:
    demo.sql("alter table products add column depth text")
    demo.sql("update products set depth = 'a' where id = (select min(id) from products)")
    person.goto("/")
    person.get_by_role("link", name="decide here").click()
    expect(person.get_by_role("article")).to_contain_text("AddColumn depth string")
    press(person, "approve")
    expect(person.get_by_text("nothing waits")).to_be_visible()
    ((key,),) = demo.ask("select min(id) from products")
    person.goto(f"/tables/shop.public.products?key={key}")
    for store in ("kudu", "hbase"):
        expect(line(person, store, "AddColumn depth")).to_be_visible()
        expect(line(person, store, "applied")).to_be_visible()
    expect(person.get_by_role("status")).to_have_count(0)


def test_a_table_is_paused_and_goes_on_with_what_came_meanwhile(person: Page, demo: Demo) -> None:
    person.goto(ORDERS)
    press(person, "pause this table")
    expect(person.get_by_role("status")).to_contain_text("paused by a person on the web view")
    order(demo, 2_000_000_010, 5)
    to_be_read = person.locator("dl div").filter(has_text="to be read").locator("dd")
    expect(to_be_read).not_to_have_text("0")
    press(person, "resume this table")
    expect(person.get_by_role("status")).to_have_count(0)
    expect(to_be_read).to_have_text("0")
    person.goto(f"{ORDERS}?key=2000000010")
    for store in ("kudu", "hbase"):
        expect(line(person, store, "applied")).to_be_visible()


def test_a_store_is_paused_and_goes_on(person: Page) -> None:
    person.goto("/")
    expect(line(person, "kudu")).to_contain_text("answers")
    press(person, "pause kudu")
    expect(line(person, "kudu")).to_contain_text("paused")
    expect(line(person, "hbase")).to_contain_text("answers")
    expect(person.get_by_role("status")).to_contain_text("kudu is paused")
    press(person, "resume kudu")
    expect(line(person, "kudu")).to_contain_text("answers")


def test_a_wrong_token_is_refused_with_words_that_stay_and_the_right_one_leads_back(visit: Visit, demo: Demo) -> None:
    visitor = visit()
    page = visitor.page
    page.clock.install()
    visitor.open("/errors")
    page.get_by_role("link", name="sign in to do it here").first.click()
    page.get_by_label("Token").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("That is not the token.")
    page.clock.run_for(LATER_MS)
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("alert")).to_be_visible()
    assert visitor.faults.pop().endswith("403 (Forbidden)")
    page.get_by_label("Token").fill(demo.worker.token())
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{demo.address}/errors")
    expect(page.get_by_role("button", name="send again").first).to_be_visible()
