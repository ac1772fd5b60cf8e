"""The pictures of the web view in docs/images: which page, how large, in which colours; and how one is taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from playwright.sync_api import Browser, Page
from visiting import Visitor

from parrot_faust.demo.loosening import ORDER
from parrot_faust.demo.worker import Worker

ORDERS = "/tables/shop.public.orders"


@dataclass(frozen=True)
class Picture:
    """A page and the window that it is seen in. `signed_in` sees the buttons of whoever may act."""

    name: str
    path: str
    height: int
    width: int = 1280
    colours: Literal["light", "dark"] = "light"
    signed_in: bool = False


PICTURES = (
    Picture("overview", "/", 900),
    Picture("overview-dark", "/", 900, colours="dark"),
    Picture("overview-narrow", "/", 800, width=380),
    Picture("table", f"{ORDERS}?key={ORDER}", 1320),
    Picture("quality", "/quality", 1560),
    Picture("schema", "/schema", 640, signed_in=True),
    Picture("errors", "/errors", 420, signed_in=True),
    Picture("agents", "/agents", 480),
    Picture("cluster", "/cluster", 640),
    Picture("sign-in", "/sign-in", 420),
)

#: Puts other words in the place of some, in every text of a page.
_REPLACE = """words => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode())
    for (const [from, to] of words)
      walker.currentNode.textContent = walker.currentNode.textContent.replaceAll(from, to);
}"""


def visitor(browser: Browser, worker: Worker, picture: Picture) -> Visitor:
    """Somebody with a window as the picture needs it. Pages stand still: nothing is to change while one is taken."""
    return Visitor(
        browser,
        f"http://127.0.0.1:{worker.port}",
        viewport={"width": picture.width, "height": picture.height},
        device_scale_factor=1,
        color_scheme=picture.colours,
        java_script_enabled=False,
        extra_http_headers={"X-Parrot-Token": worker.token()} if picture.signed_in else {},
    )


def taken(page: Page, worker: Worker) -> bytes:
    """The picture of what a window shows, without names that are this machine's or this run's only."""
    page.evaluate(_REPLACE, _plain_names(worker))
    return page.screenshot(animations="disabled", caret="hide")


def _plain_names(worker: Worker) -> list[tuple[str, str]]:
    """Each name and what is shown in its place: as with workers of which each has its own machine."""
    view: dict[str, Any] = worker.page("/cluster")
    words = [(view["app"], "shop-demo"), (str(worker.settings.parent / "state"), ".parrot/worker")]
    for place, each in enumerate(sorted(view["workers"], key=lambda each: -each["uptime"]), 1):
        words += [(f"{each['host']}/{each['worker']}", f"worker-{place}/1"), (str(each["port"]), "6066")]
    return words
