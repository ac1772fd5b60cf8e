"""What counts as a difference: what is still there after the pipeline has passed, twice, on a row that stood still."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from parrot_faust.verify.differences import Key, Row
from parrot_faust.verify.plan import ColumnPlan, TablePlan
from parrot_faust.verify.report import Kind, Reason, RowDifference, StoreDifference
from parrot_faust.verify.settling import Differs, Explained, Settled, reasoned, settle
from parrot_faust.verify.stored import Logical

PLAN = TablePlan(
    "shop.public.t",
    "public",
    "t",
    (ColumnPlan("id", Logical.INT32, "int4", "integer"), ColumnPlan("name", Logical.TEXT, "text", "text")),
    1,
    {"kudu": "public.t"},
)
TABLE = PLAN.topic


class World:
    """A source and a store that change when the pipeline is waited for."""

    def __init__(self, source: dict[Key, Row], store: dict[Key, Row]) -> None:
        self.source, self.store, self.changes = source, store, 0
        self.waits = 0
        self.each_wait: Callable[[World], str] = lambda _world: ""

    def fetch_marked(self, _plan: TablePlan, keys: Sequence[Key]) -> dict[Key, tuple[Row, str]]:
        return {key: (self.source[key], str(self.changes)) for key in keys if key in self.source}

    def fetch(self, _plan: TablePlan, keys: Sequence[Key]) -> dict[Key, Row]:
        return {key: self.store[key] for key in keys if key in self.store}

    def passed(self) -> str:
        self.waits += 1
        return self.each_wait(self)

    def settle(self, *keys: Key) -> Settled:
        return settle({TABLE: keys}, {TABLE: PLAN}, self, {TABLE: {"kudu": self}}, self.passed)[TABLE]


def test_a_row_in_flight_that_arrives_is_no_difference() -> None:
    world = World({(1,): (1, "new")}, {(1,): (1, "old")})

    def arrive(world: World) -> str:
        world.store = dict(world.source)
        return ""

    world.each_wait = arrive
    assert world.settle((1,)) == Settled([], 1, [], "")


def test_what_is_still_different_after_two_passings_differs() -> None:
    world = World({(1,): (1, "right")}, {(1,): (1, "wrong"), (2,): (2, "extra")})
    found = world.settle((1,), (2,))
    assert found.differ == [
        Differs((1,), (1, "right"), {"kudu": (1, "wrong")}, "0"),
        Differs((2,), None, {"kudu": (2, "extra")}, None),
    ]
    assert world.waits == 2


def test_a_row_that_never_stands_still_is_in_flight_and_neither_equal_nor_different() -> None:
    world = World({(1,): (1, "a")}, {})

    def change(world: World) -> str:
        world.changes += 1
        world.source[(1,)] = (1, f"name {world.changes}")
        return ""

    world.each_wait = change
    assert world.settle((1,)) == Settled([], 0, [(1,)], "")


def test_a_row_written_again_with_the_same_values_did_not_stand_still() -> None:
    world = World({(1,): (1, "a")}, {(1,): (1, "b")})  # the store shows what the row was in between

    def rewrite(world: World) -> str:
        if world.waits <= 2:
            world.changes += 1
        else:
            world.store = dict(world.source)
        return ""

    world.each_wait = rewrite
    assert world.settle((1,)) == Settled([], 1, [], "")


def test_a_row_that_came_and_went_between_two_readings_is_not_called_extra() -> None:
    world = World({}, {})

    def flicker(world: World) -> str:
        world.store = {(1,): (1, "in between")} if world.waits == 1 else {}
        return ""

    world.each_wait = flicker
    assert world.settle((1,)) == Settled([], 1, [], "")


def test_without_the_pipelines_passing_nothing_is_decided() -> None:
    world = World({(1,): (1, "right")}, {})
    world.each_wait = lambda _world: "the workers did not reach the end"
    assert world.settle((1,)) == Settled([], 0, [(1,)], "the workers did not reach the end")


def test_nothing_is_waited_for_without_candidates() -> None:
    world = World({}, {})
    assert world.settle() == Settled([], 0, [], "")
    assert world.waits == 0


class Reasons:
    """What would explain rows: nothing of those in `lost`. The source may change when reasons are looked for."""

    def __init__(self, world: World, settled: Settled, each_look: Callable[[World], object]) -> None:
        self.world, self.settled, self.each_look = world, {TABLE: settled}, each_look
        self.lost = {each.key for each in settled.differ}
        self.again: list[Sequence[Key]] = []

    def explain(self, table: str) -> Explained:
        self.each_look(self.world)
        reasons = {True: Reason.UNEXPLAINED, False: Reason.QUARANTINED}
        return [
            (key, RowDifference(table, {}, (StoreDifference("kudu", Kind.DIFFERS, reasons[key in self.lost]),), ()))
            for key, *_ in self.settled[table].differ
        ]

    def settle_again(self, keys: Mapping[str, Sequence[Key]]) -> dict[str, Settled]:
        self.again.append(keys[TABLE])
        return {TABLE: self.world.settle(*keys[TABLE])}

    def __call__(self) -> list[tuple[Key, bool]]:
        found = reasoned(self.settled, {TABLE: PLAN}, self.world, self.explain, self.settle_again)
        return [(key, each.explained) for key, each in found[TABLE]]


def test_a_row_that_stood_still_and_has_no_reason_is_unexplained_at_once() -> None:
    world = World({(1,): (1, "right")}, {(1,): (1, "wrong")})
    reasons = Reasons(world, world.settle((1,)), lambda _world: None)
    assert reasons() == [((1,), False)]
    assert reasons.again == []


def test_a_row_that_lost_its_reason_to_a_later_change_is_settled_anew() -> None:
    world = World({(1,): (1, "held back"), (2,): (2, "right")}, {(1,): (1, "old"), (2,): (2, "wrong")})

    def change_once(world: World) -> None:
        if not world.changes:
            world.changes += 1
            world.source[(1,)] = world.store[(1,)] = (1, "new")

    settled = world.settle((1,), (2,))
    reasons = Reasons(world, settled, change_once)
    reasons.lost = {(1,)}
    assert reasons() == [((2,), True)]
    assert reasons.again == [[(1,)]]
    assert reasons.settled[TABLE].caught_up == 1


def test_a_row_that_changes_whenever_reasons_are_looked_for_is_in_flight() -> None:
    world = World({(1,): (1, "a")}, {})

    def change(world: World) -> None:
        world.changes += 1

    reasons = Reasons(world, world.settle((1,)), change)
    assert reasons() == []
    assert reasons.settled[TABLE].in_flight == [(1,)]
