"""A sink's process that dies, hangs, makes noise or is left behind. The store in it is the memory, each time empty."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil
import pytest
import pytest_asyncio

from models import Chunk, ChunkHeader, Column, Kind, Row, RowOp, TableSchema
from parrot_faust.errors import LeaseExpired, SinkUnavailable
from parrot_faust.sinks import host
from parrot_faust.sinks.factory import SinkSpec
from parrot_faust.sinks.process import OVERRUN_S, SinkProcess

SCHEMA = TableSchema.of("t", (Column("id", Kind.INT64, False), Column("text", Kind.STRING)), ("id",))
PATIENCE_S = 60.0  # of a test, for what takes a moment


def chunk(text: str = "a", rows: int = 1) -> bytes:
    made = [Row(offset, offset + 1, RowOp.UPSERT, (offset, text)) for offset in range(rows)]
    return msgspec.msgpack.encode(Chunk(ChunkHeader("t", 0, 0, rows - 1, 1, rows, rows, rows), SCHEMA, made))


def soon(seconds: float = 60.0) -> float:
    return time.monotonic() + seconds


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not yet asked for its status does not."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


async def pid_of(process: SinkProcess) -> int:
    found: int = await process._submit(host.identity)
    return found


@pytest_asyncio.fixture
async def process() -> AsyncIterator[SinkProcess]:
    made = SinkProcess(SinkSpec("memory", {}), "memory")
    await made.start()
    yield made
    await made.stop()


async def test_chunks_are_answered_in_their_order(process: SinkProcess) -> None:
    results = await process.write([chunk(rows=3), chunk(rows=2)], soon())
    assert [(result.rows, result.failures) for result in results] == [(3, ()), (2, ())]
    assert [change.change for change in results[0].ddl] == ["CreateTable"]
    assert process.restarts == 0


async def test_what_would_have_to_be_made_is_told_until_it_is_there(process: SinkProcess) -> None:
    (planned,) = await process.creations(SCHEMA)
    assert (planned.target, planned.change) == ("t", "CreateTable")
    await process.write([chunk()], soon())
    assert await process.creations(SCHEMA) == []
    assert await process.creations(TableSchema.of("t", SCHEMA.columns, ())) == [], "what does not fit is not missing"


async def test_calls_at_once_follow_one_another(process: SinkProcess) -> None:
    answers = await asyncio.gather(*(process.write([chunk(rows=count)], soon()) for count in range(1, 9)))
    assert [result.rows for (result,) in answers] == list(range(1, 9))


async def test_a_restart_ends_no_call_and_is_no_death(process: SinkProcess) -> None:
    first = await pid_of(process)
    call = asyncio.create_task(process.write([chunk(rows=3)], soon()))
    await asyncio.sleep(0)
    assert process.writing
    await process.restart()
    (result,) = await call
    assert (result.rows, result.failures) == (3, ())
    assert await pid_of(process) != first
    assert not alive(first)
    assert not process.writing
    assert (process.restarts, (await process.write([chunk()], soon()))[0].rows) == (0, 1)
    await process.stop()
    await process.restart()
    assert process.pid is None, "what was stopped stays so"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV])
async def test_process_that_died_between_calls_is_started_again(process: SinkProcess, how: signal.Signals) -> None:
    first = await pid_of(process)
    os.kill(first, how)
    until(lambda: not alive(first))
    with pytest.raises(SinkUnavailable, match="died"):
        await process.write([chunk()], soon())
    (result,) = await process.write([chunk()], soon())
    assert (result.rows, result.failures) == (1, ())
    assert await pid_of(process) != first
    assert process.restarts == 1


async def test_process_that_died_within_a_call_fails_the_call_and_is_started_again(process: SinkProcess) -> None:
    pid = await pid_of(process)
    os.kill(pid, signal.SIGSTOP)
    # More than a pipe holds, so that the parent is still writing when the child dies.
    call = asyncio.create_task(process.write([chunk("x" * 1_000_000)] * 4, soon()))
    waiting = asyncio.create_task(process.write([chunk()], soon()))
    await asyncio.sleep(0.1)
    assert not call.done()
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(SinkUnavailable, match="died"):
        await call
    (result,) = await waiting
    assert result.rows == 1
    assert process.restarts == 1


async def test_process_that_dies_each_time_never_breaks_the_next_call(process: SinkProcess) -> None:
    for _ in range(3):
        os.kill(await pid_of(process), signal.SIGKILL)
        with pytest.raises(SinkUnavailable):
            await process.write([chunk()], soon())
        assert len(await process.write([chunk()], soon())) == 1


async def test_hung_process_is_given_up_after_the_lease_and_the_loop_goes_on(process: SinkProcess) -> None:
    pid = await pid_of(process)
    os.kill(pid, signal.SIGSTOP)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.01)
            turns += 1

    counting = asyncio.create_task(count())
    lease = soon(0.3)
    with pytest.raises(SinkUnavailable, match="hung"):
        await asyncio.wait_for(process.write([chunk()], lease), 0.3 + OVERRUN_S + PATIENCE_S)
    counting.cancel()
    assert time.monotonic() >= lease  # it was given the time it had
    assert turns > 10
    assert not alive(pid)
    assert len(await process.write([chunk()], soon())) == 1
    assert process.restarts == 1


async def test_passed_lease_writes_nothing_and_costs_no_process(process: SinkProcess) -> None:
    pid = await pid_of(process)
    with pytest.raises(LeaseExpired):
        await process.write([chunk()], time.monotonic())
    (result,) = await process.write([chunk()], soon())
    assert [change.change for change in result.ddl] == ["CreateTable"]  # so the table had not been made
    assert (await pid_of(process), process.restarts) == (pid, 0)


async def test_process_that_starts_slowly_is_not_started_over_and_over() -> None:
    slow = SinkProcess(SinkSpec("memory", {}), "memory")
    try:
        with pytest.raises(SinkUnavailable, match="still starting"):
            await slow.write([chunk()], soon(0.001))
        starting = slow._pool
        assert len(await slow.write([chunk()], soon())) == 1
        assert slow._pool is starting
        assert slow.restarts == 0
    finally:
        await slow.stop()


@pytest.mark.parametrize("state", ["idle", "frozen", "writing", "about to write", "dead", "starting"])
async def test_stopping_leaves_no_child(state: str) -> None:
    before = set(psutil.Process().children())
    process = SinkProcess(SinkSpec("memory", {}), "memory")
    starting = asyncio.create_task(process.start())
    if state == "starting":
        await asyncio.sleep(0)  # it has begun, and its child has not answered yet
        assert process._identity is not None
    else:
        await starting
        pid = await pid_of(process)
        if state in ("frozen", "writing"):
            os.kill(pid, signal.SIGSTOP)
        if state == "writing":
            call = asyncio.create_task(process.write([chunk("x" * 1_000_000)], soon()))
            await asyncio.sleep(0.1)
        if state == "about to write":
            call = asyncio.create_task(process.write([chunk()], soon()))
            await asyncio.sleep(0)  # its turn has come, and it has sent nothing yet
        if state == "dead":
            os.kill(pid, signal.SIGKILL)
    await process.stop()
    left = {child for child in set(psutil.Process().children()) - before if "resource_tracker" not in _line(child)}
    assert left == set()
    if state in ("writing", "about to write"):
        with pytest.raises(SinkUnavailable, match="stopped"):
            await call
    if state == "starting":
        with pytest.raises(SinkUnavailable, match="stopped"):
            await starting
    with pytest.raises(SinkUnavailable, match="stopped"):
        await process.write([chunk()], soon())


def _line(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def make_noise() -> None:
    """Write to stdout and stderr from now on, past Python's own streams and through them."""

    def run() -> None:
        while True:
            os.write(1, b"\x80\x05noise\n\0" * 100)
            os.write(2, b"W1124 a library has something to say\n" * 100)
            print("printed")  # noqa: T201
            time.sleep(0.001)

    sys.stdin.close()
    threading.Thread(target=run, daemon=True).start()


async def test_noise_of_a_library_does_not_reach_the_answers(
    process: SinkProcess, capfd: pytest.CaptureFixture[str]
) -> None:
    await process._submit(make_noise)
    for count in range(1, 20):
        (result,) = await process.write([chunk(rows=count)], soon())
        assert (result.rows, result.failures) == (count, ())
    assert process.restarts == 0


async def test_interrupt_at_the_terminal_is_the_parents_alone(process: SinkProcess) -> None:
    pid = await pid_of(process)
    os.kill(pid, signal.SIGINT)
    assert len(await process.write([chunk()], soon())) == 1
    assert await pid_of(process) == pid


PARENT = """
import asyncio, os, signal, sys, time
from parrot_faust.sinks import host
from parrot_faust.sinks.factory import SinkSpec
from parrot_faust.sinks.process import SinkProcess

async def main():
    process = SinkProcess(SinkSpec("memory", {}), "memory")
    await process.start()
    print(await process._submit(host.identity), flush=True)
    END

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.mark.parametrize(
    "end",
    [
        "os.kill(os.getpid(), signal.SIGKILL)",
        "process._submit(time.sleep, 3600); await asyncio.sleep(0.2); os.kill(os.getpid(), signal.SIGKILL)",
        "os.abort()",
        "os._exit(0)",
        "raise RuntimeError('nobody stopped the process')",
        "await process.stop()",
    ],
)
def test_child_ends_with_its_parent_however_that_ends(tmp_path: Path, end: str) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT.replace("END", end))
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.wait(PATIENCE_S)
    until(lambda: not alive(child))


def test_client_is_loaded_while_the_process_starts_and_not_within_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading Kudu's takes seconds where the machine is busy: within a lease, no process would ever get to write."""
    loaded: list[str] = []
    monkeypatch.setattr(host, "_spec", SinkSpec("kudu", {}))
    monkeypatch.setattr(host, "load", lambda spec: loaded.append(spec.kind))
    assert host.identity() == os.getpid()
    assert loaded == ["kudu"]
