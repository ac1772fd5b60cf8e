"""The topics that keep what could not be applied can't be written to, and more poison arrives."""

from __future__ import annotations

import time

from report import Result
from tapes import Entry
from world import Scene, World

from faults import Fault
from faults.f04_poison import check_letters, pour
from parrot_faust.demo.worker import Worker

CLOSED_S = 20.0
#: As the worker makes them, but for what closes them: no batch of records is smaller than that.
OPEN = {"retention.ms": "-1", "max.message.bytes": str(16 << 20)}
CLOSED = {**OPEN, "max.message.bytes": "60"}
STOPS = "stopping:"
SIGNS = ("MessageSizeTooLarge", STOPS)  # a worker that waits says why, one that stops says so


def run(world: World, fault: Fault) -> Result:
    """Close the dead-letter topics, then the topic on the way there; each time poison arrives and must wait."""
    with world.scene(fault.number, fault.title, fault.firings(world)) as scene:
        worker, *_ = scene.begin()
        poison = pour(scene, 3 * 2)  # so that every dead-letter topic is there
        scene.result.fired = 0
        scene.stop_load()
        scene.caught_up(60)
        dead = [f"{scene.run.app}.dead.{scene.run.topic(table.name)}" for table in scene.work.tables]
        ways = (dead, [f"{scene.run.app}.held"])
        for way in range(fault.firings(world)):
            scene.start_load()
            worker = _close(scene, worker, ways[way % len(ways)], poison)
        scene.judge(dead=len(poison))
        check_letters(scene, poison)
    return scene.result


def _close(scene: Scene, worker: Worker, topics: list[str], poison: list[Entry]) -> Worker:
    tapes = scene.oracle.tapes
    letters_before = len(tapes.read(topics))
    for topic in topics:
        tapes.configure(topic, CLOSED)
    before, fired = len(poison), scene.result.fired
    poison += pour(scene, 3)
    scene.result.fired = fired + 1
    time.sleep(CLOSED_S)  # long enough for commits, were there any
    committed = tapes.committed(scene.run.app)
    if topics == [f"{scene.run.app}.held"]:
        for one in poison[before:]:
            offset = committed.get((one.topic, one.partition), 0)
            scene.check(offset <= one.offset, f"offset {offset} was committed past poison at {one.address}")
    else:
        held = f"{scene.run.app}.held"
        waiting = sum(end - committed.get(place, 0) for place, end in tapes.ends([held]).items())
        # A worker may stop at the first one; the others are then not on their way yet, and their offsets not committed.
        scene.check(waiting >= 1, "every held record is committed, though none of the last could be filed")
    scene.check(len(tapes.read(topics)) == letters_before, "something was written to a closed topic")
    scene.check(any(sign in scene.log() for sign in SIGNS), "no worker says that the topic can't be written to")
    for topic in topics:
        tapes.configure(topic, OPEN)
    if STOPS in worker.log.read_text(errors="replace"):
        status = scene.ended(worker, timeout_s=30)
        scene.check(status not in (0, None), f"the worker stopped with status {status}")
        worker = scene.worker()
    scene.healed()
    return worker


FAULT = Fault(5, "dead-letter topic not writable while poison arrives", planned=2, quick=None, run=run)
