"""A worker is killed between a sink's flush and the commit of the offset, again and again."""

from __future__ import annotations

from itertools import cycle

from report import Result
from world import World

from faults import Fault

POINTS = (
    "kudu_writer.after_flush",
    "hbase_writer.after_flush",
    "commit.before",
    "changes.before_settle",
    "dead_letters.before_file",
    "commit.after",
    "changes.before_send",
)


#: With rows on their way at every commit: what was committed and not yet flushed would be lost.
SLOW = ",kudu_writer.before_flush=sleep:1+:0.6,hbase_writer.before_flush=sleep:1+:0.6"


def run(world: World, fault: Fault) -> Result:
    """Every worker that starts is armed at one of the points, dies there, and another one takes over."""
    with world.scene(fault.number, fault.title, fault.firings(world)) as scene:
        worker, *_ = scene.begin()
        scene.wait_made(200)
        scene.kill_worker(worker)
        points = cycle(POINTS)
        for kill in range(fault.firings(world)):
            point = next(points)
            slow = SLOW if point == "commit.after" else ""
            worker = scene.worker(f"{point}=kill:{scene.random.randrange(1, 6)}{slow}")
            scene.ended(worker, -9, timeout_s=120)
            said = worker.log.read_text(errors="replace").count(f"fail point {point}: kill")
            scene.check(said == 1, f"the fail point {point} fired {said} times")
            scene.fired(said)
            if kill % 5 == 0 or slow:
                scene.durable(f"after kill {kill + 1} at {point}")
        scene.worker()
        scene.healed()
        scene.judge()
    return scene.result


FAULT = Fault(1, "worker killed between sink flush and offset commit", planned=21, quick=len(POINTS), run=run)
