"""Whoever has no mouse reaches everything, sees where they are, and can act."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from running_demo import Demo
from visiting import Visitor

Visit = Callable[..., Visitor]
#: What can be used: its kind, where it leads or what it sends, and what is written on it.
NAME = """element => [element.tagName, element.getAttribute('href') ?? '', element.getAttribute('name') ?? '',
  element.matches('a, button, summary, .wide') ? element.innerText.split('\\n')[0] : ''].join(' ').trim()"""
USABLE = ":is(a[href], button, input:not([type=hidden]), summary, .wide):not(details:not([open]) > *:not(summary) *)"
SHOWN = """() => {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
}"""
MANY = 300  # more than there is on any page


def focused(page: Page) -> str:
    """What has the focus."""
    found: str = page.evaluate(f"({NAME})(document.activeElement)")
    return found


def tab_to(page: Page, name: str) -> None:
    """Press the tabulator until something of that name has the focus."""
    for _ in range(MANY):
        page.keyboard.press("Tab")
        if focused(page).endswith(name):
            return
    raise AssertionError(f"the tabulator does not reach {name!r}")


@pytest.mark.parametrize("path", ["/", "/errors", "/tables/shop.public.orders"])
def test_the_tabulator_reaches_everything_and_is_seen(visit: Visit, signed_in: Any, path: str) -> None:
    page = visit(storage_state=signed_in).open(path)
    wanted = {page.evaluate(f"({NAME})", each) for each in page.locator(USABLE).element_handles()}
    reached: list[str] = []
    for _ in range(MANY):
        page.keyboard.press("Tab")
        name = focused(page)
        if name == "BODY":
            break
        assert page.evaluate(SHOWN), f"nobody sees that {name} has the focus"
        reached.append(name)
    assert wanted <= {*reached}
    assert reached[0] == "A #main  to the content"


def test_the_first_link_leads_past_the_others_and_is_seen_once_it_has_the_focus(visit: Visit) -> None:
    page = visit().open("/")
    skip = page.get_by_role("link", name="to the content")
    expect(skip).not_to_be_in_viewport()
    page.keyboard.press("Tab")
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_a_store_is_paused_and_goes_on_by_keys_alone(visit: Visit, demo: Demo) -> None:
    page = visit().open("/")
    tab_to(page, "sign in to pause it")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    tab_to(page, "token")
    page.keyboard.type(demo.worker.token())
    page.keyboard.press("Enter")
    for word in ("pause", "resume"):
        expect(page.get_by_role("button", name=f"{word} hbase")).to_be_visible()
        tab_to(page, f"{word} hbase")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile("/actions/"))
        tab_to(page, "back")
        page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="pause hbase")).to_be_visible()


def test_the_focus_stays_on_its_button_while_the_page_renews_itself(visit: Visit, signed_in: Any, demo: Demo) -> None:
    page = visit(storage_state=signed_in).open("/")
    tab_to(page, "pause hbase")
    demo.worker.act("pause", sink="kudu")
    expect(page.get_by_role("button", name="resume kudu")).to_be_visible()
    assert focused(page).endswith("pause hbase")
    demo.worker.act("resume", sink="kudu")
    expect(page.get_by_role("button", name="pause kudu")).to_be_visible()
    assert focused(page).endswith("pause hbase")


def test_what_is_being_typed_stays_while_the_page_renews_itself(visit: Visit, demo: Demo) -> None:
    page = visit().open("/")
    page.get_by_label("Find a table").fill("cust")
    captured = page.locator(".card", has_text="captured").locator("b")
    before = captured.inner_text()
    demo.sql("update customers set name = 'Hedy' where id = (select min(id) from customers)")
    expect(captured).not_to_have_text(before)
    expect(page.get_by_label("Find a table")).to_have_value("cust")
    expect(page.get_by_label("Find a table")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="shop.public.customers")).to_be_visible()
    expect(page.get_by_role("link", name="shop.public.orders")).to_have_count(0)
