"""A store is away for five minutes: killed, and behind a network that swallows everything."""

from __future__ import annotations

import time
from collections.abc import Callable

from pipelines import eventually
from report import Result
from world import Scene, World, rss

from faults import Fault
from parrot_faust.demo.worker import Worker

AWAY_S = 300.0
QUICK_AWAY_S = 25.0
SAMPLE_S = 2.0
DELIVERY = "retry_first_s: 0.3, retry_cap_s: 1.0"  # the session as by default: the worker must stay in its group
LAG_OF_OTHER_S = 30.0  # within which the other store must show what was made while this one is away
#: What may come on top of a worker's memory: what its settings let wait for a store (64 MB), read and decoded.
MORE_MEMORY = 200 << 20


def run(world: World, fault: Fault) -> Result:
    """Kudu's servers are killed, then HBase's are cut off without a word; and each comes back."""
    title = fault.title.replace("5 minutes", f"{QUICK_AWAY_S:.0f} s") if world.quick else fault.title
    with world.scene(fault.number, title, fault.firings(world)) as scene:
        proxies = [scene.proxy(world.addresses.hbase_thrift), scene.proxy(world.addresses.hbase_thrift2)]
        worker, *_ = scene.begin(delivery=DELIVERY, thrift=proxies[0].address, thrift2=proxies[1].address)
        scene.wait_made(300)

        def kill() -> None:
            for process in ("kudu-tserver", "kudu-master"):
                world.kill(process)

        def swallow() -> None:
            for proxy in proxies:
                proxy.freeze()

        def heal() -> None:
            for proxy in proxies:
                proxy.heal()

        _away(scene, worker, "kudu", kill, lambda: world.up("kudu"))
        scene.start_load()
        _away(scene, worker, "hbase", swallow, heal)
        scene.judge()
    return scene.result


def _away(scene: Scene, worker: Worker, store: str, breaks: Callable[[], None], heals: Callable[[], None]) -> None:
    other = "hbase" if store == "kudu" else "kudu"
    assert worker.pid is not None
    memory, members = rss(worker.pid), scene.oracle.tapes.members(scene.run.app)
    breaks()
    scene.fired()
    began, worst = time.monotonic(), memory

    def said() -> bool:
        return bool(worker.stats()["sinks"][store]["state"] == "retrying")

    eventually(said, 60)
    scene.caught_up_in(other, LAG_OF_OTHER_S)
    while time.monotonic() - began < (QUICK_AWAY_S if scene.world.quick else AWAY_S):
        worst = max(worst, rss(worker.pid))
        time.sleep(SAMPLE_S)
    scene.caught_up_in(other, LAG_OF_OTHER_S)
    scene.check(worst - memory < MORE_MEMORY, f"memory grew by {(worst - memory) >> 20} MB while {store} was away")
    now = scene.oracle.tapes.members(scene.run.app)
    scene.check(now == members, f"the group's members were {members} and are {now}: the worker has left it")
    scene.check(said(), f"the worker does not say that {store} is away")
    heals()
    seconds = scene.healed()
    scene.note(
        f"{store} away for {time.monotonic() - began - seconds:.0f} s: memory {memory >> 20} to {worst >> 20} MB, "
        f"{scene.made:,} changes made, equal {seconds:.1f} s after it came back"
    )


FAULT = Fault(3, "a sink down for 5 minutes: killed, and black-holed", planned=2, quick=2, run=run)
