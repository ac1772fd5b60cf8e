"""Pauses of sinks and restarts of their writers: the last word counts, and what is read again changes nothing."""

from __future__ import annotations

import asyncio
import logging

import msgspec
import pytest

from models import SinkOrder, Steer
from parrot_faust.errors import ParrotError, SinkUnavailable
from parrot_faust.steering import Steering

TOPIC = "unit.sinks"


class Process:
    def __init__(self) -> None:
        self.restarts = 0
        self.dies = False
        self.go = asyncio.Event()
        self.go.set()

    async def restart(self) -> None:
        await self.go.wait()
        if self.dies:
            raise SinkUnavailable("kudu", "its writer process died while it was starting")
        self.restarts += 1


class World:
    """A broker's topic, and a worker that steers by it."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes | None, bytes | None]] = []
        self.processes = {"kudu": Process(), "hbase": Process()}
        self.failed: set[str] = set()

    def worker(self, name: str = "here/1/1") -> Steering:
        async def send(key: bytes, value: bytes) -> None:
            self.records.append((key, value))

        return Steering(
            topic=TOPIC,
            worker=lambda: name,
            processes=self.processes,
            failed=self.failed.__contains__,
            send=send,
            options={},
            log=logging.getLogger("test.steering"),
        )

    async def read_all(self, topic: str, partition: int) -> list[tuple[bytes | None, bytes | None]]:
        assert (topic, partition) == (TOPIC, 0)
        return self.records

    async def taken(self, *workers: Steering) -> None:
        """Let workers read the topic from its beginning, as they do when they begin to follow it."""
        for worker in workers:
            for _, value in self.records:
                worker.take(value)
        for _ in range(5):
            await asyncio.sleep(0)

    def restarts(self) -> dict[str, int]:
        return {name: process.restarts for name, process in self.processes.items()}


@pytest.fixture
def world() -> World:
    return World()


async def test_a_pause_reaches_every_worker_and_concerns_its_sink_only(world: World) -> None:
    asked, other = world.worker(), world.worker("there/2/2")
    await asked.order("kudu", Steer.PAUSE, "a test")
    assert not asked.paused("kudu"), "it counts once it is on the topic, for all in the same order"
    await world.taken(asked, other)
    for worker in (asked, other):
        assert (worker.paused("kudu"), worker.paused("hbase")) == (True, False)
        pause = worker.pause("kudu")
        assert pause
        assert pause.reason == "paused by a test"
    await other.order("kudu", Steer.RESUME, "a test")
    await world.taken(asked, other)
    assert not asked.paused("kudu")
    assert not other.paused("kudu")


async def test_a_worker_that_starts_knows_what_was_said_and_restarts_nothing(world: World) -> None:
    before = world.worker()
    for word in (Steer.RESUME, Steer.RESTART, Steer.PAUSE):
        await before.order("kudu", word, "a test")
    later = world.worker("there/2/2")
    await later.load(world.read_all)
    assert later.paused("kudu")
    await world.taken(later)
    assert later.paused("kudu")
    assert world.restarts() == {"kudu": 0, "hbase": 0}


async def test_a_restart_is_done_once_in_every_worker_and_does_not_end_a_pause(world: World) -> None:
    worker = world.worker()
    await worker.order("kudu", Steer.PAUSE, "a test")
    await worker.order("kudu", Steer.RESTART, "a test")
    assert len({key for key, _ in world.records}) == 2, "compaction keeps both"
    world.processes["kudu"].go.clear()
    await world.taken(worker)
    assert worker.restarting("kudu")
    world.processes["kudu"].go.set()
    await world.taken(worker)
    assert not worker.restarting("kudu")
    assert (world.restarts(), worker.paused("kudu")) == ({"kudu": 1, "hbase": 0}, True)


async def test_a_restart_of_one_worker_or_of_what_failed_is_no_matter_of_others(world: World) -> None:
    worker = world.worker()
    await worker.order("kudu", Steer.RESTART, "a test", workers=("there/2/2",))
    await worker.order("kudu", Steer.RESTART, "a test", only_failed=True)
    await world.taken(worker)
    assert world.restarts()["kudu"] == 0
    world.failed.add("kudu")
    await worker.order("kudu", Steer.RESTART, "a test", only_failed=True)
    await worker.order("kudu", Steer.RESTART, "a test", workers=("here/1/1",))
    await world.taken(worker)
    assert world.restarts()["kudu"] == 2


async def test_a_process_that_does_not_come_back_is_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    worker = world.worker()
    world.processes["kudu"].dies = True
    await worker.order("kudu", Steer.RESTART, "a test")
    await world.taken(worker)
    assert "died while it was starting" in caplog.text
    assert not worker.restarting("kudu")


async def test_an_unknown_sink_is_refused_and_what_can_t_be_read_is_left_out(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    worker = world.worker()
    with pytest.raises(ParrotError, match="there are kudu, hbase"):
        await worker.order("oracle", Steer.PAUSE, "a test")
    assert world.records == []
    for value in (None, b"", b"{}", b'{"id": "1", "sink": "kudu", "word": "explode", "at_ms": 1}'):
        worker.take(value)
    assert caplog.text.count("can't be read") == 4
    worker.take(msgspec.json.encode(SinkOrder("1", "oracle", Steer.RESTART, 1)))
    assert not worker.restarting("oracle")
