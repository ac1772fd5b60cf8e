"""The disk is full: under Kafka's log, under a worker's folder, under the state folder of the distribution."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from disks import Disk, may_mount, small_disk
from pipelines import eventually
from report import Result
from world import Scene, World

from faults import Fault
from parrot_faust.distribution.state import State

ROOM = 96 << 20  # for Kafka's log beside what it holds already
WORKER_ROOM = 1 << 20
FULL_S = 15.0
NO_SPACE = "No space left on device"
#: Where nobody may mount, the worker itself meets a full disk.
POINTS = ("changes.before_send", "kudu_writer.after_flush", "commit.before")


def run(world: World, fault: Fault) -> Result:
    """Fill the disk in each place, see what is said and that nothing is half committed, make room, and go on."""
    if not may_mount(world.local.folder):
        return _by_fail_points(world, fault)
    with _kafka_on(world) as disk, world.scene(fault.number, fault.title, fault.firings(world)) as scene:
        worker, *_ = scene.begin()
        scene.wait_made(300)
        _fill_kafka(scene, disk)
        scene.check(worker.running, "the worker has ended because Kafka's disk was full")
        scene.start_load()
        _fill_worker(scene)
        _fill_distribution(scene)
        scene.judge()
    return scene.result


def _fill_kafka(scene: Scene, disk: Disk) -> None:
    log = scene.world.local.log("kafka")[0]
    told = log.read_text(errors="replace").count(NO_SPACE)

    def says_so() -> bool:
        disk.fill()
        return log.read_text(errors="replace").count(NO_SPACE) > told

    eventually(says_so, 60)
    scene.fired()
    time.sleep(FULL_S)
    disk.free()
    scene.world.local.down(["kafka"])  # a broker whose log has failed ends, or serves no more: it is begun anew
    scene.world.up("kafka")
    scene.durable("after Kafka's disk was full")
    scene.healed()


def _fill_worker(scene: Scene) -> None:
    for worker in scene.run.workers:
        worker.stop()
    folder = scene.run.folder / f"worker-{len(scene.run.workers)}"  # the next one's
    with small_disk(folder, WORKER_ROOM) as disk:
        worker = scene.worker()
        disk.fill()
        scene.wait_made(300)
        disk.fill()
        scene.kill_worker(worker)
        worker.launch()  # its log begins anew, and leaves a little room
        disk.fill()
        scene.fired()

        def clear() -> bool:
            return not worker.running or time.monotonic() - began > FULL_S

        began = time.monotonic()
        eventually(clear, 60)
        disk.free()
        scene.durable("after a worker's disk was full")
        if not worker.running:
            # Where its log can't be written either, nothing but its status can say that something is wrong.
            status = worker.stop()
            scene.note(f"begun on a full disk, the worker ended with status {status}")
            scene.check(status not in (0, None), f"a worker that can't begin ended with status {status}")
            worker.launch()
        worker.wait()
        scene.healed()
        worker.stop()
        shutil.copy(worker.log, scene.run.folder / "worker-on-full-disk.log")
    scene.run.workers.remove(worker)  # its folder is gone
    scene.worker()


def _fill_distribution(scene: Scene) -> None:
    """A command that can't write its state says so in a line."""
    with small_disk(scene.run.folder / "full-state", WORKER_ROOM) as disk:
        disk.fill()
        done = subprocess.run(
            [Path(sys.executable).parent / "parrot", "up", "postgres"],
            env={**os.environ, "PARROT_STATE": str(disk.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stderr + done.stdout
        scene.fired()
        scene.check(done.returncode != 0, "`parrot up` on a full disk ends with status 0")
        scene.check(NO_SPACE in said, f"`parrot up` on a full disk does not say so: {said}")
        scene.check("Traceback" not in said, f"`parrot up` on a full disk shows a traceback: {said[-300:]}")
        disk.free()


@contextmanager
def _kafka_on(world: World) -> Iterator[Disk]:
    """Kafka's log on a small disk, and back on the large one at the end."""
    log = State.load(world.local.folder).data("kafka") / "log"
    aside = log.with_name("log-aside")
    world.local.down(["kafka"])
    log.rename(aside)
    used = sum(file.stat().st_size for file in aside.rglob("*") if file.is_file())
    with small_disk(log, used + ROOM) as disk:
        shutil.copytree(aside, log, dirs_exist_ok=True)
        world.up("kafka")
        try:
            yield disk
        finally:
            disk.free()
            world.local.down(["kafka"])
            shutil.rmtree(aside)
            shutil.copytree(log, aside)
    log.rmdir()
    aside.rename(log)
    world.up("kafka")


def _by_fail_points(world: World, fault: Fault) -> Result:
    with world.scene(fault.number, fault.title, fault.firings(world)) as scene:
        scene.note("no file system can be mounted here: a full disk is met at fail points")
        worker, *_ = scene.begin()
        scene.kill_worker(worker)
        for point in POINTS:
            worker = scene.worker(f"{point}=full:3")
            status = scene.ended(worker)
            log = worker.log.read_text(errors="replace")
            scene.check(status not in (0, None), f"a worker whose disk was full ended with status {status}")
            scene.check(NO_SPACE in log, "a worker whose disk was full does not say so")
            scene.fired(log.count(f"fail point {point}: full"))
            scene.durable(f"after {point}")
        scene.worker()
        scene.healed()
        scene.judge()
    return scene.result


FAULT = Fault(12, "disk full under Kafka, a worker, the state folder", planned=3, quick=None, run=run)
