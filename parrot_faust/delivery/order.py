"""The order of things before an offset may be committed, for both kinds of agent. Nothing else settles a batch.

A source offset is committed only when all that was made of its records is at the broker; an offset of a writes topic
only when each of its rows is in the store or its dead letter at the broker. Each store has a topic of its own, so each
goes at its own pace. What a crash interrupts anywhere here is done again from the last commit: twice at worst, never
left out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

#: What the broker has yet to confirm.
Pending = Sequence[Awaitable[Any]]


async def settle_changes(
    *,
    confirmed: Awaitable[Any],
    before: Awaitable[bool] | None,
    count: Callable[[], None],
    done: Callable[[], None],
) -> bool:
    """Settle a batch of a source topic. False when a batch before it was not settled; what `confirmed` raises goes up.

    1. The broker has confirmed every chunk, held record and schema change that was made of the batch.
    2. The batch before it is settled: one that failed takes all later ones with it.
    3. Its records are counted, each as what it has become.
    4. Its offset may be committed.
    """
    await confirmed
    if before is not None and not await before:
        return False
    count()
    done()
    return True


async def settle_writes(
    *,
    calls: Iterable[Callable[[], Awaitable[Pending | None]]],
    confirm: Callable[[Pending], Awaitable[None]],
    done: Callable[[], None],
) -> bool:
    """Settle a batch of a writes topic. False when it was taken away before the store had answered for all of it.

    1. The store has answered for every row, one call after the other in the order of the topic. A call returns what
       the broker has yet to confirm of it, the dead letters of refused rows among that, or None when the batch is no
       longer this worker's.
    2. The broker has confirmed all of that.
    3. Its offset may be committed.
    """
    pending: list[Awaitable[Any]] = []
    for call in calls:
        made = await call()
        if made is None:
            return False
        pending.extend(made)
    await confirm(pending)
    done()
    return True
