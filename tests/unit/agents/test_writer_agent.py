"""The writer agents: what a store's answers lead to, and when a batch is settled."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from agent_stubs import NAMES, ORDERS, TIME_US, TOPIC, Batches, Producer, Record, chunk, turns
from aiokafka.errors import KafkaError

from agents.calls import CALL_ROWS, calls_of
from agents.outbox import Outbox
from agents.schema_book import SchemaBook, SchemaSeen
from agents.writer import Writer
from models import AppliedDdl, Chunk, Fate, Late, Place, Resolution, Row, RowOp, Stage
from parrot_faust.delivery.chunks import Origin, head_of, pack
from parrot_faust.delivery.overrun import late_chunk
from parrot_faust.delivery.stats import Stats
from parrot_faust.errors import LeaseExpired, SinkUnavailable
from parrot_faust.sinks.process import ChunkFailure, ChunkResult
from parrot_faust.tracing import OFF, Traces

MADE = AppliedDdl(TOPIC, "public.orders", "CreateTable", "(id int64)", 0.5)
TRANSIENT = ChunkFailure(0, True, "Timeout", "the tablet has no leader")
TERMINAL = ChunkFailure(1, False, "ValueRefused", "column n: too large")
WRITES = NAMES.writes("kudu")


@dataclass
class Store:
    """A sink's process that answers as told, and with success for what it was not told."""

    answers: list[Any] = field(default_factory=list)
    calls: list[list[bytes]] = field(default_factory=list)
    leases: list[float] = field(default_factory=list)
    restarts: int = 0
    seconds: list[float] = field(default_factory=list)

    async def write(self, chunks: Sequence[bytes], lease: float) -> list[ChunkResult]:
        self.calls.append(list(chunks))
        await asyncio.sleep(self.seconds.pop(0) if self.seconds else 0)
        self.leases.append(lease)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return list(answer)
        return [ChunkResult(head_of(each).header.rows) for each in chunks]


@dataclass
class World:
    """A writer among stubs."""

    store: Store = field(default_factory=Store)
    producer: Producer = field(default_factory=Producer)
    batches: Batches = field(default_factory=Batches)
    stats: Stats = field(default_factory=lambda: Stats(lambda: TIME_US / 1e6 + 1))
    owned: Callable[[], bool] = lambda: True
    paused: Callable[[], bool] = lambda: False
    lease: Callable[[], float] = lambda: time.monotonic() + 60
    waits: list[tuple[float, float]] = field(default_factory=list)
    note: str = ""
    #: What the writes topic holds, and the ranges of it that were read again.
    log: list[Record] = field(default_factory=list)
    scanned: list[tuple[str, int, int, int]] = field(default_factory=list)
    unreadable: int = 0
    traces: Traces = OFF

    async def scan(self, topic: str, partition: int, first: int, end: int) -> AsyncIterator[Sequence[Record]]:
        self.scanned.append((topic, partition, first, end))
        for record in self.log:
            if first <= record.offset < end:
                yield [record]
                if self.unreadable:
                    self.unreadable -= 1
                    raise KafkaError("the broker is away")

    async def committed_note(self, topic: str, partition: int) -> tuple[int, str] | None:
        return (40, self.note) if self.note else None

    def writer(self) -> Writer:
        outbox = Outbox(self.producer, NAMES)
        return Writer(
            "kudu",
            self.store,  # type: ignore[arg-type]
            outbox=outbox,
            schemas=SchemaBook(outbox, NAMES, self.stats, lambda: 5),
            stats=self.stats,
            lease_until=lambda: self.lease(),
            owns=lambda _: self.owned(),
            paused=lambda: self.paused(),
            committed_note=self.committed_note,
            scan=self.scan,
            log=logging.getLogger("test.writer"),
            jitter=lambda: 0.0,
            retry_first_s=1.0,
            retry_cap_s=60.0,
            traces=self.traces,
        )

    def batch(self, *values: bytes | None, first: int = 40, generation: int = 1) -> Any:
        records = [Record(first + index, b"k", value) for index, value in enumerate(values)]
        return self.batches.of(records, topic=WRITES, generation=generation)

    def sink(self) -> dict[str, Any]:
        view: dict[str, Any] = self.stats.snapshot()["sinks"]["kudu"]
        return view

    def counts(self) -> tuple[int, int]:
        counts = self.sink()["tables"][TOPIC]
        return counts["applied"], counts["dead_lettered"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()

    def no_delay(first: float, cap: float, _jitter: Callable[[], float]) -> Any:
        made.waits.append((first, cap))
        return itertools.repeat(0.0)

    monkeypatch.setattr("agents.writer.delays", no_delay)
    monkeypatch.setattr("agents.writer.RENEWAL_POLL_S", 0.0)
    return made


# -- calls -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "calls"),
    [
        ([], []),
        ([5], [[5]]),
        ([CALL_ROWS], [[CALL_ROWS]]),
        ([CALL_ROWS + 1], [[CALL_ROWS + 1]]),
        ([1, CALL_ROWS + 1, 1], [[1], [CALL_ROWS + 1], [1]]),
        ([CALL_ROWS - 1, 1, 1], [[CALL_ROWS - 1, 1], [1]]),
        ([500] * 14, [[500] * 6, [500] * 6, [500] * 2]),
    ],
)
def test_chunks_are_cut_into_calls_of_bounded_rows_in_order(rows: list[int], calls: list[list[int]]) -> None:
    assert [rows[each] for each in calls_of(rows)] == calls


async def test_a_large_batch_is_written_in_bounded_calls_and_settled_once(world: World) -> None:
    chunks = [chunk(first, 1_000) for first in range(0, 8_000, 1_000)]
    await world.writer().take(world.batch(*chunks))
    assert world.store.calls == [chunks[:3], chunks[3:6], chunks[6:]]
    assert (world.batches.settled, world.counts()) == ([(40, 47, "1")], (8_000, 0))


# -- what a store answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble", [SinkUnavailable("kudu", "no route"), [ChunkResult(2, (TRANSIENT,))]], ids=["away", "transient row"]
)
async def test_what_may_pass_is_tried_again_and_never_dead_lettered(world: World, trouble: Any) -> None:
    world.store.answers = [trouble] * 5
    data = chunk(0)
    await world.writer().take(world.batch(data))
    assert world.store.calls == [[data]] * 6
    assert not world.producer.sent
    assert (world.batches.settled, world.counts()) == ([(40, 40, "1")], (2, 0))
    assert world.waits == [(1.0, 60.0)], "one growing wait for the whole outage"


async def test_an_outage_is_one_line_of_log_and_its_end_another(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world.store.answers = [SinkUnavailable("kudu", "no route")] * 20
    await world.writer().take(world.batch(chunk(0)))
    assert [(record.levelname, record.getMessage().split(";")[0]) for record in caplog.records] == [
        ("WARNING", "kudu is not available: no route"),
        ("INFO", "kudu is back, writing goes on"),
    ]


async def test_a_transient_row_is_said_with_the_store_it_is_of(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.store.answers = [[ChunkResult(2, (TRANSIENT,))]]
    await world.writer().take(world.batch(chunk(0)))
    assert "kudu" in caplog.records[0].getMessage()
    assert TRANSIENT.message in caplog.records[0].getMessage()


async def test_the_view_tells_of_an_outage_while_it_lasts(world: World) -> None:
    seen: list[tuple[str, str]] = []

    def owned() -> bool:
        if world.store.calls:
            seen.append((world.sink()["state"], world.sink()["error"]))
        return True

    world.owned = owned
    world.store.answers = [SinkUnavailable("kudu", "no route")]
    await world.writer().take(world.batch(chunk(0)))
    assert seen == [("retrying", "kudu is not available: no route")]
    assert (world.sink()["state"], world.sink()["error"]) == ("ok", "")


async def test_refused_rows_are_dead_lettered_by_address_and_the_rest_counts_as_applied(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.store.answers = [[ChunkResult(3, (TERMINAL,)), ChunkResult(2)]]
    await world.writer().take(world.batch(chunk(0, 3), chunk(3, 2)))
    (letter,) = world.producer.held()
    assert (letter.topic, letter.partition, letter.offset) == (TOPIC, 0, TERMINAL.offset)
    assert (letter.stage, letter.sink, letter.error) == (Stage.WRITE, "kudu", "ValueRefused")
    assert (letter.carried, letter.message, letter.version) == (False, TERMINAL.message, TIME_US + TERMINAL.offset)
    assert world.counts() == (4, 1)
    assert len(world.store.calls) == 1, "a refused row is not tried again"
    assert TERMINAL.message in caplog.text


async def test_a_row_is_refused_only_once_nothing_else_is_pending(world: World) -> None:
    world.store.answers = [[ChunkResult(3, (TERMINAL, TRANSIENT))], [ChunkResult(3, (TERMINAL,))]]
    await world.writer().take(world.batch(chunk(0, 3)))
    assert [letter.offset for letter in world.producer.held()] == [1]
    assert world.counts() == (2, 1)


async def test_a_batch_is_settled_only_after_its_dead_letters_are_confirmed(world: World) -> None:
    world.producer.prompt = False
    world.store.answers = [[ChunkResult(2, (TERMINAL,))]]
    task = asyncio.create_task(world.writer().take(world.batch(chunk(0))))
    await turns()
    assert not world.batches.settled
    world.producer.confirm()
    await task
    assert world.batches.settled == [(40, 40, "1")]


async def test_a_dead_letter_that_is_not_taken_settles_nothing(world: World) -> None:
    world.producer.prompt = False
    world.store.answers = [[ChunkResult(2, (TERMINAL,))]]
    task = asyncio.create_task(world.writer().take(world.batch(chunk(0))))
    await turns()
    world.producer.sent[0].confirmation.set_exception(ConnectionError("gone"))
    with pytest.raises(ConnectionError):
        await task
    assert not world.batches.settled


async def test_a_table_made_in_a_try_that_must_be_repeated_is_told_of_once(world: World) -> None:
    world.store.answers = [[ChunkResult(2, (TRANSIENT,), (MADE,))], SinkUnavailable("kudu", "x"), [ChunkResult(2)]]
    await world.writer().take(world.batch(chunk(0)))
    (sent,) = world.producer.to(NAMES.schemas)
    seen = msgspec.json.decode(sent.value or b"", type=SchemaSeen)
    assert (seen.topic, seen.sink, seen.schema, seen.seconds) == (TOPIC, "kudu", None, 0.5)
    assert [change.change for change in seen.changes] == ["CreateTable"]
    (shown,) = world.stats.snapshot()["schema_changes"]
    assert (shown["sink"], shown["change"]) == ("kudu", "CreateTable")


# -- who may write ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("calls", [0, 1])
async def test_a_batch_taken_away_meanwhile_is_left_unsettled(
    world: World, calls: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    world.owned = lambda: len(world.store.calls) < calls
    world.store.answers = [SinkUnavailable("kudu", "no route")] * 5
    await world.writer().take(world.batch(chunk(0)))
    assert len(world.store.calls) == calls
    assert not world.batches.settled
    assert not world.producer.sent
    assert "taken away" in caplog.text


async def test_what_a_batch_that_was_taken_away_had_applied_is_settled_by_nobody_here(world: World) -> None:
    world.owned = lambda: not world.store.calls
    await world.writer().take(world.batch(chunk(0, CALL_ROWS), chunk(CALL_ROWS, 1)))
    assert len(world.store.calls) == 1
    assert not world.batches.settled


async def test_nothing_is_sent_while_the_lease_is_over(world: World) -> None:
    leases = [time.monotonic() - 1] * 5 + [time.monotonic() + 60]
    world.lease = lambda: leases.pop(0) if len(leases) > 1 else leases[0]
    last = leases[-1]
    await world.writer().take(world.batch(chunk(0)))
    assert world.store.leases == [last], "one call, under the lease that was renewed"
    assert len(world.batches.settled) == 1


async def test_a_lease_that_ends_on_the_way_is_no_outage(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.store.answers = [LeaseExpired("over")]
    await world.writer().take(world.batch(chunk(0)))
    assert len(world.store.calls) == 2
    assert len(world.batches.settled) == 1
    assert not caplog.records


async def test_a_chunk_of_an_earlier_owner_is_fenced_and_its_batch_settled(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    writer = world.writer()
    newer, stale, ahead = chunk(0, 10, generation=3), chunk(4, 2, generation=2), chunk(10, 2, generation=2)
    await writer.take(world.batch(newer))
    await writer.take(world.batch(stale, ahead, first=41))
    assert world.store.calls == [[newer], [ahead]], "only what the new owner has surely applied is left out"
    assert len(world.batches.settled) == 2
    assert "earlier owner" in caplog.text


@pytest.mark.parametrize("again", [{"generation": 2}, {}], ids=["after a rebalance", "set back"])
async def test_chunks_that_were_seen_and_not_written_are_written_when_they_come_again(
    world: World, again: dict[str, int]
) -> None:
    writer = world.writer()
    older, newer = chunk(0, 4, generation=2), chunk(4, 4, generation=3)
    world.owned = lambda: False
    await writer.take(world.batch(older, newer))
    assert world.batches.settled == []
    world.owned = lambda: True
    await writer.take(world.batch(older, newer, **again))
    assert world.store.calls[-1] == [older, newer], "the older one is not of an earlier owner: it was never written"
    assert len(world.batches.settled) == 1


async def test_the_newest_generation_goes_to_the_next_writer_with_the_commit(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await world.writer().take(world.batch(chunk(0, 10, generation=3)))
    assert world.batches.settled[-1][2] == "3"
    world.note = "3"
    stale, newer = chunk(4, 2, generation=2), chunk(10, 2, generation=4)
    await world.writer().take(world.batch(stale, newer))
    assert world.store.calls[-1] == [newer]
    assert world.batches.settled[-1][2] == "4"
    assert "earlier owner" in caplog.text


async def test_a_message_that_is_no_chunk_is_held_with_its_bytes_and_the_rest_applied(world: World) -> None:
    await world.writer().take(world.batch(b"\xff", chunk(0), None))
    assert [(letter.topic, letter.offset, letter.value) for letter in world.producer.held()] == [
        (WRITES, 40, b"\xff"),
        (WRITES, 42, None),
    ]
    assert all(letter.carried and letter.sink == "kudu" for letter in world.producer.held())
    assert world.counts() == (2, 0)
    assert world.batches.settled == [(40, 42, "1")]


async def test_an_error_that_nobody_foresaw_goes_up_and_settles_nothing(world: World) -> None:
    world.store.answers = [RuntimeError("a bug")]
    with pytest.raises(RuntimeError, match="a bug"):
        await world.writer().take(world.batch(chunk(0)))
    assert not world.batches.settled


# -- dead letters that are sent again --------------------------------------------------------------------------------

LETTERS = (Place("app.dead.t", 0, 7), Place("app.dead.t", 0, 9))


def again(generation: int = 1) -> bytes:
    """A chunk of two dead letters, of offsets long passed."""
    rows = [Row(offset, TIME_US + offset, RowOp.UPSERT, (offset, 1, "x")) for offset in (0, 1)]
    origin = Origin(TOPIC, 0, generation, "r")
    (packed,) = pack(origin, ORDERS, rows, [0, 0], max_rows=9, max_bytes=1 << 20, letters=LETTERS)
    assert packed.data is not None
    return packed.data


def resolved(world: World) -> list[Resolution]:
    return [msgspec.json.decode(sent.value or b"", type=Resolution) for sent in world.producer.to(NAMES.resolved)]


async def test_a_letter_that_is_sent_again_is_answered_for_and_counted_apart(world: World) -> None:
    writer = world.writer()
    await writer.take(world.batch(chunk(10, 2)))
    before = world.sink()
    world.store.answers = [[ChunkResult(2, (TERMINAL,))]]
    await writer.take(world.batch(again()))
    assert world.producer.held() == [], "what fails again is the letter it was"
    assert resolved(world) == [
        Resolution(LETTERS[0], Fate.APPLIED, "r", sink="kudu"),
        Resolution(LETTERS[1], Fate.FAILED, "r", sink="kudu", error=TERMINAL.error, message=TERMINAL.message),
    ]
    assert world.sink() == before
    assert world.stats.snapshot()["redrive"]["sinks"] == [{"sink": "kudu", "table": TOPIC, "applied": 1, "failed": 1}]
    await writer.take(world.batch(chunk(12, 1)))
    assert world.counts() == (3, 0), "what comes next is counted as if nothing had been sent again"


async def test_letters_of_a_worker_that_lost_the_partition_are_not_written_and_stay_open(world: World) -> None:
    writer = world.writer()
    await writer.take(world.batch(chunk(10, 2, generation=3)))
    await writer.take(world.batch(again(generation=2), first=41))
    assert len(world.store.calls) == 1
    assert [(each.letter, each.fate) for each in resolved(world)] == [(each, Fate.OVERTAKEN) for each in LETTERS]
    assert len(world.batches.settled) == 2


async def test_ranges_that_come_by_the_clock_are_counted_and_kept_out_of_the_history(world: World) -> None:
    made = AppliedDdl(TOPIC, "public.orders", "AddRange", "at 1 day from 2026-01-01", 0.1)
    world.store.answers = [[ChunkResult(2, (), (made,))]]
    await world.writer().take(world.batch(chunk(0)))
    assert not world.producer.to(NAMES.schemas)
    assert [change["change"] for change in world.stats.snapshot()["schema_changes"]] == ["AddRange"]


# -- a worker that was frozen ----------------------------------------------------------------------------------------


def keyed(offset: int, *rows: tuple[int, str], generation: int = 1) -> bytes:
    made = [Row(offset + index, offset + index, RowOp.UPSERT, values) for index, values in enumerate(rows)]
    (packed,) = pack(Origin(TOPIC, 0, generation), ORDERS, made, [TIME_US] * len(made), max_rows=100, max_bytes=1 << 20)
    assert packed.data
    return packed.data


def rows_of(call: list[bytes]) -> list[tuple[Any, ...]]:
    return [row.values for data in call for row in msgspec.msgpack.decode(data, type=Chunk).rows]


async def test_a_call_that_outlasts_its_lease_is_made_again_within_another(world: World) -> None:
    leases = iter([time.monotonic() + 0.05])
    world.lease = lambda: next(leases, time.monotonic() + 60)
    world.store.seconds = [0.1]
    await world.writer().take(world.batch(chunk(0)))
    assert len(world.store.calls) == 2
    assert (world.batches.settled, world.producer.sent) == ([(40, 40, "1")], [])


async def test_what_may_have_been_written_late_is_said_behind_what_was_written_since(world: World) -> None:
    world.lease = lambda: time.monotonic() + 0.05
    world.store.seconds = [0.1]
    world.owned = lambda: not world.store.calls
    await world.writer().take(world.batch(b"no chunk", chunk(0)))
    ((topic, value, partition),) = [
        (sent.topic, sent.value, sent.partition) for sent in world.producer.sent if sent.topic == WRITES
    ]
    said = msgspec.msgpack.decode(value, type=Chunk)
    assert (topic, partition, said.rows, said.header.rows) == (WRITES, 0, [], 0)
    assert said.header.late == Late(40, 41, 0)
    assert world.batches.settled == []


async def test_rows_that_were_written_again_too_late_are_said_from_where_they_come(world: World) -> None:
    values = [keyed(0, (1, "late")), keyed(2, (1, "new"))]
    late = late_chunk(head_of(values[0]), Late(40, 40, 0))
    world.log = [Record(40 + index, b"k", value) for index, value in enumerate([*values, late])]
    world.lease = lambda: time.monotonic() + 0.05
    world.store.seconds = [0.1]
    world.owned = lambda: not world.store.calls
    await world.writer().take(world.batch(late, first=42))
    (value,) = [sent.value for sent in world.producer.sent if sent.topic == WRITES]
    said = msgspec.msgpack.decode(value, type=Chunk)
    assert (said.rows, said.header.late) == ([], Late(40, 42, 0))
    assert world.batches.settled == []


async def test_a_batch_that_is_lost_within_its_lease_is_no_reason_to_write_anything_again(world: World) -> None:
    world.owned = lambda: not world.store.calls
    world.store.answers = [SinkUnavailable("kudu", "away")]
    await world.writer().take(world.batch(chunk(0)))
    assert world.producer.sent == []


@pytest.mark.parametrize("unreadable", [0, 1])
async def test_rows_of_late_keys_are_written_again_from_there_on_before_anything_newer(
    world: World, unreadable: int, caplog: pytest.LogCaptureFixture
) -> None:
    world.unreadable = unreadable
    values = [keyed(0, (1, "late"), (2, "late")), keyed(2, (1, "new"), (3, "other")), keyed(4, (3, "other"))]
    late = late_chunk(head_of(values[0]), Late(40, 40, 0))
    newest = keyed(6, (2, "newest"))
    world.log = [Record(40 + index, b"k", value) for index, value in enumerate([*values, late, newest])]
    await world.writer().take(world.batch(late, newest, first=43))
    assert set(world.scanned) == {(WRITES, 0, 40, 43)}
    calls = [rows_of(call) for call in world.store.calls]
    assert calls[-3:] == [[(1, "late"), (2, "late")], [(1, "new")], [(2, "newest")]]
    assert world.batches.settled == [(43, 44, "1")]
    assert world.counts() == (1, 0)
    assert "wrote 3 rows again" in caplog.text


async def test_that_rows_written_late_can_no_longer_be_found_is_an_error_that_says_what_to_do(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    late = late_chunk(head_of(keyed(0, (1, "late"))), Late(40, 40, 0))
    world.log = [Record(42, b"k", keyed(2, (1, "new")))]
    await world.writer().take(world.batch(late, first=43))
    (error,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert "no longer has offset 40" in error
    assert "parrot verify --repair" in error


# -- a paused sink ---------------------------------------------------------------------------------------------------


async def test_nothing_is_written_of_a_paused_sink_and_all_of_it_afterwards(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.writer.PAUSED_POLL_S", 0.0)
    paused = True
    world.paused = lambda: paused
    task = asyncio.create_task(world.writer().take(world.batch(chunk(0, 2), chunk(2, 2))))
    await turns(50)
    assert (world.store.calls, world.batches.settled, task.done()) == ([], [], False)
    paused = False
    await task
    assert (len(world.store.calls), world.batches.settled, world.counts()) == (1, [(40, 41, "1")], (4, 0))


async def test_a_pause_stops_the_tries_at_a_store_that_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.writer.PAUSED_POLL_S", 0.0)
    world.store.answers = [SinkUnavailable("kudu", "away")] * 3
    world.paused = lambda: len(world.store.calls) == 2
    task = asyncio.create_task(world.writer().take(world.batch(chunk(0, 2))))
    await turns(50)
    assert (len(world.store.calls), task.done()) == (2, False)
    world.paused = lambda: False
    await task
    assert (len(world.store.calls), world.counts()) == (4, (2, 0))


async def test_a_paused_writer_gives_up_a_partition_that_was_taken_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.writer.PAUSED_POLL_S", 0.0)
    owned, world.paused = True, lambda: True
    world.owned = lambda: owned
    task = asyncio.create_task(world.writer().take(world.batch(chunk(0, 2))))
    await turns(20)
    assert not task.done()
    owned = False
    await task
    assert (world.store.calls, world.batches.settled) == ([], [])
