"""What was read is read again: offsets set back near and far, and tables sent again by snapshots, also two at once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from uuid import uuid4

from pipelines import eventually
from report import Result
from tapes import Position
from world import GIVE_UP_S, Scene, World

from faults import Fault
from parrot_faust.connect import Connect
from parrot_faust.demo import connector
from parrot_faust.demo.leftovers import drop_capture
from parrot_faust.names import signal_topic

NEAR = 100  # records of each partition
SETTLE_S = 60.0
Back = Callable[[Scene, tuple[str, int], int], int]


def _near(scene: Scene, place: tuple[str, int], offset: int) -> int:
    return max(0, offset - NEAR)


def _beginning(scene: Scene, place: tuple[str, int], offset: int) -> int:
    return 0


def _anywhere(scene: Scene, place: tuple[str, int], offset: int) -> int:
    return scene.random.randrange(offset + 1)


def _source(scene: Scene, topic: str) -> bool:
    return topic.startswith(f"{scene.run.name}.")


def _writes(scene: Scene, topic: str) -> bool:
    return topic.startswith(f"{scene.run.app}.writes.")


#: What is set back, and how far. An older segment comes after a newer one.
ROUNDS: tuple[tuple[str, Callable[[Scene, str], bool], Back], ...] = (
    ("the end of the source topics", _source, _near),
    ("all of the source topics", _source, _beginning),
    ("the end of the writes", _writes, _near),
    ("all of the writes", _writes, _beginning),
    ("each partition anywhere", lambda scene, topic: _source(scene, topic) or _writes(scene, topic), _anywhere),
)
SNAPSHOTS = 2


def run(world: World, fault: Fault) -> Result:
    """Under load: two incremental snapshots at once, one by a second connector; then offsets go back five times."""
    with world.scene(fault.number, fault.title, fault.firings(world)) as scene:
        scene.oracle.tapes.make(signal_topic(scene.run.name), 1)
        worker, *_ = scene.begin()
        scene.wait_made(300)
        snapshots(scene)
        second_connector(scene)
        for what, chosen, back in ROUNDS:
            scene.wait_made(150)
            scene.kill_worker(worker)
            again = set_back(scene, lambda topic, chosen=chosen: chosen(scene, topic), back)
            scene.check(again > 0, f"{what}: nothing was set back")
            scene.note(f"{what}: {again:,} records or chunks are read again")
            scene.fired()
            worker = scene.worker()
            for store in ("kudu", "hbase"):
                scene.caught_up_in(store, SETTLE_S)
        scene.durable("after all rounds")
        scene.healed()
        scene.judge()
    return scene.result


def set_back(scene: Scene, chosen: Callable[[str], bool], back: Back) -> int:
    """Set the group's offsets back, once nobody is in it; return how many records come again."""
    tapes, group = scene.oracle.tapes, scene.run.app

    def nobody() -> bool:
        return not tapes.members(group)

    eventually(nobody)
    before = {place: offset for place, offset in tapes.committed(group).items() if chosen(place[0])}
    after: Position = {place: back(scene, place, offset) for place, offset in before.items()}
    tapes.set_back(group, after)
    found = tapes.committed(group)
    scene.check(all(found[place] == offset for place, offset in after.items()), "the offsets were not set back")
    return sum(before[place] - offset for place, offset in after.items())


def snapshots(scene: Scene) -> None:
    """Ask for every table again, twice, while it changes."""
    before = _read_rows(scene)
    collections = [f"{scene.run.name}.{table.name}" for table in scene.work.tables]
    for _ in range(SNAPSHOTS):
        signal = {
            "id": str(uuid4()),
            "type": "execute-snapshot",
            "data": {"type": "INCREMENTAL", "data-collections": collections},
        }
        topic = signal_topic(scene.run.name)
        scene.oracle.tapes.produce(topic, json.dumps(signal).encode(), scene.run.name.encode(), 0)
    wanted = {table.name: SNAPSHOTS for table in scene.work.tables}

    def sent() -> bool:
        # The marker's row is in every snapshot; one that changes meanwhile comes as its change and not as a snapshot's.
        found = _read_rows(scene) - before
        return all(found[name] >= count for name, count in wanted.items())

    eventually(sent, 90)
    scene.fired(SNAPSHOTS)
    scene.note(f"two incremental snapshots at once sent {sum((_read_rows(scene) - before).values()):,} rows again")


def second_connector(scene: Scene) -> None:
    """Let a second connector take a snapshot into the same topics, and go on there beside the first one."""
    run, name = scene.run, f"{scene.run.name}_2"
    before = _read_rows(scene)
    config = connector.config(run.addresses, name, [f"{run.name}[.].*"], "avro", prefix=run.name)
    connector.create(run.addresses.connect, name, config)
    try:
        scene.wait_made(300)
        scene.stop_load()
        scene.caught_up_in("kudu", GIVE_UP_S)
        last = scene.marks()

        def both() -> bool:
            return all(count == 2 for count in _told(scene, last).values())

        eventually(both, GIVE_UP_S)
    finally:
        Connect(run.addresses.connect).delete(name)
        drop_capture(run.database, name)
    sent = _read_rows(scene) - before
    scene.check(all(sent[table.name] > 0 for table in scene.work.tables), f"the second snapshot sent only {sent}")
    scene.note(f"a second connector's snapshot sent {sum(sent.values()):,} rows again, then every change a second time")
    scene.fired()
    scene.start_load()


def _read_rows(scene: Scene) -> Counter[str]:
    """Rows that a snapshot sent, by table."""
    picture = scene.oracle.picture()
    names = {scene.run.topic(table.name): table.name for table in scene.work.tables}
    events = (
        (names[entry.topic], scene.oracle.decode(entry.value)) for entry in picture.inputs.values() if entry.value
    )
    return Counter(name for name, event in events if event is not None and event["op"] == "r")


def _told(scene: Scene, last: dict[str, int]) -> dict[str, int]:
    """How often the change with each table's number is in its topic."""
    found: dict[str, int] = dict.fromkeys(last, 0)
    for name, n in last.items():
        for entry in scene.oracle.tapes.read([scene.run.topic(name)]):
            event = scene.oracle.decode(entry.value) if entry.value else None
            found[name] += event is not None and (event["after"] or {}).get("n") == n
    return found


FAULT = Fault(
    7, "segments read again, and snapshots of what is there", planned=len(ROUNDS) + SNAPSHOTS + 1, quick=None, run=run
)
