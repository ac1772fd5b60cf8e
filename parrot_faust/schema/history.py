"""A table's schema history: what the source's shapes were, which of them were taken, and where everything lies since.

The history is a fold over events: `fold` takes one event and is pure. Every table has one writer, the worker that reads
the schema topic, so that all workers see one order of shapes and the same places for their columns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from models import SchemaChange, TableSchema
from parrot_faust.schema.behaviour import HOLDING, Behaviour, Policy
from parrot_faust.schema.diff import diff
from parrot_faust.schema.layout import Layout, Placement, place
from parrot_faust.schema.plan import Decision, approve, decide, reject
from parrot_faust.schema.stores import STORES, Store

EVENTS_KEPT = 200  # of a table: years of schema changes
#: Of a table's entry, which must fit one Kafka message of the usual 1 MB: a wide table's shape alone may have 100 kB.
BYTES_KEPT = 800_000
SHAPES_KEPT = 2_000  # fingerprints of shapes that were taken; a shape of longer ago would be looked at anew

APPROVE, REJECT = "approve", "reject"
#: In the reason of a shape that waits until somebody has made its table.
NOT_MADE = "`create: false` leaves making it to you"
WAITS_BEHIND = "waits behind an earlier shape"
#: The note of a shape that came after a later one.
EARLIER = "an earlier shape than the latest: its rows are written with what they have, and nothing is undone for it"


class SchemaSeen(msgspec.Struct, frozen=True):
    """An event of a table's history.

    With a `schema`: a shape of the source's, first seen at that place, and how it differs from the one before. What
    became of it is then the `verdict`: empty while it is only announced or was taken as configured, ``held``,
    ``approve`` or ``reject``. `notes` say what follows for readers of the stores. With a `sink`: what was done to its
    table. With neither: a person's `verdict` on the shapes that are held. `source_us` is when the row was committed in
    which the shape was seen, 0 where that is not known: partitions are not read in the order of their commits.
    """

    schema: TableSchema | None
    topic: str
    partition: int
    offset: int
    sink: str
    changes: tuple[SchemaChange, ...]
    at_ms: int
    seconds: float = 0.0
    verdict: str = ""
    notes: tuple[str, ...] = ()
    source_us: int = 0


class Held(msgspec.Struct, frozen=True):
    """A shape that waits, since when and why. `notes` say what approving it would do; `targets` are the shapes of the
    tables that it waits for, by store.
    """

    schema: TableSchema
    partition: int
    offset: int
    since_ms: int
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()
    targets: dict[str, TableSchema] = {}


class SchemaHistory(msgspec.Struct, frozen=True):
    """A table's entry in the schema table: the latest shape that was taken and the events that led to it, oldest first;
    the fingerprints of all that were taken; where the columns lie in each store; the shapes that wait.
    """

    latest: TableSchema | None
    events: tuple[SchemaSeen, ...]
    taken: tuple[str, ...] = ()
    layouts: dict[str, Layout] = {}
    held: tuple[Held, ...] = ()

    def has(self, schema: TableSchema) -> bool:
        """Whether a shape was taken. One of key columns alone is what some forms of event say of a delete."""
        if schema.fingerprint in self.taken:
            return True
        if self.latest is None or self.latest.key != schema.key or len(schema.columns) != len(schema.key):
            return False
        return not stranger(self.latest, schema)

    @property
    def stalled(self) -> Held | None:
        """The first shape that waits, where it does so for its table or for a shape that waits no more."""
        first = self.held[0] if self.held else None
        waits = first is not None and any(NOT_MADE in each or WAITS_BEHIND in each for each in first.reasons)
        return first if waits else None

    def placements(self, schema: TableSchema) -> dict[str, Placement | None]:
        """Where rows of a shape that was taken go in each store, None where it has no table for them."""
        latest = self.latest or schema
        return {name: place(STORES[name], layout, schema, latest) for name, layout in self.layouts.items()}


@dataclass(frozen=True, slots=True)
class Terms:
    """What decides on shapes: the behaviours that were chosen, the stores that each table goes to, and the tables whose
    topics may hold rows of source tables that only their topic's name makes one.
    """

    policy: Policy = field(default_factory=Policy)
    stores: tuple[Store, ...] = ()
    merging: frozenset[str] = frozenset()


def origin_of(schema: TableSchema) -> tuple[str, str, str]:
    """The source table that a shape is of: database, schema and table, as its records say."""
    return schema.database, schema.namespace, schema.relation


def stranger(latest: TableSchema | None, schema: TableSchema) -> str:
    """Why rows of a shape are not of the table that the topic's are of; empty where they are, or may be.

    Two tables whose names differ only in what a topic's name can't hold are put into one topic by Debezium, unasked.
    Tables of quite other names come into one topic only when somebody routes them there.
    """
    if latest is None or origin_of(latest) == origin_of(schema):
        return ""
    if len(schema.columns) == len(schema.key) and schema.relation == schema.table.rpartition(".")[2]:
        return ""  # a tombstone's, named after its topic because it does not say whose it is
    names = [".".join(origin_of(each)) for each in (latest, schema)]
    if _topic_name(names[0]) != _topic_name(names[1]):
        return ""
    here, there = (f"{each.namespace}.{each.relation}" for each in (schema, latest))
    return (
        f"it is a row of {here}, in a topic whose rows are those of {there}: Debezium gives both one topic, as it "
        f"writes other letters as _. Rename one, or route it to another topic; if {there} was renamed, say so with "
        f"`tables.{schema.table}.merge: true`"
    )


def _topic_name(text: str) -> str:
    """As Debezium writes it in a topic's name: an underscore for each of Java's characters that it can't have."""
    return re.sub(r"[^A-Za-z0-9._-]", lambda match: "__" if ord(match[0]) > 0xFFFF else "_", text)


def history_of(raw: str | None) -> SchemaHistory:
    """Decode a table's entry; an absent one is an empty history. One that was written before shapes were taken or held
    has taken all it has.
    """
    if not raw:
        return SchemaHistory(None, ())
    history = msgspec.json.decode(raw, type=SchemaHistory)
    if history.taken or history.held:
        return history
    shapes = (event.schema.fingerprint for event in history.events if event.schema is not None)
    return msgspec.structs.replace(history, taken=tuple(dict.fromkeys(shapes)))


def encoded(history: SchemaHistory) -> str:
    """A table's entry, without the oldest events where there are too many or it would be too large."""
    events = list(history.events)[-EVENTS_KEPT:]
    sizes = [len(msgspec.json.encode(event)) for event in events]
    room = BYTES_KEPT - len(msgspec.json.encode(msgspec.structs.replace(history, events=())))
    while len(events) > 1 and sum(sizes) > room:
        del events[0], sizes[0]
    return msgspec.json.encode(msgspec.structs.replace(history, events=tuple(events))).decode()


def fold(history: SchemaHistory, event: SchemaSeen, terms: Terms) -> SchemaHistory:
    """The history after an event; the same object when the event tells nothing new."""
    if event.schema is not None:
        return _shape(history, event, event.schema, terms)
    if event.sink:
        known = any(each.sink == event.sink and each.changes == event.changes for each in history.events)
        return history if known else _with(history, event)
    if event.verdict in (APPROVE, REJECT):
        return _verdict(history, event, terms)
    return history


def _shape(history: SchemaHistory, event: SchemaSeen, schema: TableSchema, terms: Terms) -> SchemaHistory:
    missing = [store for store in terms.stores if store.name not in history.layouts]
    if missing and history.taken:
        history = _with_stores(history, missing)
    first = history.latest or (history.held[0].schema if history.held else None)
    if history.has(schema) or (schema.table not in terms.merging and stranger(first, schema)):
        return history
    first_held = history.held[0].schema.fingerprint if history.held else schema.fingerprint
    if first_held != schema.fingerprint:
        waiting = f"{WAITS_BEHIND} of {schema.table} that is held"
        return _hold(history, event, schema, (waiting,), ())
    choice = _choice(terms, schema)
    if history.latest is not None and _earlier(history, history.latest, event, schema):
        decision = approve(history.latest, schema, history.layouts, terms.stores, lambda kind: _keeping(choice(kind)))
        return _take_earlier(history, event, schema, decision)
    decision = decide(history.latest, schema, history.layouts, terms.stores, choice)
    if decision.reasons:
        return _hold(history, event, schema, decision.reasons, decision.notes)
    return _take(history, event, schema, decision, "")


def _earlier(history: SchemaHistory, latest: TableSchema, event: SchemaSeen, schema: TableSchema) -> bool:
    """Whether a shape was the source's before the latest one, by the commits of the rows in which both were seen. A
    table with another key is another generation, and decided on as it comes.
    """
    if not event.source_us or schema.key != latest.key:
        return False
    taken = (each for each in reversed(history.events) if each.schema == latest and each.verdict != "held")
    known = next(taken, None)
    if known is None or (known.partition == event.partition and known.offset < event.offset):
        return False
    return event.source_us < known.source_us


def _keeping(behaviour: Behaviour) -> Behaviour:
    """What an earlier shape makes of a behaviour: it adds what it needs, and undoes nothing of a later one."""
    adding = (Behaviour.EVOLVE, Behaviour.TRY_EVOLVE, *HOLDING)
    return Behaviour.LENIENT if behaviour in adding else behaviour


def hold_for_tables(
    history: SchemaHistory, event: SchemaSeen, reasons: Sequence[str], targets: Mapping[str, TableSchema]
) -> SchemaHistory:
    """The history with the shape of an event held until its tables are there; the same object when it is already."""
    if event.schema is None:
        return history
    behind = [each for each in history.held if any(WAITS_BEHIND in reason for reason in each.reasons)]
    others = tuple(each for each in history.held if each.schema.fingerprint != event.schema.fingerprint)
    before = msgspec.structs.replace(history, held=others) if behind and len(others) < len(history.held) else history
    after = _hold(before, event, event.schema, tuple(reasons), ())
    if after is before:
        return history
    first = msgspec.structs.replace(after.held[-1], targets=dict(targets))
    return msgspec.structs.replace(after, held=(first, *after.held[:-1]))


def _with_stores(history: SchemaHistory, stores: Sequence[Store]) -> SchemaHistory:
    """The history with the layouts of stores that came later: all shapes lie there as they do when lenient."""
    shapes = [event.schema for event in history.events if event.schema is not None and history.has(event.schema)]
    if history.latest is not None and history.latest not in shapes:
        shapes.append(history.latest)
    layouts: dict[str, Layout] = {}
    before: TableSchema | None = None
    for shape in shapes:
        layouts = approve(before, shape, layouts, stores, lambda _: Behaviour.LENIENT).layouts
        before = shape
    return msgspec.structs.replace(history, layouts=history.layouts | layouts)


def _hold(
    history: SchemaHistory, event: SchemaSeen, schema: TableSchema, reasons: tuple[str, ...], notes: tuple[str, ...]
) -> SchemaHistory:
    if any(each.schema.fingerprint == schema.fingerprint for each in history.held):
        return history
    held = Held(schema, event.partition, event.offset, event.at_ms, reasons, notes)
    told = msgspec.structs.replace(
        event, changes=diff(history.latest, schema), verdict="held", notes=(*reasons, *notes)
    )
    return msgspec.structs.replace(_with(history, told), held=(*history.held, held))


def _take(
    history: SchemaHistory, event: SchemaSeen, schema: TableSchema, decision: Decision, verdict: str
) -> SchemaHistory:
    told = msgspec.structs.replace(
        event, schema=schema, changes=diff(history.latest, schema), verdict=verdict, notes=decision.notes
    )
    return msgspec.structs.replace(
        _with(history, told),
        latest=schema,
        taken=(*history.taken, schema.fingerprint)[-SHAPES_KEPT:],
        layouts=history.layouts | decision.layouts,
        held=tuple(each for each in history.held if each.schema.fingerprint != schema.fingerprint),
    )


def _take_earlier(history: SchemaHistory, event: SchemaSeen, schema: TableSchema, decision: Decision) -> SchemaHistory:
    told = msgspec.structs.replace(event, schema=schema, changes=(), notes=(EARLIER,))
    return msgspec.structs.replace(
        _with(history, told),
        taken=(*history.taken, schema.fingerprint)[-SHAPES_KEPT:],
        layouts=history.layouts | decision.layouts,
    )


def _verdict(history: SchemaHistory, event: SchemaSeen, terms: Terms) -> SchemaHistory:
    for held in history.held:
        schema = held.schema
        decision = (
            approve(history.latest, schema, history.layouts, terms.stores, _choice(terms, schema))
            if event.verdict == APPROVE
            else reject(history.latest, schema, history.layouts, terms.stores)
        )
        place_of = msgspec.structs.replace(event, partition=held.partition, offset=held.offset)
        history = _take(history, place_of, schema, decision, event.verdict)
    return history


def _choice(terms: Terms, schema: TableSchema) -> _Chosen:
    return _Chosen(terms.policy, schema.table)


@dataclass(frozen=True, slots=True)
class _Chosen:
    policy: Policy
    table: str

    def __call__(self, kind: str) -> Behaviour:
        return self.policy.of(self.table, kind)


def _with(history: SchemaHistory, event: SchemaSeen) -> SchemaHistory:
    return msgspec.structs.replace(history, events=(*history.events, event))
