"""Every page of the web view, as a browser shows it."""

from __future__ import annotations

from collections.abc import Callable

from visiting import Visitor


def test_every_page_that_a_link_leads_to_opens(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    seen, ahead = set(), ["/"]
    while ahead:
        path = ahead.pop()
        seen.add(path)
        page = visitor.open(path)
        assert page.locator("h1").is_visible()
        links = page.locator("a[href^='/']").evaluate_all("links => links.map(link => link.getAttribute('href'))")
        ahead += [link for link in {*links} - seen if link not in ahead]
    assert {"/", "/quality", "/schema", "/errors", "/agents", "/cluster"} <= seen
    assert {"/tables/shop.public.orders", "/tables/shop.public.orders?range=6h", "/sign-in?back=%2F"} <= seen
