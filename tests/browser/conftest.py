"""What the tests in a browser share: the demo, running, and a browser that looks at it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))

from chromium import ChromiumMissing, chromium
from running_demo import Demo, running_demo
from visiting import WAIT_MS, Visitor

from parrot_faust.distribution import Addresses

expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="session")
def demo(distribution: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo; the shapes of its products wait for a person."""
    more = "tables: {shop.public.products: {schema_change: review}}\n"
    with running_demo(distribution, tmp_path_factory.mktemp("demo"), more) as running:
        yield running


@pytest.fixture(scope="module")
def browser(demo: Demo) -> Iterator[Browser]:
    """Chromium. It is there for one module at a time, since no event loop can begin beside it."""
    try:
        with chromium() as running:
            yield running
    except ChromiumMissing as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture(scope="module")
def signed_in(browser: Browser, demo: Demo) -> Any:
    """The profile of somebody who has given the token, for `visit(storage_state=signed_in)`."""
    visitor = Visitor(browser, demo.address)
    visitor.sign_in(demo.worker.token())
    state = visitor.context.storage_state()
    visitor.close()
    assert visitor.faults == []
    return state


@pytest.fixture
def visit(browser: Browser, demo: Demo) -> Iterator[Callable[..., Visitor]]:
    """Opens a window on the demo's web view; at the end, nothing must have been at fault in any."""
    visitors: list[Visitor] = []

    def opened(**options: Any) -> Visitor:
        visitors.append(Visitor(browser, demo.address, **options))
        return visitors[-1]

    yield opened
    for visitor in visitors:
        visitor.close()
    assert [fault for visitor in visitors for fault in visitor.faults] == []
