"""The event loop's lateness: seen when something blocks it, and apart from waiting for a CPU."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from parrot_faust import loop_probe
from parrot_faust.loop_probe import LoopProbe

BLOCKED_S = 0.15


async def run(probe: LoopProbe, block_s: float) -> None:
    ended = False
    task = asyncio.create_task(probe.run(lambda: ended))
    await asyncio.sleep(0)
    time.sleep(block_s)  # noqa: ASYNC251 - the very thing to be seen
    ended = True
    await task


async def test_a_call_that_blocks_the_loop_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_probe, "_waited_s", lambda: 0.0)
    probe = LoopProbe()
    assert (probe.worst_ms, probe.own_ms) == (0.0, 0.0)
    await run(probe, BLOCKED_S)
    at_least = (BLOCKED_S - loop_probe.PERIOD_S) * 1e3 - 1
    assert probe.worst_ms >= at_least
    assert probe.own_ms == probe.worst_ms


async def test_waiting_for_a_cpu_that_others_had_is_not_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = iter([0.0, 10.0])
    monkeypatch.setattr(loop_probe, "_waited_s", lambda: next(waited))
    probe = LoopProbe()
    await run(probe, BLOCKED_S)
    assert probe.worst_ms > 0
    assert probe.own_ms == 0.0


async def test_the_greatest_lateness_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_probe, "_waited_s", lambda: 0.0)
    probe = LoopProbe()
    probe.worst_ms = probe.own_ms = 1e6
    await run(probe, 0.0)
    assert (probe.worst_ms, probe.own_ms) == (1e6, 1e6)


def test_the_wait_of_all_threads_is_added_and_what_cannot_be_read_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for thread, content in {"1": "5 2000000000 3", "2": "9 500000000 1", "3": "", "4": "a b c"}.items():
        (tmp_path / thread).mkdir()
        (tmp_path / thread / "schedstat").write_text(content)
    (tmp_path / "5").mkdir()  # ended: its file is gone
    monkeypatch.setattr(loop_probe, "_THREADS", tmp_path)
    assert loop_probe._waited_s() == 2.5
    monkeypatch.setattr(loop_probe, "_THREADS", tmp_path / "not this system's")
    assert loop_probe._waited_s() == 0.0
