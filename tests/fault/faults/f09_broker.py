"""The broker is stopped in order, and killed, and comes back."""

from __future__ import annotations

import time

from report import Result
from world import World

from faults import Fault

AWAY_S = 8.0  # longer than the group's session, shorter than what Connect's producer waits


def run(world: World, fault: Fault) -> Result:
    """Stop and kill it in turn; nobody does anything to the workers."""
    with world.scene(fault.number, fault.title, fault.firings(world)) as scene:
        workers = scene.begin(workers=2)
        for time_ in range(fault.firings(world)):
            scene.wait_made(300)
            if time_ % 2:
                world.kill("kafka")
            else:
                world.local.down(["kafka"])
            scene.fired()
            time.sleep(AWAY_S)
            world.up("kafka")
            scene.wait_made(300)
            scene.durable(f"after time {time_ + 1}")
        scene.healed()
        scene.judge()
        for worker in workers:
            scene.check(worker.running, "a worker has ended, and nothing was to be done by hand")
    return scene.result


FAULT = Fault(9, "broker stopped and killed", planned=5, quick=2, run=run)
