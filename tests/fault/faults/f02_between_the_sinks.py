"""A worker, or a sink's process, is killed when one store has what the other has not, and in the middle of a batch."""

from __future__ import annotations

from itertools import cycle

from pipelines import STORES, eventually
from report import Result
from world import Scene, World

from faults import Fault
from parrot_faust.demo.worker import Worker

#: One store is kept waiting until the worker dies at the other's flush; or a process dies between two tables of a call.
WORKER_POINTS = (
    ("kudu_writer.after_flush", "hbase_writer.before_flush"),
    ("hbase_writer.after_flush", "kudu_writer.before_flush"),
)
PROCESS_POINTS = ("kudu_host.between_tables", "hbase_host.between_tables")


def run(world: World, fault: Fault) -> Result:
    """Kill between the flushes, then in the middle of batches; each store's progress must be its own."""
    with world.scene(fault.number, fault.title, fault.firings(world)) as scene:
        worker, *_ = scene.begin()
        scene.kill_worker(worker)
        points = cycle((*WORKER_POINTS, *PROCESS_POINTS))
        for kill in range(fault.firings(world)):
            point = next(points)
            if isinstance(point, tuple):
                _between_flushes(scene, *point)
            else:
                _mid_batch(scene, point)
            if kill % 4 < 2:
                scene.durable(f"after kill {kill + 1}")
        scene.worker()
        scene.healed()
        scene.judge()
    return scene.result


def _between_flushes(scene: Scene, dies: str, waits: str) -> None:
    before = _progress(scene)
    # The other store's writer stands still from its first flush on, for longer than this worker lives; this one goes on for
    # some seconds, so that it commits before it dies.
    worker = scene.worker(f"{dies}=kill:{scene.random.randrange(40, 60)},{waits}=sleep:1:600")
    scene.ended(worker, -9, timeout_s=120)
    scene.fired(_said(worker, dies))
    after = _progress(scene)
    ahead, behind = (store for point in (dies, waits) for store in STORES if point.startswith(store))
    scene.check(after[ahead] > before[ahead], f"{ahead} has not gone on while {behind} stood still")
    scene.check(after[behind] <= before[behind], f"offsets of {behind} were committed though it stood still")


def _mid_batch(scene: Scene, point: str) -> None:
    # Two tables in one call need their chunks in one batch: they wait while the worker is away.
    worker = scene.worker(f"{point}=kill:1")
    store = point.split("_")[0]

    def fired() -> bool:
        return _said(worker, point) >= 1

    eventually(fired, 60)

    def another() -> bool:
        view = worker.stats()["sinks"][store]
        return bool(view.get("restarts"))

    eventually(another, 60)
    scene.fired()
    scene.check(worker.running, f"the worker ended because the process of {store} did")
    scene.kill_worker(worker)


def _progress(scene: Scene) -> dict[str, int]:
    committed = scene.oracle.tapes.committed(scene.run.app)
    return {
        store: sum(offset for (topic, _), offset in committed.items() if topic == f"{scene.run.app}.writes.{store}")
        for store in STORES
    }


def _said(worker: Worker, point: str) -> int:
    return worker.log.read_text(errors="replace").count(f"fail point {point}: kill")


FAULT = Fault(2, "killed between the Kudu and the HBase flush, and mid-batch", planned=12, quick=4, run=run)
