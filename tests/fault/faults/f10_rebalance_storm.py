"""Workers join and leave all the time, and one is frozen past its session and thawed."""

from __future__ import annotations

import os
import signal
import time

from pipelines import eventually
from report import Result
from world import Scene, World

from faults import Fault
from parrot_faust.demo.worker import Worker

EVERY_S = 2.0
FROZEN_S = 12.0  # twice the session
REVOKED_S = 20.0  # within which a leaving worker must be gone: it finishes what it has in hand for 7 s at most


def run(world: World, fault: Fault) -> Result:
    """Every two seconds a worker joins or leaves; in between one is frozen, and everything it held goes to others."""
    with world.scene(fault.number, fault.title, fault.firings(world)) as scene:
        (steady,) = scene.begin()
        spare: list[Worker] = []
        leaving: list[tuple[Worker, float]] = []
        slowest = 0.0
        for turn in range(fault.firings(world) - 1):
            began = time.monotonic()
            # At most two besides the steady one: this machine has few cores, and a group this small has every turn.
            if len(spare) < 2 and (not spare or scene.random.random() < 0.5):
                spare.append(scene.run.launch(delivery=_delivery()))
            else:
                worker = spare.pop(0)
                if scene.random.random() < 0.3:
                    scene.kill_worker(worker)
                else:
                    assert worker.pid is not None
                    os.kill(worker.pid, signal.SIGTERM)
                    leaving.append((worker, time.monotonic()))
            scene.fired()
            slowest = max(slowest, _gone(scene, leaving))
            if turn == fault.firings(world) // 2:
                _freeze(scene, spare)
            time.sleep(max(0.0, EVERY_S - (time.monotonic() - began)))
        while leaving:
            slowest = max(slowest, _gone(scene, leaving))
            time.sleep(0.1)
        scene.durable("after the storm")
        scene.check(steady.running, "the steady worker has ended")
        scene.note(f"the slowest worker took {slowest:.1f} s to leave")
        scene.healed()
        scene.judge()
    return scene.result


def _delivery() -> str:
    from world import QUICK_DELIVERY

    return QUICK_DELIVERY


def _gone(scene: Scene, leaving: list[tuple[Worker, float]]) -> float:
    """Take those that have left from the list; return the longest time one took."""
    slowest = 0.0
    for worker, since in list(leaving):
        took = time.monotonic() - since
        if not worker.running:
            leaving.remove((worker, since))
            slowest = max(slowest, took)
        elif took > REVOKED_S:
            leaving.remove((worker, since))
            scene.problem(f"a worker asked to leave was still there after {took:.0f} s")
            worker.stop()
    return slowest


def _freeze(scene: Scene, spare: list[Worker]) -> None:
    if not spare:
        spare.append(scene.worker())
    frozen = spare[0]

    def has_work() -> bool:
        return frozen.running and any(frozen.stats()["agents"].values())

    frozen.wait()
    eventually(has_work, 60)
    assert frozen.pid is not None
    os.killpg(frozen.pid, signal.SIGSTOP)
    time.sleep(FROZEN_S)
    os.killpg(frozen.pid, signal.SIGCONT)
    scene.fired()


FAULT = Fault(10, "rebalance storm, and a worker frozen and thawed", planned=60, quick=None, run=run)
