"""Everything that may happen, in an order that a seed decides, and what must hold whatever it was."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

from parrot_faust.delivery.stats import Stats
from parrot_faust.simulation.broker import Broker, Commit
from parrot_faust.simulation.expected import difference, refusable
from parrot_faust.simulation.reader import Lane, Reader
from parrot_faust.simulation.shapes import TABLE
from parrot_faust.simulation.source import KEYS, Source
from parrot_faust.simulation.stores import PlainStore, Store, VersionedStore
from parrot_faust.simulation.writer import Writer

PARTITIONS = 2
SINKS = ("plain", "versioned")
TRANSACTIONS = 20  # of a partition at the beginning, at most; more are committed on the way
EVENTS = 220
FAULTS = ("before", "after", "half")
#: Steps within which all must be delivered once nothing happens any more. None was seen that took half of it.
PATIENCE = 20_000


class World:
    """One run. `happened` counts what did. With `freezing` off no worker is frozen and thawed."""

    def __init__(self, seed: int, *, freezing: bool = True) -> None:
        self.seed = seed
        # Numbers of its own: a seed goes on as it always did until a worker is frozen.
        self._cold = random.Random(~seed)  # noqa: S311 - a seed must give the same run again
        self._freezing = freezing and self._cold.random() < 0.5
        self.rng = rng = random.Random(seed)  # noqa: S311 - a seed must give the same run again
        self.happened: Counter[str] = Counter()
        self.broker, self.stats = Broker(), Stats(lambda: 0.0)
        self._calm = rng.random() < 0.3  # without what ends a worker's count: crashes and offsets that begin anew
        poison = rng.choice((0.0, 0.0, 0.1, 0.3))
        self.sources = [Source(rng, partition, poison=poison) for partition in range(PARTITIONS)]
        for source in self.sources:
            source.work(rng.randrange(TRANSACTIONS))
        self.stores: list[Store] = [
            store(name, rng, refuse=self._refused_keys(), poison=rng.random() < 0.8)
            for name, store in zip(SINKS, (PlainStore, VersionedStore), strict=True)
        ]
        self.reader = Reader(rng, self.broker, self.sources, SINKS, self.stats)
        self.writers = [Writer(rng, self.broker, store, self.stats) for store in self.stores]
        self.reader.begin(1)

    def _refused_keys(self) -> set[tuple[int, int]]:
        rng = self.rng
        return {(rng.randrange(KEYS), rng.randrange(PARTITIONS))} if rng.random() < 0.3 else set()

    # -- what may happen ---------------------------------------------------------------------------------------------

    def change(self) -> None:
        """The database commits."""
        self.rng.choice(self.sources).work(self.rng.randrange(4))

    def snapshot(self) -> None:
        """A table is read again from the beginning."""
        self.rng.choice(self.sources).snapshot()
        self.happened["snapshot"] += 1

    def read(self) -> None:
        """The reader of a partition takes a batch."""
        self.reader.read(self.rng.choice(self.reader.lanes))

    def deliver(self) -> None:
        """The broker takes some of what was sent, be it of a reader that has lost its partition."""
        lanes = [lane for lane in (*self.reader.former, *self.reader.lanes) if lane.unsent]
        if lanes:
            lane = self.rng.choice(lanes)
            twice = self.rng.random() < 0.05
            self.happened["sent twice"] += twice
            self.happened["sent late"] += lane not in self.reader.lanes
            for _ in range(min(len(lane.unsent), self.rng.randrange(1, 6))):
                self.reader.deliver(lane, twice=twice)

    def settle(self) -> None:
        """Readers see what the broker has confirmed."""
        self.reader.settle(self.rng.choice([*self.reader.lanes, *self.reader.former]))

    def commit(self) -> None:
        """Offsets are committed."""
        lost = self.rng.random() < 0.3
        self.happened["commit"] += self.reader.commit(lost=lost)
        for writer in self.writers:
            self.happened["commit"] += writer.commit(lost=lost)

    def write(self) -> None:
        """A writer goes on; its store may fail."""
        writer = self.rng.choice(self.writers)
        if self.rng.random() < 0.1:
            writer.store.faults.append(self.rng.choice(FAULTS))
            self.happened["store failed"] += 1
        refused = writer.fence.refused
        calls = writer.store.calls
        writer.work()
        self.happened["isolated"] += writer.store.calls > calls + 3  # more than one write of each of two shapes
        self.happened["fenced"] += writer.fence.refused - refused

    def letter(self) -> None:
        """The broker takes a dead letter."""
        self.happened["refused"] += self.rng.choice(self.writers).deliver()

    def rebalance(self, crashed: frozenset[int] = frozenset()) -> None:
        """The group has a new generation. The reader that loses a partition may not know it yet and reads on."""
        for lane in self.reader.lanes:
            if self.rng.random() < 0.6:
                for _ in range(self.rng.randrange(3)):
                    self.reader.read(lane)
        self.reader.begin(self.reader.generation + 1)
        for index, writer in enumerate(self.writers):
            writer.begin(crashed=index in crashed)
        self.happened["rebalance"] += 1

    def freeze_or_thaw(self) -> None:
        """A worker is frozen amid a write and loses its partitions, or one is thawed and goes on as if nothing were."""
        if not self._freezing:
            return
        writer = self._cold.choice(self.writers)
        if self._cold.random() < 0.03 and writer.freeze():
            self.happened["frozen"] += 1
            self.rebalance()
        elif self._cold.random() < 0.1:
            self.happened["thawed"] += writer.thaw()
        elif self._cold.random() < 0.1:
            writer.say()

    def crash(self) -> None:
        """A worker dies, with all that it had in memory, maybe in the midst of a write."""
        if self._calm:
            return
        crashed = {index for index in range(len(self.writers)) if self.rng.random() < 0.6}
        for index in crashed:
            if self.rng.random() < 0.5:
                self.writers[index].store.faults.append("half")
                self.writers[index].work()
        if self.rng.random() < 0.6:
            self.reader.crash()
        if self.rng.random() < 0.3:
            self.reader.former.clear()  # and those who had not noticed that they had lost their partitions
        self.happened["crash"] += 1
        self.rebalance(frozenset(crashed))

    def set_back(self) -> None:
        """Somebody sets the group's offset of a partition back, and a segment is replayed. The note is lost."""
        if self._calm:
            return
        source = self.rng.choice(self.sources)
        done = self.broker.commits.get(source.partition)
        offsets = [record.offset for record in source.records if done and record.offset <= done.offset]
        if offsets:
            self.broker.commits[source.partition] = Commit(self.rng.choice(offsets))
            self.happened["set back"] += 1
            self.rebalance()

    def recreate_topic(self) -> None:
        """A topic of which all was delivered is deleted and made again."""
        source = self.rng.choice(self.sources)
        if self._calm or not source.records:
            return
        self.reader.finish(source.partition)
        source.recreate_topic()
        if self.rng.random() < 0.5:
            source.recreate_database()
            self.happened["database recreated"] += 1
        if self.rng.random() < 0.5:
            source.snapshot()
        source.work(self.rng.randrange(1, 10))
        self.reader.recreate(source.partition)
        self.happened["topic recreated"] += 1

    def recreate_database(self) -> None:
        """A database is replaced by an empty one whose clock is behind."""
        source = self.rng.choice(self.sources)
        source.recreate_database()
        source.work(self.rng.randrange(1, 6))
        self.happened["database recreated"] += 1

    def compact(self) -> None:
        """A store throws away what is hidden."""
        self.rng.choice(self.stores).compact()
        self.happened["compaction"] += 1

    # -- the run -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Let anything happen for a while, then let all be delivered. AssertionError says what does not hold."""
        actions: list[Callable[[], None]] = [
            *[self.read] * 8, *[self.deliver] * 12, *[self.settle] * 8, *[self.commit] * 4, *[self.write] * 12,
            *[self.letter] * 3, *[self.change] * 2, self.rebalance, self.crash, self.set_back, self.recreate_topic,
            self.recreate_database, self.snapshot, self.compact,
        ]  # fmt: skip
        for _ in range(self.rng.randrange(20, EVENTS)):
            self.rng.choice(actions)()
            self.freeze_or_thaw()
        self._finish()
        if self._thaw_all():
            self._finish()
        self._check()

    def _thaw_all(self) -> bool:
        """Whoever still stands still is thawed when all is written, and undoes what it can; whether anyone had to."""
        any_said = False
        for writer in self.writers:
            while writer.thaw():
                self.happened["thawed"] += 1
            while writer.say():
                any_said = True
        return any_said

    def _finish(self) -> None:
        calm = (self.read, self.deliver, self.deliver, self.settle, self.letter, self.write, self.write, self.commit)
        for _ in range(PATIENCE):
            if self.reader.finished and all(writer.finished for writer in self.writers):
                self.commit()
                return
            self.rng.choice(calm)()
            for lane in self._lanes():
                self.reader.settle(lane)
        raise AssertionError("not everything was delivered though nothing was in the way")

    def _lanes(self) -> list[Lane]:
        return [lane for lane in self.reader.lanes if lane.busy and not lane.unsent]

    def _check(self) -> None:
        for store in self.stores:
            assert not (wrong := difference(self.sources, store)), wrong
            letters = self.broker.letters[store.name]
            for source in self.sources:
                may, must = refusable(source, store)
                found = {offset for partition, offset in letters if partition == source.partition}
                assert found <= may, f"{store.name}: dead letters of good rows: {sorted(found - may)}"
                assert must <= found, f"{store.name}: neither applied nor dead-lettered: {sorted(must - found)}"
        for source in self.sources:
            if source.records:
                end, reached = source.records[-1].offset + 1, self.broker.commits.get(source.partition, Commit(0))
                assert reached.offset == end, f"partition {source.partition}: committed {reached.offset} of {end}"
        if self._calm:
            self._check_counts()

    def _check_counts(self) -> None:
        """Every offset is counted once, however often it was delivered."""
        records = [record for source in self.sources for record in source.records]
        if not records:
            return
        view = self.stats.snapshot()
        counts = view["sources"][TABLE]
        rows = sum(record.change is not None for record in records)
        expected = {"captured": len(records), "forwarded": rows, "tombstones": sum(r.tombstone for r in records)}
        assert counts.items() >= expected.items(), f"counted {counts}, and there were {expected}"
        for sink in SINKS:
            table = view["sinks"].get(sink, {"tables": {}})["tables"].get(TABLE, {"applied": 0, "dead_lettered": 0})
            total = table["applied"] + table["dead_lettered"]
            assert total == rows, f"{sink}: {total} rows are counted of {rows}"
