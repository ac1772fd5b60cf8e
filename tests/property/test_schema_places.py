"""Whatever a table's shapes have been, its rows have their places: nothing is lost, mixed up or brought back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import Column, Kind, Row, RowOp, TableSchema
from parrot_faust.schema.behaviour import Behaviour
from parrot_faust.schema.diff import apply, changes, merge
from parrot_faust.schema.layout import Layout, place
from parrot_faust.schema.plan import decide
from parrot_faust.schema.stores import HBASE, KUDU, Store

CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
ID = Column("id", Kind.INT64, False)
KINDS = [Kind.INT32, Kind.INT64, Kind.STRING, Kind.DECIMAL]

_COLUMNS = st.lists(
    st.builds(
        Column, st.sampled_from("abcd"), st.sampled_from(KINDS), st.booleans(), st.just(9), st.sampled_from([0, 2])
    ),
    max_size=4,
    unique_by=lambda column: column.name,
)


@st.composite
def shapes(draw: st.DrawFn) -> TableSchema:
    columns = (ID, *draw(_COLUMNS))
    key = ("id", columns[1].name) if len(columns) > 1 and draw(st.booleans()) and draw(st.booleans()) else ("id",)
    return TableSchema.of("t", columns, key, relation="t")


@dataclass
class Tables:
    """A store: tables by name suffix, rows by key, values by column."""

    rows: dict[int, dict[tuple[Any, ...], dict[str, Any]]] = field(default_factory=dict)
    types: dict[tuple[int, str], str] = field(default_factory=dict)

    def write(self, store: Store, schema: TableSchema, row: Row) -> None:
        assert len(row.values) == len(schema.columns)
        assert len({column.name for column in schema.columns}) == len(schema.columns), "no two columns of one name"
        for column in schema.columns:
            known = self.types.setdefault((schema.generation, column.name), store.type_of(column))
            assert known == store.type_of(column), "a column never has values of two types"
        key = tuple(row.values[position] for position in schema.key_positions())
        kept = self.rows.setdefault(schema.generation, {}).setdefault(key, {})
        for position, column in enumerate(schema.columns):
            if position not in row.unset:
                kept[column.name] = row.values[position]


@given(
    st.lists(shapes(), min_size=1, max_size=6), st.lists(st.integers(0, 5), max_size=8), st.sampled_from([KUDU, HBASE])
)
@CALM
def test_lenient_loses_no_value_and_keeps_the_types_of_every_column_apart(
    sequence: list[TableSchema], late: list[int], store: Store
) -> None:
    layout, latest, tables, number = Layout(), None, Tables(), 0
    taken: list[TableSchema] = []
    for step, shape in enumerate(sequence):
        decision = decide(latest, shape, {store.name: layout}, [store], lambda _: Behaviour.LENIENT)
        assert decision.reasons == ()
        layout, latest = decision.layouts[store.name], shape
        taken.append(shape)
        for of in (shape, *(taken[index % len(taken)] for index in late[step::6])):
            number += 1
            values = tuple(f"{column.name}-{column.kind}-{number}" for column in of.columns)
            placed = place(store, layout, of, latest)
            assert placed is not None
            assert placed.left_out == ()
            row = Row(number, number, RowOp.UPSERT, values)
            tables.write(store, placed.schema, placed.take(row) if placed.take else row)
            key = tuple(values[position] for position in of.key_positions())
            stored = tables.rows[placed.schema.generation][key]
            generation = layout.find(store, of)
            assert generation is not None
            for column, value in zip(of.columns, values, strict=True):
                names = {each.name: each for each in generation.columns if each.column.name == column.name}
                found = {name: stored.get(name) for name in names if stored.get(name) is not None}
                assert list(found.values()) == [value], "in one of its columns, and in no other"
                (name,) = found
                assert store.type_of(names[name].column) == store.type_of(column)


@given(shapes(), shapes(), st.sampled_from([KUDU, HBASE]))
@CALM
def test_a_late_row_leaves_what_came_after_it_and_clears_what_was_dropped(
    old: TableSchema, new: TableSchema, store: Store
) -> None:
    layouts = {store.name: Layout()}
    latest = None
    for shape in (old, new):
        layouts, latest = decide(latest, shape, layouts, [store], lambda _: Behaviour.LENIENT).layouts, shape
    placed = place(store, layouts[store.name], old, new)
    assert placed is not None
    if old.key != new.key or placed.schema.generation != 1:
        return
    row = Row(1, 1, RowOp.UPSERT, tuple(column.name for column in old.columns))
    taken = placed.take(row) if placed.take else row
    here = {column.name for column in old.columns}
    added = {column.name for column in new.columns} - here
    unset = {placed.schema.columns[position].name for position in taken.unset}
    assert unset == (added if layouts[store.name].find(store, new) == layouts[store.name].find(store, old) else set())


@given(st.lists(shapes(), min_size=1, max_size=6))
@CALM
def test_the_same_shapes_again_change_nothing(sequence: list[TableSchema]) -> None:
    layouts, latest = {"kudu": Layout()}, None
    for shape in (*sequence, *sequence[-1:]):
        before = layouts
        decision = decide(latest, shape, layouts, [KUDU], lambda _: Behaviour.LENIENT)
        layouts, latest = decision.layouts, shape
    assert layouts == before
    assert all(plan.steps == () for plan in decision.plans)


@given(shapes(), shapes(), shapes())
@CALM
def test_changes_applied_one_after_another_are_as_their_merged_run(
    first: TableSchema, second: TableSchema, third: TableSchema
) -> None:
    runs = changes(first, second), changes(second, third)

    def content(schema: TableSchema) -> tuple[set[Column], tuple[str, ...]]:
        return set(schema.columns), schema.key

    assert content(apply(apply(first, runs[0]), runs[1])) == content(third)
    assert content(apply(first, merge(first, *runs))) == content(third)
    assert merge(first, changes(first, second), changes(second, first)) == ()
