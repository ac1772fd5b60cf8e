from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from parrot_faust.errors import ParrotError, TableNotRecovered
from parrot_faust.recovery import LOOK_S, STALLED_S, Missing, watch

LOG = logging.getLogger("test.recovery")
LACKING: Missing = (("app-rules-changelog", 0, 7),)


@dataclass
class Clock:
    """Time that goes on only by sleeping, and ends."""

    seconds: float
    now: float = 0.0

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    def over(self) -> bool:
        return self.now >= self.seconds


@dataclass
class Watched:
    """One watch over `seconds` of what `states` says at each look."""

    states: Iterator[Missing | None]
    seconds: float
    reachable: bool = True
    failed: list[ParrotError] = field(default_factory=list)

    async def run(self) -> float:
        clock = Clock(self.seconds)

        async def answers() -> bool:
            return self.reachable

        await watch(
            missing=lambda: next(self.states),
            answers=answers,
            failed=self.failed.append,
            log=LOG,
            now=lambda: clock.now,
            sleep=clock.sleep,
            should_stop=clock.over,
        )
        return clock.now


def always(state: Missing | None) -> Iterator[Missing | None]:
    while True:
        yield state


def shrinking() -> Iterator[Missing]:
    for count in range(10**6, 0, -1):
        yield (("app-rules-changelog", 0, count),)


async def test_a_recovery_that_stands_still_is_told_with_its_place_and_ends_the_watch() -> None:
    watched = Watched(always(LACKING), 10 * STALLED_S)
    assert STALLED_S <= await watched.run() <= STALLED_S + LOOK_S
    (error,) = watched.failed
    assert isinstance(error, TableNotRecovered)
    assert (error.topic, error.partition) == ("app-rules-changelog", 0)
    assert "7 records are missing" in str(error)


async def test_a_recovery_that_knows_not_even_what_is_missing_is_told_too() -> None:
    watched = Watched(always(()), 10 * STALLED_S)
    await watched.run()
    assert len(watched.failed) == 1


@pytest.mark.parametrize("states", [lambda: always(None), shrinking], ids=["none under way", "goes on"])
async def test_nothing_is_told_while_there_is_nothing_wrong(states: Callable[[], Iterator[Missing | None]]) -> None:
    watched = Watched(states(), 10 * STALLED_S)
    assert await watched.run() >= 10 * STALLED_S
    assert watched.failed == []


async def test_a_broker_that_is_away_is_waited_for_and_said(caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched(always(LACKING), 5 * STALLED_S, reachable=False)
    await watched.run()
    assert watched.failed == []
    assert 3 <= caplog.text.count("no broker answers") <= 5
