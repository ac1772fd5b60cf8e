"""What is decided on a change, store by store, before anything is done."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from models import Column, Kind, TableSchema
from parrot_faust.schema.behaviour import Behaviour, Policy, TableChoice
from parrot_faust.schema.layout import Layout
from parrot_faust.schema.plan import Decision, approve, decide, reject
from parrot_faust.schema.stores import HBASE, KUDU, STORES
from parrot_faust.sinks.kudu import mapping
from parrot_faust.sinks.kudu.settings import MAX_NAME

TABLE = "shop.public.t"
ID = Column("id", Kind.INT64, False)
NAME = Column("name", Kind.STRING)
PRICE = Column("price", Kind.INT32)


def shape(*columns: Column, key: tuple[str, ...] = ("id",)) -> TableSchema:
    return TableSchema.of(TABLE, columns, key, namespace="public", relation="t")


FIRST = shape(ID, NAME, PRICE)


@dataclass
class World:
    """A table whose shapes follow one another."""

    latest: TableSchema | None = None
    layouts: dict[str, Layout] = field(default_factory=dict)

    def take(self, new: TableSchema, behaviour: Behaviour = Behaviour.LENIENT) -> Decision:
        decision = decide(self.latest, new, self.layouts, STORES.values(), lambda _: behaviour)
        if not decision.reasons:
            self.latest, self.layouts = new, decision.layouts
        return decision


def world(first: TableSchema = FIRST) -> World:
    made = World()
    assert not made.take(first).reasons
    return made


def steps(decision: Decision, store: str) -> list[tuple[str, int, tuple[tuple[str, str], ...]]]:
    (plan,) = (plan for plan in decision.plans if plan.store.name == store)
    return [(step.change, step.generation, step.columns) for step in plan.steps]


def test_the_core_and_kudus_sink_agree_on_types_and_limits() -> None:
    columns = [Column("c", kind) for kind in Kind]
    columns += [Column("c", Kind.DECIMAL, True, precision, 2) for precision in (1, 2, 12, 38, 39)]
    for column in columns:
        assert KUDU.type_of(column) == mapping.store_column(column, key=False).shape, column
    assert (KUDU.max_columns, KUDU.max_name) == (mapping.MAX_COLUMNS, MAX_NAME)
    assert KUDU.not_in_key == mapping.NOT_IN_KEY


@pytest.mark.parametrize("behaviour", [Behaviour.EXCEPTION, Behaviour.REVIEW])
@pytest.mark.parametrize(
    ("new", "kind"),
    [
        (shape(ID, NAME, PRICE, Column("more", Kind.STRING)), "AddColumn more"),
        (shape(ID, NAME), "DropColumn price"),
        (shape(ID, NAME, Column("price", Kind.STRING)), "AlterColumnType price int32 to string"),
        (shape(ID, Column("name", Kind.STRING, False), PRICE), "AlterNullability name may no longer be null"),
        (shape(ID, Column("name", Kind.STRING, False), PRICE, key=("id", "name")), "AlterKey (id) to (id, name)"),
    ],
)
def test_a_change_that_is_to_be_held_is_held_with_what_it_is(behaviour: Behaviour, new: TableSchema, kind: str) -> None:
    decision = world().take(new, behaviour)
    assert kind in " ".join(decision.reasons)
    assert str(behaviour) in decision.reasons[0]


def test_an_added_column_is_one_step_in_every_store() -> None:
    new = shape(ID, NAME, PRICE, Column("more", Kind.TIMESTAMP))
    for behaviour in (Behaviour.EVOLVE, Behaviour.TRY_EVOLVE, Behaviour.LENIENT):
        decision = world().take(new, behaviour)
        assert steps(decision, "kudu") == [("AddColumn", 1, (("more", "unixtime_micros"),))]
        assert steps(decision, "hbase") == [("AddColumn", 1, (("more", "timestamp"),))]
        assert decision.notes == ()


def test_an_ignored_column_is_a_loss_that_is_said() -> None:
    decision = world().take(shape(ID, NAME, PRICE, Column("more", Kind.STRING)), Behaviour.IGNORE)
    assert steps(decision, "kudu") == steps(decision, "hbase") == []
    assert "kudu: the values of more as string are not written (ignore)" in decision.notes


def test_a_dropped_column_goes_only_when_it_is_to() -> None:
    for behaviour in (Behaviour.EVOLVE, Behaviour.TRY_EVOLVE):
        decision = world().take(shape(ID, NAME), behaviour)
        assert steps(decision, "kudu") == [("DropColumn", 1, (("price", "int32"),))]
        assert decision.layouts["hbase"].generations[0].dropped == ("price",)
    for behaviour in (Behaviour.LENIENT, Behaviour.IGNORE):
        decision = world().take(shape(ID, NAME), behaviour)
        assert steps(decision, "kudu") == []
        assert "price stays and becomes null" in decision.notes[0]


def test_a_type_that_no_store_can_alter_stops_evolve_is_left_out_by_try_evolve_and_goes_beside_when_lenient() -> None:
    new = shape(ID, NAME, Column("price", Kind.DECIMAL, True, 12, 2))
    assert "kudu can't alter price from int32 to decimal(12,2)" in world().take(new, Behaviour.EVOLVE).reasons
    tried = world().take(new, Behaviour.TRY_EVOLVE)
    assert steps(tried, "kudu") == []
    assert any("its values are not written" in note for note in tried.notes)
    lenient = world().take(new)
    assert steps(lenient, "kudu") == [("AddColumn", 1, (("price__decimal_12_2", "decimal(12,2)"),))]
    assert steps(lenient, "hbase") == [("AddColumn", 1, (("price__decimal", "decimal"),))]
    assert any("goes into the column price__decimal_12_2 from here on" in note for note in lenient.notes)


def test_a_type_change_that_a_store_does_not_see_is_nothing_to_do_there() -> None:
    start = world(shape(ID, Column("price", Kind.DECIMAL, True, 10, 2)))
    decision = start.take(shape(ID, Column("price", Kind.DECIMAL, True, 12, 2)), Behaviour.LENIENT)
    assert steps(decision, "kudu") == [("AddColumn", 1, (("price__decimal_12_2", "decimal(12,2)"),))]
    assert steps(decision, "hbase") == []
    again = world(shape(ID, NAME)).take(shape(ID, Column("name", Kind.STRING, semantic="json")), Behaviour.EVOLVE)
    assert again.reasons == ()
    assert steps(again, "kudu") == []


def test_a_type_that_comes_back_finds_its_column() -> None:
    table = world()
    table.take(shape(ID, NAME, Column("price", Kind.STRING)))
    assert steps(table.take(FIRST), "kudu") == []
    assert steps(table.take(shape(ID, NAME, Column("price", Kind.STRING, False))), "hbase") == []


def test_a_column_beside_never_takes_the_name_of_another() -> None:
    table = world(shape(ID, PRICE, Column("price__string", Kind.INT64)))
    decision = table.take(shape(ID, Column("price", Kind.STRING), Column("price__string", Kind.INT64)))
    assert steps(decision, "kudu") == [("AddColumn", 1, (("price__string_2", "string"),))]
    decision = world().take(shape(ID, NAME, Column("price", Kind.STRING)))
    table = World(shape(ID, NAME, Column("price", Kind.STRING)), decision.layouts)
    named = shape(ID, NAME, Column("price", Kind.STRING), Column("price__string", Kind.INT32))
    assert steps(table.take(named), "kudu") == [("AddColumn", 1, (("price__string__int32", "int32"),))]


KEYED = shape(ID, Column("name", Kind.STRING, False), PRICE, key=("id", "name"))


def test_another_key_makes_a_new_generation_when_lenient() -> None:
    decision = world().take(KEYED)
    for store in ("kudu", "hbase"):
        assert [(change, number) for change, number, _ in steps(decision, store)] == [("CreateTable", 2)]
    assert any("execute-snapshot" in note for note in decision.notes)
    assert "kudu can't alter a table's key to (id, name)" in world().take(KEYED, Behaviour.EVOLVE).reasons
    for behaviour in (Behaviour.TRY_EVOLVE, Behaviour.IGNORE):
        ignored = world().take(KEYED, behaviour)
        assert steps(ignored, "kudu") == []
        assert any("become dead letters" in note for note in ignored.notes)


def test_another_type_of_a_key_column_is_another_key() -> None:
    decision = world().take(shape(Column("id", Kind.STRING, False), NAME, PRICE))
    assert [(change, number) for change, number, _ in steps(decision, "kudu")] == [("CreateTable", 2)]


def wide(columns: int) -> TableSchema:
    return shape(ID, *(Column(f"c{number}", Kind.STRING) for number in range(columns - 1)))


def test_column_301_stops_the_table_before_anything_is_written() -> None:
    full, over = wide(300), wide(301)
    for behaviour in (Behaviour.EVOLVE, Behaviour.LENIENT):
        decision = world(full).take(over, behaviour)
        assert decision.reasons == ("c299: kudu takes 300 columns, and it would be number 301",)
    tried = world(full).take(over, Behaviour.TRY_EVOLVE)
    assert steps(tried, "kudu") == []
    assert [change for change, _, _ in steps(tried, "hbase")] == ["AddColumn"], "HBase has no such limit"


def test_approving_leaves_out_what_is_impossible_and_rejecting_all_that_is_new() -> None:
    table, over = world(wide(300)), wide(301)
    decision = approve(table.latest, over, table.layouts, STORES.values(), lambda _: Behaviour.EVOLVE)
    assert decision.reasons == ()
    assert steps(decision, "kudu") == []
    assert len(steps(decision, "hbase")) == 1
    turned_down = reject(table.latest, over, table.layouts, STORES.values())
    assert steps(turned_down, "hbase") == []
    assert turned_down.layouts == table.layouts


def test_what_a_table_says_goes_before_what_all_say_and_a_kind_before_every_kind() -> None:
    policy = Policy(
        Behaviour.EVOLVE,
        {"DropColumn": Behaviour.IGNORE},
        {TABLE: TableChoice(Behaviour.REVIEW, {"AddColumn": Behaviour.LENIENT}), "b": TableChoice(None, {})},
    )
    assert policy.of(TABLE, "AddColumn") is Behaviour.LENIENT
    assert policy.of(TABLE, "DropColumn") is Behaviour.REVIEW
    assert policy.of("b", "DropColumn") is Behaviour.IGNORE
    assert policy.of("c", "AlterKey") is Behaviour.EVOLVE
    assert policy.of(TABLE, "CreateTable") is Behaviour.LENIENT, "only when it is named"


def test_a_new_table_is_made_whatever_is_said_of_changes_unless_it_is_named() -> None:
    held = decide(None, FIRST, {}, STORES.values(), lambda _: Behaviour.REVIEW)
    assert "CreateTable" in held.reasons[0]
    assert steps(held, "kudu")[0][0] == "CreateTable", "what approving it would do"
    ignored = decide(None, FIRST, {}, STORES.values(), lambda _: Behaviour.IGNORE)
    assert ignored.layouts["kudu"].generations == ()


def test_a_table_that_kudu_can_never_hold_stops_evolve_and_makes_dead_letters_else() -> None:
    odd = shape(Column("id", Kind.FLOAT64, False), NAME)
    assert decide(None, odd, {}, [KUDU, HBASE], lambda _: Behaviour.EVOLVE).reasons
    lenient = decide(None, odd, {}, [KUDU, HBASE], lambda _: Behaviour.LENIENT)
    assert lenient.reasons == ()
    assert any("dead letters" in note for note in lenient.notes)
