"""Recovery of the worker's tables from their changelogs: what Faust only warns of, or waits for in silence, is said.

Faust logs an error of recovery as a warning and waits on, for ever if the record at fault is the last one. A worker
that stands there takes nothing and says nothing. So a record that can't be read ends the worker, with its address; and
where nothing comes any more though the broker answers, it ends too, and says how far it was.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import faust
from faust.tables.globaltable import GlobalTable

from parrot_faust.errors import ParrotError, TableNotRecovered

#: How long nothing may come of what is missing. A changelog is read at thousands of records a second.
STALLED_S = 60.0
LOOK_S = 2.0

#: What is missing of each changelog partition while tables recover: topic, partition, records. None when they do not.
Missing = tuple[tuple[str, int, int], ...]


class WatchedTopic(faust.Topic):
    """A topic that tells the app of a changelog record it can't decode; of others Faust tells by itself."""

    async def on_decode_error(self, exc: Exception, message: Any) -> None:
        """End the worker where a table would wait for this record for ever."""
        if message.topic in self.app.tables.changelog_topics:
            _failed(self.app, exc, message)


class WatchedTable(GlobalTable):
    """A global table that tells the app of a changelog record it can't take in, where Faust would only warn."""

    def apply_changelog_batch(self, batch: Iterable[faust.EventT]) -> None:
        """Take in changelog records. One that can't be taken in ends the worker."""
        events = list(batch)
        try:
            super().apply_changelog_batch(events)
        except Exception as error:
            _failed(self.app, error, events[-1].message)
            raise


def _failed(app: Any, error: Exception, message: Any) -> None:
    app.recovery_failed(TableNotRecovered(message.topic, message.partition, message.offset, str(error)))


def missing(app: Any) -> Missing | None:
    """What the tables of an app still lack, None when none of them is recovering."""
    recovery = app.tables.recovery
    if not recovery.in_recovery:
        return None
    lacks = recovery.active_remaining().items()
    return tuple(sorted((tp.topic, tp.partition, count) for tp, count in lacks if count > 0))


async def watch(
    *,
    missing: Callable[[], Missing | None],
    answers: Callable[[], Awaitable[bool]],
    failed: Callable[[ParrotError], None],
    log: Any,
    now: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]],
    should_stop: Callable[[], bool],
) -> None:
    """Look after recovery until the worker stops.

    `answers` says whether the broker does: one that is away is waited for, and that is said. `failed` is told when the
    broker answers and still nothing comes for `STALLED_S`.
    """
    last, since = missing(), now()
    while not should_stop():
        await sleep(LOOK_S)
        state = missing()
        if state is None or state != last:
            last, since = state, now()
        elif now() - since >= STALLED_S:
            if await answers():
                topic, partition, count = (*state, ("its changelog", -1, 0))[0]
                reason = f"{count} records are missing, and none has come for {STALLED_S:.0f} s"
                failed(TableNotRecovered(topic, partition, -1, reason))
                return
            log.warning("tables can't recover while no broker answers; waiting for it")
            since = now()
