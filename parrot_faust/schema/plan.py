"""What a store has to do so that rows of a new shape have their places, decided before anything is done. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from models import Column, TableSchema
from parrot_faust.schema.behaviour import HOLDING, Behaviour
from parrot_faust.schema.diff import changes, told
from parrot_faust.schema.layout import Generation, Layout, StoredColumn, free_name, key_of
from parrot_faust.schema.stores import Store

#: The behaviour for a kind of change, of one table.
Choice = Callable[[str], Behaviour]


class Step(msgspec.Struct, frozen=True, array_like=True):
    """One thing to do to a store's table. `change` is CreateTable, AddColumn or DropColumn; `generation` numbers the
    table; `columns` are (name, type) as the store has them.
    """

    change: str
    generation: int
    columns: tuple[tuple[str, str], ...]
    key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StorePlan:
    """What one store has to do. `notes` say what a reader of the tables should know, `losses` what will not be
    written, `refusals` what stops the table; `layout` is where everything lies afterwards.
    """

    store: Store
    steps: tuple[Step, ...]
    notes: tuple[str, ...]
    losses: tuple[str, ...]
    refusals: tuple[str, ...]
    layout: Layout


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a shape is taken: it is when nothing is in `reasons`. `plans` are what is done, or would be."""

    reasons: tuple[str, ...]
    plans: tuple[StorePlan, ...]

    @property
    def layouts(self) -> dict[str, Layout]:
        """The layouts after the plans, by store."""
        return {plan.store.name: plan.layout for plan in self.plans}

    @property
    def notes(self) -> tuple[str, ...]:
        """Everything to be said of the plans, each once."""
        said: Iterable[str] = (text for plan in self.plans for text in (*plan.notes, *plan.losses))
        return tuple(dict.fromkeys(said))


def decide(
    latest: TableSchema | None,
    shape: TableSchema,
    layouts: Mapping[str, Layout],
    stores: Iterable[Store],
    choice: Choice,
) -> Decision:
    """Decide on a shape that was not seen before, `latest` being the one before it."""
    found = [(type(change).__name__, told(change)) for change in changes(latest, shape)]
    reasons = [
        f"{choice(kind)}: {kind} {text.column} {text.detail}".replace("  ", " ")
        for kind, text in found
        if choice(kind) in HOLDING
    ]
    # A held shape's plans show what approving would do.
    chosen = (lambda kind: approved(choice(kind))) if reasons else choice
    plans = tuple(plan(store, layouts.get(store.name, Layout()), latest, shape, chosen) for store in stores)
    reasons += [] if reasons else [refusal for each in plans for refusal in each.refusals]
    return Decision(tuple(dict.fromkeys(reasons)), plans)


def approve(
    latest: TableSchema | None,
    shape: TableSchema,
    layouts: Mapping[str, Layout],
    stores: Iterable[Store],
    choice: Choice,
) -> Decision:
    """The decision on a shape that a person has let pass: as `lenient`, and what is impossible is left out."""
    plans = (
        plan(store, layouts.get(store.name, Layout()), latest, shape, lambda kind: approved(choice(kind)), force=True)
        for store in stores
    )
    return Decision((), tuple(plans))


def reject(
    latest: TableSchema | None, shape: TableSchema, layouts: Mapping[str, Layout], stores: Iterable[Store]
) -> Decision:
    """The decision on a shape that a person has turned down: as `ignore`."""
    plans = (
        plan(store, layouts.get(store.name, Layout()), latest, shape, lambda _: Behaviour.IGNORE) for store in stores
    )
    return Decision((), tuple(plans))


def approved(behaviour: Behaviour) -> Behaviour:
    """What approving makes of a behaviour: what would stop becomes lenient."""
    return Behaviour.LENIENT if behaviour in (*HOLDING, Behaviour.EVOLVE) else behaviour


def plan(
    store: Store,
    layout: Layout,
    latest: TableSchema | None,
    shape: TableSchema,
    choice: Choice,
    *,
    force: bool = False,
) -> StorePlan:
    """Plan for one store. With `force`, what is impossible is a loss and no refusal."""
    generation = layout.find(store, shape)
    if generation is None:
        return _table(store, layout, shape, choice, force)
    made = _Columns(store, generation, force)
    for column in shape.columns:
        made.take(column, choice)
    gone = {column.name for column in latest.columns} - {column.name for column in shape.columns} if latest else set()
    made.drop(gone, choice("DropColumn"))
    return made.plan(layout)


def _table(store: Store, layout: Layout, shape: TableSchema, choice: Choice, force: bool) -> StorePlan:
    first = not layout.generations
    kind = "CreateTable" if first else "AlterKey"
    behaviour = choice(kind)
    key = ", ".join(shape.key)
    if not first and behaviour is Behaviour.EVOLVE and not force:
        return StorePlan(store, (), (), (), (f"{store.name} can't alter a table's key to ({key})",), layout)
    if behaviour in (Behaviour.IGNORE, *HOLDING) or (not first and behaviour is Behaviour.TRY_EVOLVE):
        loss = f"{store.name} has no table with the key ({key}): changes of this shape become dead letters"
        return StorePlan(store, (), (), (loss,), (), layout)
    problems = [f"{store.name} can't have the table: {text}" for text in store.table_problems(shape.columns, shape.key)]
    if problems and not force and (not first or behaviour is Behaviour.EVOLVE):
        return StorePlan(store, (), (), (), tuple(problems), layout)
    number = max((each.number for each in layout.generations), default=0) + 1
    columns = tuple(StoredColumn(column, column.name) for column in shape.columns)
    made = Generation(number, key_of(store, shape), columns)
    step = Step("CreateTable", number, tuple((each.name, store.type_of(each.column)) for each in columns), shape.key)
    note = (
        f"{store.name}: the key is ({key}) now, so rows go into a new table, generation {number}; the earlier one "
        "stays as it is. To fill the new one with the rows that do not change, take a snapshot of the source table "
        "(Debezium's signal `execute-snapshot`)"
    )
    losses = tuple(f"{text}: its changes become dead letters" for text in problems)
    return StorePlan(store, (step,), () if first else (note,), losses, (), Layout((*layout.generations, made)))


class _Columns:
    """The columns of one of the store's tables, while a shape is planned for."""

    def __init__(self, store: Store, generation: Generation, force: bool) -> None:
        self._store, self._generation, self._force = store, generation, force
        self._columns = list(generation.columns)
        self._dropped = list(generation.dropped)
        self._drops = generation.drops
        self._steps: list[Step] = []
        self._notes: list[str] = []
        self._losses: list[str] = []
        self._refusals: list[str] = []

    def take(self, column: Column, choice: Choice) -> None:
        """Find a place for a column of the shape."""
        store, kind = self._store, self._store.type_of(column)
        beside = [each for each in self._columns if each.column.name == column.name]
        if any(store.type_of(each.column) == kind for each in beside):
            return
        behaviour = choice("AlterColumnType" if beside else "AddColumn")
        if behaviour is Behaviour.IGNORE or behaviour in HOLDING:
            self._losses.append(f"{store.name}: the values of {column.name} as {kind} are not written ({behaviour})")
            return
        if beside and behaviour in (Behaviour.EVOLVE, Behaviour.TRY_EVOLVE):
            was = store.type_of(beside[-1].column)
            self._cannot(behaviour, f"{store.name} can't alter {column.name} from {was} to {kind}")
            return
        name = free_name(store, column, {each.name for each in self._columns}, plain=not beside)
        if problem := store.column_problem(name, len(self._columns)):
            self._cannot(behaviour, f"{column.name}: {problem}")
            return
        self._columns.append(StoredColumn(column, name))
        self._dropped = [each for each in self._dropped if each != name]
        self._steps.append(Step("AddColumn", self._generation.number, ((name, kind),)))
        if beside:
            names = ", ".join(each.name for each in beside)
            self._notes.append(
                f"{store.name}: {column.name} is {kind} now and goes into the column {name} from here on; {names} "
                "keeps the values of rows that have not changed since"
            )

    def _cannot(self, behaviour: Behaviour, problem: str) -> None:
        if self._force or behaviour is Behaviour.TRY_EVOLVE:
            self._losses.append(f"{problem}: its values are not written")
        else:
            self._refusals.append(problem)

    def drop(self, names: set[str], behaviour: Behaviour) -> None:
        """Let go of columns that the source has dropped."""
        gone = [each for each in self._columns if each.column.name in names]
        if not gone:
            return
        store, listed = self._store, ", ".join(each.name for each in gone)
        if behaviour not in (Behaviour.EVOLVE, Behaviour.TRY_EVOLVE):
            self._notes.append(f"{store.name}: {listed} stays and becomes null in rows that change from here on")
            return
        self._columns = [each for each in self._columns if each not in gone]
        self._dropped += [each.name for each in gone]
        self._drops += 1
        shown = tuple((each.name, store.type_of(each.column)) for each in gone)
        self._steps.append(Step("DropColumn", self._generation.number, shown))

    def plan(self, layout: Layout) -> StorePlan:
        """What it has come to."""
        made = msgspec.structs.replace(
            self._generation,
            columns=tuple(self._columns),
            dropped=tuple(dict.fromkeys(self._dropped)),
            drops=self._drops,
        )
        return StorePlan(
            self._store,
            tuple(self._steps),
            tuple(self._notes),
            tuple(self._losses),
            tuple(self._refusals),
            layout if self._refusals else layout.replaced(made),
        )
