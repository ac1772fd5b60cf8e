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
    before = {store: _newest(scene, store) for store in STORES}
    # The other store's writer stands still from its first flush on, for longer than this worker lives.
    worker = scene.worker(f"{dies}=kill:{scene.random.randrange(10, 30)},{waits}=sleep:1:600")
    scene.ended(worker, -9, timeout_s=120)
    scene.fired(_said(worker, dies))
    after = {store: _newest(scene, store) for store in STORES}
    ahead, behind = (store for point in (dies, waits) for store in STORES if point.startswith(store))
    scene.check(after[ahead] > before[ahead], f"{ahead} has not gone on while {behind} stood still")
    scene.check(after[behind] == before[behind], f"{behind} was written though its writer stood still")


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


def _newest(scene: Scene, store: str) -> int:
    """The newest change that a store shows."""
    return max(
        row[-1] for table in scene.work.tables for row in scene.run.store(store, table.name, *table.keys).values()
    )


def _said(worker: Worker, point: str) -> int:
    return worker.log.read_text(errors="replace").count(f"fail point {point}: kill")


FAULT = Fault(2, "killed between the Kudu and the HBase flush, and mid-batch", planned=12, quick=4, run=run)
