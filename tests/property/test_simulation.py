"""The delivery under anything that may happen: thousands of seeds, and breaks that they must find."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import pytest

from models import Change, ChunkHeader, Row, WriteResult
from parrot_faust.delivery.chunks import row_of
from parrot_faust.delivery.fence import Fence
from parrot_faust.delivery.isolation import Written
from parrot_faust.delivery.ledger import Ledger
from parrot_faust.delivery.order import Pending
from parrot_faust.delivery.overrun import Rewriting
from parrot_faust.delivery.reduction import Reduced, reduce
from parrot_faust.delivery.versions import VersionClock
from parrot_faust.simulation import World, reader, simulate, writer

#: Of each of the two below: seven seconds on a quiet core. More runs: `parrot simulate --runs N`.
RUNS = int(os.environ.get("PARROT_SIMULATION_RUNS", "1500"))
#: Within so many seeds a break must be found. Each of them is, within forty.
ENOUGH = 300


def test_the_promises_hold_for_seeds_that_are_always_run() -> None:
    assert simulate(range(RUNS)).findings == []


def test_the_promises_hold_for_seeds_that_were_never_run() -> None:
    first = secrets.randbelow(2**32)
    assert simulate(range(first, first + RUNS)).findings == []


@pytest.mark.parametrize("seed", [11, 17, 29, 128, 129, 132, 141, 143, 244, 257])
def test_seeds_that_once_failed_hold(seed: int) -> None:
    """A reader thawed after its topic was made anew had offsets that the new one had not reached, and undid rows."""
    assert simulate([seed], freezing=False).findings == []
    assert simulate([seed]).findings == []


@pytest.mark.parametrize("seed", [500003030, 500019753])
def test_seeds_whose_gaps_were_filled_across_owners_hold(seed: int) -> None:
    """A row that a former owner sent late took a value it left out from a row before it that was sent again, and not
    from the one in between.
    """
    assert simulate([seed]).findings == []


def test_a_seed_gives_the_same_run_again() -> None:
    runs = [World(7), World(7)]
    for world in runs:
        world.run()
    assert runs[0].broker == runs[1].broker
    assert runs[0].happened == runs[1].happened
    assert [store.rows() for store in runs[0].stores] == [store.rows() for store in runs[1].stores]


def test_everything_that_may_happen_does() -> None:
    happened: Counter[str] = simulate(range(200)).happened
    for event in (
        "commit", "rebalance", "crash", "set back", "sent late", "sent twice", "fenced", "store failed", "snapshot",
        "topic recreated", "database recreated", "compaction", "refused", "isolated", "frozen", "thawed",
    ):  # fmt: skip
        assert happened[event] >= 40, (event, happened)


# -- breaks ----------------------------------------------------------------------------------------------------------


async def commit_before_confirm(
    *, confirmed: Awaitable[Any], before: Awaitable[bool] | None, count: Callable[[], None], done: Callable[[], None]
) -> bool:
    count()
    done()
    await confirmed
    return before is None or await before


async def commit_before_the_one_before(
    *, confirmed: Awaitable[Any], before: Awaitable[bool] | None, count: Callable[[], None], done: Callable[[], None]
) -> bool:
    await confirmed
    count()
    done()
    return before is None or await before


async def commit_before_applied(
    *,
    calls: Iterable[Callable[[], Awaitable[Pending | None]]],
    confirm: Callable[[Pending], Awaitable[None]],
    done: Callable[[], None],
) -> bool:
    done()
    for call in calls:
        if (pending := await call()) is None:
            return False
        await confirm(pending)
    return True


async def commit_without_letters(
    *,
    calls: Iterable[Callable[[], Awaitable[Pending | None]]],
    confirm: Callable[[Pending], Awaitable[None]],
    done: Callable[[], None],
) -> bool:
    for call in calls:
        await call()
    done()
    return True


def fold_across_refused(
    rows: Sequence[Row],
    key_positions: tuple[int, ...],
    send: Callable[[Sequence[Row]], WriteResult],
    refused: Callable[..., None],
) -> Written:
    reduced = reduce(rows, key_positions)
    result = send(reduced.rows)
    return Written([(reduced.positions[failure.index], failure) for failure in result.failures], [])


def keep_the_first(rows: Sequence[Row], key_positions: tuple[int, ...]) -> Reduced:
    reduced = reduce(list(reversed(rows)), key_positions)
    return Reduced(reduced.rows, [len(rows) - 1 - position for position in reduced.positions])


def drop_fence(self: Fence, header: ChunkHeader, floor: int = 0) -> bool:
    return True


def version_equals_offset(change: Change, version: int) -> Row:
    return row_of(change, change.offset)


def settle_past_a_gap(self: Ledger, partition: int) -> tuple[int, str] | None:
    account = self._accounts.get(partition)
    return (account.open[-1].last + 1, "1") if account and account.open else None


def bare_time(self: VersionClock, times: Iterable[int]) -> list[int]:
    found = [max(1, time) for time in times]
    self.last = max([self.last, *found])
    return found


def leave_what_was_late(self: Rewriting, offset: int, data: bytes) -> None:
    return None


def forget_the_reservation(note: str, reserved: int) -> VersionClock:
    return VersionClock(int(note or 0), reserved)


BREAKS: dict[str, tuple[Any, str, Any]] = {
    "commit before confirm": (reader, "settle_changes", commit_before_confirm),
    "commit before the batch before": (reader, "settle_changes", commit_before_the_one_before),
    "commit before the rows are applied": (writer, "settle_writes", commit_before_applied),
    "commit before the dead letters are confirmed": (writer, "settle_writes", commit_without_letters),
    "commit past a gap": (Ledger, "committable", settle_past_a_gap),
    "drop fence": (Fence, "admits", drop_fence),
    "swap two operations of a key": ("parrot_faust.delivery.isolation", "reduce", keep_the_first),
    "version equals offset": (reader, "row_of", version_equals_offset),
    "version equals time": (VersionClock, "advance", bare_time),
    "versions forgotten with the commit": (VersionClock, "begun", staticmethod(forget_the_reservation)),
    "rows that a thawed worker wrote late": (Rewriting, "take", leave_what_was_late),
    "fold across refused row": (writer, "write_reduced", fold_across_refused),
}


@pytest.mark.parametrize("name", BREAKS)
def test_the_simulation_finds_a_break(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, attribute, broken = BREAKS[name]
    target = where if not isinstance(where, str) else __import__(where, fromlist=["_"])
    monkeypatch.setattr(target, attribute, broken)
    found = next((findings for seed in range(ENOUGH) if (findings := simulate([seed]).findings)), None)
    assert found, f"{name} was not found in {ENOUGH} seeds"
