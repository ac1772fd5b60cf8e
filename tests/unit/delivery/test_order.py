from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from parrot_faust.delivery.order import Pending, settle_changes, settle_writes


class Steps:
    """What has happened, in order."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    async def answer(self, step: str, value: bool = True) -> bool:
        await asyncio.sleep(0)
        self.taken.append(step)
        return value

    async def refuse(self, step: str) -> None:
        await asyncio.sleep(0)
        raise ConnectionError(step)

    def note(self, step: str) -> Callable[[], None]:
        return lambda: self.taken.append(step)


async def test_a_source_batch_is_done_last_of_all() -> None:
    steps = Steps()
    assert await settle_changes(
        confirmed=steps.answer("confirmed"),
        before=steps.answer("before"),
        count=steps.note("counted"),
        done=steps.note("done"),
    )
    assert steps.taken == ["confirmed", "before", "counted", "done"]


async def test_a_source_batch_is_not_done_before_the_broker_has_all_of_it() -> None:
    steps, confirmed = Steps(), asyncio.Event()
    settling = asyncio.create_task(
        settle_changes(confirmed=confirmed.wait(), before=None, count=steps.note("counted"), done=steps.note("done"))
    )
    for _ in range(5):
        await asyncio.sleep(0)
    assert steps.taken == []
    confirmed.set()
    assert await settling
    assert steps.taken == ["counted", "done"]


async def test_a_source_batch_after_one_that_failed_is_neither_counted_nor_done() -> None:
    steps = Steps()
    assert not await settle_changes(
        confirmed=steps.answer("confirmed"),
        before=steps.answer("before", False),
        count=steps.note("counted"),
        done=steps.note("done"),
    )
    assert steps.taken == ["confirmed", "before"]


async def test_what_the_broker_refuses_settles_nothing() -> None:
    steps = Steps()
    with pytest.raises(ConnectionError):
        await settle_changes(
            confirmed=steps.refuse("confirm"), before=None, count=steps.note("counted"), done=steps.note("done")
        )
    assert steps.taken == []


def writing(steps: Steps, name: str, pending: Pending | None) -> Callable[[], Awaitable[Pending | None]]:
    async def call() -> Pending | None:
        await steps.answer(name)
        return pending

    return call


async def test_a_writes_batch_is_done_after_every_answer_and_every_letter() -> None:
    steps = Steps()

    async def confirm(pending: Pending) -> None:
        for one in pending:
            await one

    assert await settle_writes(
        calls=[
            writing(steps, "first", [steps.answer("letter of first")]),
            writing(steps, "second", []),
            writing(steps, "third", [steps.answer("letter of third")]),
        ],
        confirm=confirm,
        done=steps.note("done"),
    )
    assert steps.taken == ["first", "second", "third", "letter of first", "letter of third", "done"]


async def test_a_writes_batch_taken_away_is_not_done_and_nothing_more_of_it_is_written() -> None:
    steps = Steps()

    async def confirm(_: Pending) -> None:
        steps.taken.append("confirmed")

    assert not await settle_writes(
        calls=[writing(steps, "first", []), writing(steps, "second", None), writing(steps, "third", [])],
        confirm=confirm,
        done=steps.note("done"),
    )
    assert steps.taken == ["first", "second"]


async def test_a_letter_that_the_broker_refuses_settles_nothing() -> None:
    steps = Steps()

    async def confirm(pending: Pending) -> None:
        for one in pending:
            await one

    with pytest.raises(ConnectionError):
        await settle_writes(
            calls=[writing(steps, "first", [steps.refuse("letter")])], confirm=confirm, done=steps.note("done")
        )
    assert steps.taken == ["first"]
