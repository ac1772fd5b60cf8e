"""Dead letters through decode, rules and schema once more, and on to the writers."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import msgspec

from agents.changes import Changes
from agents.fan_out import Targets, alike
from agents.holding import shown
from agents.judging import PASSING
from agents.lanes import Lane
from agents.outbox import Outbox
from agents.rule_book import RuleBook
from agents.schema_book import Places, SchemaBook
from models import (
    Action,
    Asked,
    Change,
    DeadLetter,
    Edit,
    Fate,
    Op,
    Place,
    Resolution,
    Row,
    RuleFailure,
    Stage,
    TableSchema,
)
from parrot_faust.codec import Decoder, Segment
from parrot_faust.delivery.chunks import Origin, pack, row_of, writes_partition
from parrot_faust.errors import RowTooLarge, TableRefused
from parrot_faust.masking import Masking, TableMask
from parrot_faust.names import Names
from parrot_faust.quality.edits import edit
from parrot_faust.transport.batch import Record


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter that is to be sent again, as a record that the decoder reads. `key` and `value` are the original's."""

    place: Place
    request: str
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Sequence[tuple[str, bytes]]
    record_key: bytes
    sink: str
    version: int
    checked_to: int
    letter: DeadLetter
    edit: Edit | None = None

    @classmethod
    def of(cls, request: str, asked: Asked, letter: DeadLetter, original: Record) -> Letter:
        """Of a letter and the record at its address, which alone has everything: a letter may be cut or masked."""
        whole = letter.carried and not (letter.cut or letter.masked or letter.withheld)
        return cls(
            place=asked.letter,
            request=request,
            offset=asked.source.offset,
            key=letter.key if whole else original.key,
            value=letter.value if whole else original.value,
            timestamp=original.timestamp,
            headers=original.headers,
            record_key=original.key or b"",
            sink=letter.sink,
            version=letter.version,
            checked_to=asked.checked_to,
            letter=letter,
            edit=asked.edit,
        )

    def fate(self, fate: Fate, error: str, message: str, sinks: tuple[str, ...] = ()) -> Resolution:
        """What has become of it."""
        return Resolution(self.place, fate, self.request, sinks=sinks, error=error, message=message, edit=self.edit)


@dataclass(slots=True)
class Sent:
    """What has become of letters, to be said once the broker has confirmed what is pending."""

    pending: list[Awaitable[Any]] = field(default_factory=list)
    answers: list[Resolution] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Source:
    """What the schema book wants to know of a batch."""

    topic: str
    partition: int
    first: int


class Again:
    """Sends letters of one source partition, in the turn of `changes`."""

    def __init__(
        self,
        *,
        changes: Changes,
        decoder: Decoder,
        rules: RuleBook,
        schemas: SchemaBook,
        masking: Masking,
        outbox: Outbox,
        names: Names,
        targets: Targets,
    ) -> None:
        self._changes, self._decoder = changes, decoder
        self._rules, self._schemas, self._masking = rules, schemas, masking
        self._outbox, self._names, self._targets = outbox, names, targets

    async def send(self, place: tuple[str, int], lane: Lane, letters: Sequence[Letter]) -> Sent:
        """Send what passes, in the order of their offsets. The clock of the lane is not moved."""
        sent = Sent()
        if not letters:
            return sent
        await self._changes.written.learn(letters)
        decoded = self._decoder.decode(place[0], letters)
        answered: set[int] = set()
        for failure in decoded.failures:
            answered.add(failure.index)
            text = shown(self._masking, place[0], failure.error)
            sent.answers.append(letters[failure.index].fate(Fate.FAILED, type(failure.error).__name__, text))
        for segment in decoded.segments:
            answered |= {change.index for change in segment.changes}
            await self._segment(sent, place, lane, letters, segment)
        sent.answers += [
            letter.fate(Fate.EMPTY, "", "it carries no row")
            for index, letter in enumerate(letters)
            if index not in answered
        ]
        return sent

    async def _segment(
        self, sent: Sent, place: tuple[str, int], lane: Lane, letters: Sequence[Letter], segment: Segment
    ) -> None:
        schema = segment.schema
        changes: Sequence[Change] = segment.changes
        source = _Source(place[0], place[1], changes[0].offset)
        try:
            mask = self._masking.of(schema)
            places = await self._places(sent, source, mask.schema if mask else schema, changes[0].time_us)
        except TableRefused as error:
            sent.answers += [
                letters[change.index].fate(Fate.FAILED, type(error).__name__, str(error)) for change in changes
            ]
            return
        if places is None:
            if self._schemas.history(schema.table).held:  # else it is a matter of moments, and the letters wait
                message = "the shape of its table waits for a decision, see `parrot schema history`"
                sent.answers += [letters[change.index].fate(Fate.FAILED, "", message) for change in changes]
            return
        changes = _edited(sent, schema, changes, letters, mask)
        held = await self._check(sent, schema, changes, letters, mask)
        if mask:
            schema, changes = mask.schema, mask.changes(changes)
        rows: list[tuple[Row, Letter]] = []
        for position, change in enumerate(changes):
            letter = letters[change.index]
            if position in held:
                continue
            if change.op is Op.TRUNCATE:
                sent.answers.append(letter.fate(Fate.EMPTY, "", "truncates are reported and not applied"))
                continue
            if lane.images:
                try:
                    await self._changes.filling.fill(source, sent.pending, lane.images, schema, change)
                except RowTooLarge as error:
                    sent.answers.append(letter.fate(Fate.FAILED, type(error).__name__, str(error)))
                    continue
            rows.append((row_of(change, letter.version or lane.clock.last), letter))
        for (sink, request), run in groupby(rows, key=lambda each: (each[1].sink, each[1].request)):
            await self._forward(sent, place, lane, places, sink, request, list(run))

    async def _places(self, sent: Sent, source: _Source, schema: TableSchema, time_us: int) -> Places | None:
        """Where rows of a shape go; None while that is not decided, which is then asked for."""
        sinks = self._targets.sinks(source.topic)
        places = self._schemas.places(schema, sinks)
        if places is None and (announcement := await self._schemas.seen(schema, source, sinks, time_us)):
            sent.pending.append(announcement)
            places = self._schemas.places(schema, sinks)
        return places

    async def _check(
        self,
        sent: Sent,
        schema: TableSchema,
        changes: Sequence[Change],
        letters: Sequence[Letter],
        mask: TableMask | None,
    ) -> set[int]:
        """Return the positions of changes that rules hold back by now."""
        compiled = self._rules.compiled(schema)
        held: set[int] = set()
        for position, bits in compiled.scan(changes) if compiled else ():
            assert compiled is not None
            change, letter = changes[position], letters[changes[position].index]
            action, failures = compiled.settle(change, bits)
            if action in PASSING:
                continue
            held.add(position)
            if mask:
                failures = mask.failures(failures)
            message = "; ".join(f"{failure.rule}: {failure.reason}" for failure in failures)
            if action is Action.DROP:
                sent.answers.append(letter.fate(Fate.DROPPED, "RuleFailed", message))
            elif letter.letter.quarantined or action is Action.FAIL:
                sent.answers.append(letter.fate(Fate.FAILED, "RuleFailed", message))
            else:
                moved = _quarantined(letter, change, failures, message, mask)
                sent.pending.append(await self._outbox.hold(moved))
                sent.answers.append(letter.fate(Fate.QUARANTINED, "RuleFailed", message))
        return held

    async def _forward(
        self,
        sent: Sent,
        place: tuple[str, int],
        lane: Lane,
        places: Places,
        sink: str,
        request: str,
        run: Sequence[tuple[Row, Letter]],
    ) -> None:
        """Send a run of rows whose letters go to the same stores and were asked for together."""
        topic, partition = place
        targets = self._targets
        sinks = tuple(each for each in targets.sinks(topic) if sink in ("", each))
        placements = {each: found for each in sinks if (found := places[each])}
        if not sinks or len(placements) < len(sinks):
            error = "TableRefused" if sinks else ""
            message = (
                "a store has no table for rows of this key, see `parrot schema history`"
                if sinks
                else (f"{topic} does not go to {sink} any more")
            )
            fate = Fate.FAILED if sinks else Fate.REFUSED
            sent.answers += [letter.fate(fate, error, message) for _, letter in run]
            return
        by_place = {letter.place: letter for _, letter in run}
        origin = Origin(topic, partition, lane.generation, request)
        too_large: dict[Place, RowTooLarge] = {}
        for placement, alike_sinks in alike(placements):
            rows = [row if placement.take is None else placement.take(row) for row, _ in run]
            packed = pack(
                origin,
                placement.schema,
                rows,
                [0] * len(run),
                max_rows=targets.chunk_rows,
                max_bytes=targets.chunk_bytes,
                letters=[letter.place for _, letter in run],
            )
            for chunk in packed:
                if chunk.data is None:
                    error_of = RowTooLarge(placement.schema.table, chunk.size, targets.chunk_bytes)
                    too_large[chunk.header.letters[0]] = error_of
                    continue
                for each in alike_sinks:
                    confirmation = await self._outbox.send(
                        self._names.writes(each),
                        chunk.data,
                        key=f"{topic}/{partition}".encode(),
                        partition=writes_partition(topic, partition, targets.partitions()),
                    )
                    sent.pending.append(confirmation)
        for letter_place, letter in by_place.items():
            if refused := too_large.get(letter_place):
                sent.answers.append(letter.fate(Fate.FAILED, type(refused).__name__, str(refused)))
            else:
                sent.answers.append(letter.fate(Fate.FORWARDED, "", "", sinks))


def _edited(
    sent: Sent, schema: TableSchema, changes: Sequence[Change], letters: Sequence[Letter], mask: TableMask | None
) -> list[Change]:
    """The changes with the values that people have put in, without those that can't have them."""
    passed = []
    for change in changes:
        letter = letters[change.index]
        if letter.edit is not None:
            hidden = sorted(set(mask.columns if mask else ()) & letter.edit.values.keys())
            try:
                if hidden:  # the value would stand in a topic as it is
                    raise ValueError(f"{', '.join(hidden)} is masked: correct it at the source")
                edit(schema, change, letter.edit.values)
            except ValueError as error:
                sent.answers.append(letter.fate(Fate.FAILED, "", f"not corrected: {error}"))
                continue
        passed.append(change)
    return passed


def _quarantined(
    letter: Letter, change: Change, failures: Sequence[RuleFailure], message: str, mask: TableMask | None
) -> DeadLetter:
    """The letter of the quarantine that takes the place of a dead letter."""
    return msgspec.structs.replace(
        letter.letter,
        key=mask.record_key(change) if mask else letter.key,
        value=mask.record(change) if mask else letter.value,
        headers=() if mask else tuple(letter.headers),
        timestamp_ms=letter.timestamp,
        masked=mask.columns if mask else (),
        withheld=False,
        carried=True,
        cut=(),
        stage=Stage.CHECK,
        error="RuleFailed",
        message=message,
        sink="",
        rule=",".join(failure.rule for failure in failures),
        rules_version=failures[0].version,
    )
