"""Sending dead letters again, exactly where the order of their keys allows it.

Every worker reads every request. A letter is taken by the worker that has its source partition, in the turn of
`changes`: at that moment every record of the partition below the lane's next offset has been sent to the writers, in
order. So a letter is sent again only if no newer record of its key lies between it and that offset, and all that comes
later is sent after it. Its rows have the version of their own place in the source, which the clock has passed and never
gives again: a store that keeps versions puts them where they belong, and sending them twice changes nothing.

Nothing is remembered but the two topics. A worker that takes a partition over finds the letters that nobody has
answered for yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from aiokafka.errors import KafkaError

from agents.again import Again, Letter
from agents.changes import Changes
from agents.lanes import Lane
from agents.outbox import Outbox
from models import Asked, Fate, Place, RedriveRequest, Resolution
from parrot_faust.delivery.filing import letter_of
from parrot_faust.delivery.heads import bounded_text
from parrot_faust.delivery.resolutions import Resolutions
from parrot_faust.delivery.stats import Stats
from parrot_faust.delivery.supersession import Watch
from parrot_faust.names import Names
from parrot_faust.transport.batch import Record
from parrot_faust.transport.reader import RecordReader

POLL_S = 0.5  # how often a worker looks for requests
AT_ONCE = 200  # letters that one turn takes: the agent `changes` waits meanwhile
GONE = "the source topic no longer has it"
NEWER = "a newer record of its key came meanwhile; ask again"

#: The source partitions that this worker has, with the group's generation; the committed offset of one.
Owned = Callable[[], Mapping[tuple[str, int], int]]
CommittedNote = Callable[[str, int], Awaitable[tuple[int, str] | None]]


@dataclass(slots=True)
class _Tail:
    """How far a topic of one partition has been read."""

    topic: str
    position: int = 0


class Redrive:
    """Follows the requests and answers those for this worker's source partitions. One instance a worker."""

    def __init__(
        self,
        *,
        changes: Changes,
        again: Again,
        reader: RecordReader,
        outbox: Outbox,
        names: Names,
        stats: Stats,
        owned: Owned,
        committed_note: CommittedNote,
        tombstones_delete: bool,
        log: Any,
    ) -> None:
        self._changes, self._again, self._reader = changes, again, reader
        self._outbox, self._stats, self._log = outbox, stats, log
        self._owned, self._committed_note = owned, committed_note
        self._tombstones_delete = tombstones_delete
        self._requests, self._answers = _Tail(names.redrive), _Tail(names.resolved)
        self._resolutions = Resolutions()
        #: What is asked and not answered: by letter, who asks and what.
        self._pending: dict[Place, tuple[str, Asked]] = {}

    async def run(self, should_stop: Callable[[], bool]) -> None:
        """Answer requests until the worker stops. A broker that is away is waited for."""
        said = False
        while not should_stop():
            try:
                await self.step()
                said = False
            except (KafkaError, OSError) as error:
                if not said:
                    self._log.warning("dead letters can't be sent again now: %r; trying again", error)
                said = True
            await asyncio.sleep(POLL_S)

    async def step(self) -> None:
        """Learn what was asked and answered since, and answer what is this worker's to answer."""
        async for record in self._new(self._requests):
            self._learn(record)
        if not self._pending:
            return
        async for record in self._new(self._answers):
            self._resolutions.see(record.value)
        for letter, (request, _) in list(self._pending.items()):
            standing = self._resolutions.of(letter)
            if standing.closed or standing.request == request:
                del self._pending[letter]
        for place, generation in self._owned().items():
            mine = [
                (request, asked)
                for request, asked in self._pending.values()
                if (asked.source.topic, asked.source.partition) == place
            ]
            mine.sort(key=lambda each: each[1].source.offset)
            for begin in range(0, len(mine), AT_ONCE):
                await self._take(place, generation, mine[begin : begin + AT_ONCE])

    async def _new(self, tail: _Tail) -> Any:
        _, end = await self._reader.bounds(tail.topic, 0)
        if end < tail.position:  # made anew
            tail.position = 0
        if end == tail.position:
            return
        async for records in self._reader.scan(tail.topic, 0, tail.position, end):
            for record in records:
                yield record
        tail.position = end

    def _learn(self, record: Record) -> None:
        try:
            request = msgspec.json.decode(record.value or b"", type=RedriveRequest)
        except msgspec.DecodeError as error:
            self._log.error("a request to send dead letters again can't be read and is left out: %s", error)
            return
        for asked in request.asked:
            self._pending[asked.letter] = (request.id, asked)

    # -- one source partition ----------------------------------------------------------------------------------------

    async def _take(self, place: tuple[str, int], generation: int, mine: Sequence[tuple[str, Asked]]) -> None:
        committed = await self._committed_note(*place)
        # What is not committed may be read again, and then ends as whatever it ends as: its letter waits until then.
        mine = [each for each in mine if committed and each[1].source.offset < committed[0]]
        if not mine:
            return
        letters, answers = await self._gather(place, mine)
        watch = Watch(
            ((letter.offset, letter.record_key, letter.sink) for letter in letters),
            tombstones_delete=self._tombstones_delete,
        )
        checked = min((letter.checked_to for letter in letters), default=0)
        async with self._changes.turn:
            lane = await self._lane(place, generation)
        if lane is None:
            return
        reached = lane.next_offset  # most is looked at before the turn is taken, so that it is short
        letters = await self._look(place, letters, watch, checked, reached, answers)
        async with self._changes.turn:
            lane = await self._lane(place, generation)
            if lane is None or lane.next_offset < reached:
                return  # taken away, or read again from before: whoever has it later begins anew
            letters = await self._look(place, letters, watch, max(checked, reached), lane.next_offset, answers)
            sent = await self._again.send(place, lane, letters)
        await self._outbox.confirm(sent.pending)
        await self._answer(place[0], [*answers, *sent.answers])

    async def _lane(self, place: tuple[str, int], generation: int) -> Lane | None:
        if self._owned().get(place) != generation:
            return None
        return await self._changes.lanes.at(*place, generation)

    async def _look(
        self,
        place: tuple[str, int],
        letters: list[Letter],
        watch: Watch,
        first: int,
        end: int,
        answers: list[Resolution],
    ) -> list[Letter]:
        """Look at the records from `first` to `end`; return the letters that none of them has replaced."""
        if letters and first < end:
            begin, _ = await self._reader.bounds(*place)
            if begin > first:
                answers += [letter.fate(Fate.UNCERTAIN, "", GONE) for letter in letters]
                return []
            async for records in self._reader.scan(*place, first, end):
                for record in records:
                    watch.see(record.offset, record.key, record.value)
        left = []
        for letter in letters:
            if (letter.offset, letter.sink) in watch.superseded:
                answers.append(letter.fate(Fate.OVERTAKEN, "", NEWER))
            else:
                left.append(letter)
        return left

    async def _gather(
        self, place: tuple[str, int], mine: Sequence[tuple[str, Asked]]
    ) -> tuple[list[Letter], list[Resolution]]:
        """The letters with their originals, and answers for those that can't be sent."""
        answers: list[Resolution] = []
        kept: dict[tuple[str, int], dict[int, Record]] = {}
        for box in {(asked.letter.topic, asked.letter.partition) for _, asked in mine}:
            offsets = [asked.letter.offset for _, asked in mine if (asked.letter.topic, asked.letter.partition) == box]
            kept[box] = await self._reader.read(*box, offsets)
        originals = await self._reader.read(*place, [asked.source.offset for _, asked in mine])
        letters = []
        for request, asked in mine:
            record = kept[asked.letter.topic, asked.letter.partition].get(asked.letter.offset)
            letter = letter_of(record.key, record.value, record.headers) if record is not None else None
            if letter is None or Place(letter.topic, letter.partition, letter.offset) != asked.source:
                answers.append(Resolution(asked.letter, Fate.REFUSED, request, message="no such letter is kept there"))
                continue
            original = originals.get(asked.source.offset)
            if original is None or letter.timestamp_ms not in (0, original.timestamp):
                answers.append(Resolution(asked.letter, Fate.UNCERTAIN, request, message=GONE))
            elif original.key is None:
                message = "it has no key, so nobody can tell whether it was replaced"
                answers.append(Resolution(asked.letter, Fate.REFUSED, request, message=message))
            else:
                letters.append(Letter.of(request, asked, letter, original))
        return letters, answers

    async def _answer(self, topic: str, answers: Sequence[Resolution]) -> None:
        pending = []
        for answer in answers:
            bounded = msgspec.structs.replace(answer, message=bounded_text(answer.message))
            pending.append(await self._outbox.resolve(bounded))
            self._stats.redriven(topic, answer.fate)
        await self._outbox.confirm(pending)
        for answer in answers:
            self._pending.pop(answer.letter, None)
