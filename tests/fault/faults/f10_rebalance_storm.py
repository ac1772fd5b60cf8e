"""Workers join and leave all the time, and one is frozen past its session and thawed."""

from __future__ import annotations

import os
import signal
import time

from pipelines import eventually
from report import Result
from world import QUICK_DELIVERY, Scene, World

from faults import Fault
from parrot_faust.demo.worker import Worker

EVERY_S = 2.0
STORM_S = 120.0
AT_MOST_S = 480.0  # a slow machine needs longer for as many joins
AT_ONCE = 3  # workers that come and go, besides the steady one
FROZEN_S = 12.0  # twice the session
REVOKED_S = 20.0  # within which a leaving worker must be gone: it finishes what it has in hand for 7 s at most


class Storm:
    """Workers that come and go. A join counts when the worker's page answers, a leave when it is asked or killed."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._starting: list[Worker] = []
        self.there: list[Worker] = []
        self._leaving: list[tuple[Worker, float]] = []
        self.slowest_s = 0.0

    def turn(self) -> None:
        """Let one join or leave, and look what has become of those before."""
        scene = self._scene
        for worker in [one for one in self._starting if _answers(one)]:
            self._starting.remove(worker)
            self.there.append(worker)
            scene.fired()
        full = len(self.there) + len(self._starting) >= AT_ONCE
        if self.there and (full or scene.random.random() < 0.4):
            self._leave(self.there.pop(0))
        elif not full:
            self._starting.append(scene.run.launch(delivery=QUICK_DELIVERY))
        self.look()

    def _leave(self, worker: Worker) -> None:
        scene = self._scene
        scene.check(worker.running, "a worker ended though nobody asked it to")
        scene.fired()
        if scene.random.random() < 0.3:
            scene.kill_worker(worker)
        else:
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGTERM)
            self._leaving.append((worker, time.monotonic()))

    def look(self) -> bool:
        """Whether some are still about to leave; one that takes too long is a problem."""
        for worker, since in list(self._leaving):
            took = time.monotonic() - since
            if not worker.running:
                self._leaving.remove((worker, since))
                self.slowest_s = max(self.slowest_s, took)
            elif took > REVOKED_S:
                self._leaving.remove((worker, since))
                self._scene.problem(f"a worker asked to leave was still there after {took:.0f} s")
                worker.stop()
        return bool(self._leaving)

    def freeze(self) -> None:
        """Stop one that has work, with its sinks' processes, for longer than its session, and let it go on."""
        frozen = self.there[0]

        def has_work() -> bool:
            return any(step.get("changes") for step in frozen.stats()["agents"].values())

        eventually(has_work, 60)
        assert frozen.pid is not None
        os.killpg(frozen.pid, signal.SIGSTOP)
        time.sleep(FROZEN_S)
        os.killpg(frozen.pid, signal.SIGCONT)
        self._scene.fired()

    def end(self) -> None:
        """Let all of them go."""
        for worker in self._starting:
            worker.stop()
        while self.there:
            self._leave(self.there.pop())
        while self.look():
            time.sleep(0.1)


def run(world: World, fault: Fault) -> Result:
    """Every two seconds a worker joins or leaves; in between one is frozen, and everything it held goes to others."""
    planned = fault.firings(world)
    with world.scene(fault.number, fault.title, planned) as scene:
        (steady,) = scene.begin()
        storm, frozen = Storm(scene), False
        began = time.monotonic()
        while (passed := time.monotonic() - began) < AT_MOST_S and (passed < STORM_S or scene.result.fired < planned):
            turned = time.monotonic()
            storm.turn()
            if not frozen and storm.there and passed > STORM_S / 3:
                storm.freeze()
                frozen = True
            time.sleep(max(0.0, EVERY_S - (time.monotonic() - turned)))
        scene.check(frozen, "no worker was frozen")
        scene.durable("in the storm")
        storm.end()
        scene.check(steady.running, "the steady worker has ended")
        scene.note(f"a storm of {passed:.0f} s; the slowest worker took {storm.slowest_s:.1f} s to leave")
        scene.healed()
        scene.judge()
    return scene.result


def _answers(worker: Worker) -> bool:
    try:
        return bool(worker.stats())
    except OSError:
        return False


FAULT = Fault(10, "rebalance storm, and a worker frozen and thawed", planned=40, quick=None, run=run)
