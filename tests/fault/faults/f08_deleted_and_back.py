"""Rows that go and come back in every way there is: they are there or not, exactly as at the source."""

from __future__ import annotations

from collections import Counter

from durable import Watched
from pipelines import STORES, eventually
from report import Result
from world import Scene, World

from faults import Fault

KEYS = 4  # of each kind of coming and going, so that each comes and goes several times
ROUNDS = 12
EMPTIED = "create table emptied (id int primary key, note text)"
ANEW = "create table anew (id int primary key, note text)"
PARTITIONS = 4  # of every source topic, as the connector is told

DELETE = "delete from goers where id = {k}"
INSERT = "insert into goers values ({k}, 'again {r}', {n})"
MOVE = "update goers set id = id + 1000, n = {m} where id = {k}"
BACK = "update goers set id = {k}, n = {n} where id = {k} + 1000"
#: What is done to a key that is there, in one transaction; the key is there afterwards, or not.
STEPS: dict[str, tuple[tuple[str, ...], bool]] = {
    "deleted": ((DELETE,), False),
    "deleted and inserted": ((DELETE, INSERT), True),
    "inserted and deleted": ((DELETE, INSERT, DELETE), False),
    "key changed and changed back": ((MOVE, BACK), True),
    "key changed": (("delete from goers where id = {k} + 1000", MOVE), False),
    "keys changed hands": ((MOVE, INSERT, "delete from goers where id = {k} + 1000"), True),
}


def run(world: World, fault: Fault) -> Result:
    """Under load: keys come and go, a table is truncated and filled again, and topics are deleted and made again."""
    with world.scene(fault.number, fault.title, fault.firings(world)) as scene:
        run = scene.run
        run.sql("create table goers (id int primary key, note text, n bigint)")
        run.sql(EMPTIED)
        run.sql(ANEW)
        run.sql("insert into emptied select n, 'old' from generate_series(1, 20) n")
        run.sql("insert into anew select n, 'old' from generate_series(1, 40) n")
        scene.oracle.tables += [
            Watched("goers", ("id",)),
            *(Watched(name, ("id",), n=None) for name in ("emptied", "anew")),
        ]
        scene.begin(capture={"skipped.operations": "none"})
        come_and_go(scene)
        truncated(scene)
        scene.healed()
        scene.judge()
        for running in (True, False):
            made_anew(scene, running=running)
    return scene.result


def come_and_go(scene: Scene) -> None:
    """Every step on keys of its own, again and again, with the load between them."""
    run, n = scene.run, 0
    for round_ in range(ROUNDS):
        for place, (what, (statements, stays)) in enumerate(STEPS.items()):
            key = place * 100 + round_ % KEYS
            n += 10
            run.sql(
                "insert into goers values (%s, 'new', %s) on conflict (id) do update set note = 'new', n = excluded.n",
                key,
                n,
            )
            with run.database.transaction():
                for statement in statements:
                    run.sql(statement.format(k=key, r=round_, n=n + 1, m=n + 2))
            (there,) = run.database.execute("select count(*) from goers where id = %s", (key,)).fetchone() or (0,)
            assert bool(there) == stays, what
            scene.fired()
        scene.wait_made(30)
    for store in STORES:

        def equal(store: str = store) -> bool:
            return run.store(store, "goers", "id") == run.source("goers", "id")

        eventually(equal)
    entries = scene.oracle.tapes.read([run.topic("goers")])
    tombstones = sum(entry.value is None for entry in entries)
    scene.check(tombstones >= ROUNDS * len(STEPS) // 2, f"only {tombstones} tombstones came")
    scene.result.rows += len(run.source("goers", "id")) * len(STORES)
    scene.note(f"{len(entries):,} records of keys that come and go, {tombstones} of them tombstones")


def truncated(scene: Scene) -> None:
    """A truncate is told and not applied: its rows stay, and live rows after it are written."""
    run = scene.run
    run.sql("truncate emptied")
    run.sql("insert into emptied values (1, 'new'), (21, 'new')")
    run.sql("delete from emptied where id = 21")
    run.sql("insert into emptied values (22, 'new')")
    wanted = {(n,): (n, "old") for n in range(2, 21)} | {(1,): (1, "new"), (22,): (22, "new")}
    for store in STORES:

        def equal(store: str = store) -> bool:
            return run.store(store, "emptied", "id") == wanted

        eventually(equal)
    ops = Counter(
        event["op"]
        for entry in scene.oracle.tapes.read([run.topic("emptied")])
        if entry.value and (event := scene.oracle.decode(entry.value)) is not None
    )
    scene.check(ops["t"] >= 1, f"no truncate came, only {dict(ops)}")
    scene.check("was truncated at the source" in run.log(), "the log does not tell of the truncate")
    run.sql("insert into emptied select n, 'back' from generate_series(2, 20) n")
    scene.result.rows += len(wanted) * len(STORES)
    scene.fired()


def made_anew(scene: Scene, *, running: bool) -> None:
    """A topic is deleted and begins at offset 0 again; what comes then is live, below whatever was deleted before."""
    run = scene.run
    run.sql("delete from anew where id % 2 = 0")
    run.equal("anew", "id")
    worker = run.workers[-1]
    if not running:
        scene.kill_worker(worker)
    scene.oracle.tapes.make_anew(run.topic("anew"), PARTITIONS)
    told = f"anew, worker {'running' if running else 'stopped'}"
    run.sql("insert into anew select n, %s from generate_series(2, 40, 2) n", told)
    run.sql("update anew set note = %s where id in (1, 3)", told)
    run.sql("delete from anew where id in (5, 7)")
    if not running:
        scene.worker()
    rows = run.equal("anew", "id", timeout_s=90)
    ends = scene.oracle.tapes.ends([run.topic("anew")])
    scene.check(sum(ends.values()) >= 22, f"the topic made anew has only {sum(ends.values())} records")
    scene.check(len(rows) == 38, f"{told}: {len(rows)} rows")  # all but 5 and 7
    scene.result.rows += len(rows) * len(STORES)
    scene.note(f"{told}: {len(rows)} rows equal, the topic ends at {sorted(ends.values())}")
    scene.fired()


FAULT = Fault(
    8, "delete, tombstone, re-insert, key update, truncate, topic made anew",
    planned=ROUNDS * len(STEPS) + 3, quick=None, run=run,
)  # fmt: skip
