"""The half of a worker that applies a writes topic to a store: what a writer agent and its sink's process do."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import msgspec

from models import Chunk, Late, Row
from parrot_faust.delivery.chunks import head_of, row_offsets, run_of
from parrot_faust.delivery.fence import Fence
from parrot_faust.delivery.isolation import write_reduced
from parrot_faust.delivery.ledger import Ledger
from parrot_faust.delivery.order import Pending, settle_writes
from parrot_faust.delivery.overrun import Rewriting, late_chunk
from parrot_faust.delivery.stats import Stats
from parrot_faust.delivery.versions import floor_of
from parrot_faust.errors import SinkUnavailable
from parrot_faust.simulation.broker import Broker, Commit, Until, step
from parrot_faust.simulation.stores import Store

Letter = tuple[int, int]

_chunks = msgspec.msgpack.Decoder(Chunk)


@dataclass(slots=True)
class _Hand:
    """What a writer holds: the chunks it is about to send, and what it will say of them if that comes late."""

    late: Late
    chunks: list[bytes]


class Writer:
    """One owner of a sink's writes topic after the other. It takes a batch at a time, as the agent does."""

    def __init__(self, rng: random.Random, broker: Broker, store: Store, stats: Stats) -> None:
        self._rng, self._broker, self._stats = rng, broker, stats
        self.store, self.sink = store, store.name
        self._ledger = Ledger()
        self.fence = Fence()
        self._taken = self._newest = self._floor = 0
        self._task: Coroutine[Any, Any, bool] | None = None
        self._letters: deque[Letter] = deque()
        self._hand: _Hand | None = None
        #: Of former owners that stand still, what they will send, and of thawed ones, what they will say.
        self._frozen: deque[_Hand] = deque()
        self._unsaid: deque[_Hand] = deque()
        #: By place in the log: the letters that are owed for its chunk, once the store has answered or it was refused.
        self._answered: dict[int, set[Letter]] = {}

    def begin(self, *, crashed: bool) -> None:
        """Take over from the last commit: another worker, or the same one, who begins a new fence too."""
        commit = self._broker.commits.get(self.sink, Commit(0))
        self._ledger = Ledger()
        if crashed:
            self._letters.clear()
        if self._task is not None:
            self._task.close()
            self._task = None
        self._hand = None
        self.fence = Fence()
        self._taken = commit.offset
        self._answered = {place: letters for place, letters in self._answered.items() if place < commit.offset}
        self._newest = self._floor = floor_of(commit.note)

    def work(self) -> None:
        """Go on with the batch at hand, or take the next one."""
        if self._task is None:
            batch = self._broker.logs[self.sink][self._taken : self._taken + self._rng.randrange(1, 9)]
            if not batch:
                return
            self._task = self._take(self._taken, batch)
            self._taken += len(batch)
        try:
            self._task.send(None)
        except StopIteration:
            self._task = None

    async def _take(self, first: int, batch: Sequence[bytes]) -> bool:
        ticket = self._ledger.open(self.sink, first, first + len(batch) - 1)
        admitted: list[tuple[int, bytes]] = []
        lates: list[tuple[int, Late]] = []
        for place, data in enumerate(batch, first):
            header = head_of(data).header
            if header.late is not None:
                lates.append((place, header.late))
                self._answered[place] = set()
            elif self.fence.admits(header, self._floor):
                admitted.append((place, data))
            else:
                self._answered[place] = set()
        if admitted:
            late = Late(first, first + len(batch) - 1, self._newest)
            self._hand = _Hand(late, [data for _, data in admitted])
        cut = self._rng.randrange(len(admitted) + 1)
        parts = [part for part in (admitted[:cut], admitted[cut:]) if part]

        def call(part: list[tuple[int, bytes]]) -> Callable[[], Awaitable[Pending | None]]:
            return lambda: self._apply(part)

        async def confirm(pending: Pending) -> None:
            for letter in pending:
                await letter

        def done() -> None:
            self._newest = max([self._newest, *(head_of(data).header.generation for _, data in admitted)])
            self._ledger.settle(ticket, str(self._newest))

        def again(place: int, late: Late) -> Callable[[], Awaitable[Pending | None]]:
            return lambda: self._write_again(place, late)

        calls = [again(place, late) for place, late in lates] + [call(part) for part in parts]
        settled = await settle_writes(calls=calls, confirm=confirm, done=done)
        self._hand = None
        return settled

    async def _write_again(self, place: int, late: Late) -> Pending:
        rewriting = Rewriting(late)
        log = self._broker.logs[self.sink]
        taken = [rewriting.take(offset, log[offset]) for offset in range(late.first, place)]
        while True:
            try:
                self._write([data for data in taken if data is not None])
                return []
            except SinkUnavailable:
                await step()

    # -- a worker that stands still, and its partition goes to another -----------------------------------------------

    def freeze(self) -> bool:
        """Stand still between looking at the lease and sending. False when there is nothing to send."""
        if self._hand is None:
            return False
        self._frozen.append(self._hand)
        return True

    def thaw(self) -> bool:
        """One that stood still sends what it held, or some of it. False when none does."""
        if not self._frozen:
            return False
        hand = self._frozen.popleft()
        with suppress(SinkUnavailable):
            self._write(hand.chunks[: self._rng.randrange(len(hand.chunks) + 1)])
        self._unsaid.append(hand)
        return True

    def say(self) -> bool:
        """One that was thawed says what it may have written late. False when none has to."""
        if not self._unsaid:
            return False
        hand = self._unsaid.popleft()
        self._broker.logs[self.sink].append(late_chunk(head_of(hand.chunks[0]), hand.late))
        return True

    async def _apply(self, part: list[tuple[int, bytes]]) -> Pending:
        while True:
            try:
                failed = self._write([data for _, data in part])
                break
            except SinkUnavailable:
                await step()
        pending: list[Awaitable[Any]] = []
        for (place, data), offsets in zip(part, failed, strict=True):
            header = head_of(data).header
            letters = {(header.partition, offset) for offset in offsets}
            self._letters += letters
            self._answered[place] = letters
            pending += [self._filed(letter) for letter in letters]
            self._stats.sink_chunk(self.sink, header, offsets, partial(row_offsets, data))
        return pending

    def _write(self, chunks: Sequence[bytes]) -> list[list[int]]:
        """Write chunks; return the offsets of each that were refused."""
        decoded = [_chunks.decode(data) for data in chunks]
        failed: list[list[int]] = [[] for _ in decoded]
        for _, run in groupby(enumerate(decoded), key=lambda pair: run_of(pair[1])):
            group = list(run)
            schema = group[0][1].schema
            rows: list[tuple[int, Row]] = [(index, row) for index, chunk in group for row in chunk.rows]
            written = write_reduced(
                [row for _, row in rows],
                schema.key_positions(),
                partial(self.store.write, schema),
                lambda *_: None,
            )
            for position, _ in written.failures:
                failed[rows[position][0]].append(rows[position][1].offset)
        return failed

    def _filed(self, letter: Letter) -> Until:
        return Until(lambda: letter in self._broker.letters[self.sink])

    def deliver(self) -> bool:
        """The broker takes the next dead letter; False when there is none."""
        if self._letters:
            self._broker.letters[self.sink].add(self._letters.popleft())
            return True
        return False

    def commit(self, *, lost: bool) -> bool:
        """Commit what may be; the broker's confirmation may get lost. True when there was anything."""
        if (committable := self._ledger.committable(self.sink)) is None:
            return False
        offset, note = committable
        letters = self._broker.letters[self.sink]
        for place in range(offset):
            owed = self._answered.get(place)
            assert owed is not None, f"{self.sink}: committed up to {offset}, and chunk {place} was not answered for"
            assert owed <= letters, f"{self.sink}: committed up to {offset} without the dead letters {owed - letters}"
        self._broker.commits[self.sink] = Commit(offset, note)
        if not lost:
            self._ledger.committed(self.sink, offset)
        return True

    @property
    def finished(self) -> bool:
        """Whether everything there is was written and every letter sent."""
        return self._task is None and not self._letters and self._taken == len(self._broker.logs[self.sink])
