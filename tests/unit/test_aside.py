"""Work beside the event loop: its result and error come back, and one piece follows the other."""

from __future__ import annotations

import asyncio
import threading

import pytest

from parrot_faust.aside import Aside


async def test_results_and_errors_come_back() -> None:
    aside = Aside()
    assert await aside.run(lambda: threading.current_thread().daemon) is True
    with pytest.raises(ValueError, match="no"):
        await aside.run(lambda: int("no"))


async def test_what_was_given_up_is_waited_for_before_the_next_begins() -> None:
    aside, go, order = Aside(), threading.Event(), list[str]()

    def slow() -> None:
        go.wait(30)
        order.append("slow")

    given_up = asyncio.create_task(aside.run(slow))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    given_up.cancel()
    following = asyncio.create_task(aside.run(lambda: order.append("next")))
    await asyncio.sleep(0)
    go.set()
    await following
    assert order == ["slow", "next"]
