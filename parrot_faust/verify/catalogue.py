"""Which tables are compared, and how: from the settings, the source's catalogue, the topics, and what was captured."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from models import TableSchema
from parrot_faust.creation import HBaseTable, family_of
from parrot_faust.errors import SettingsError
from parrot_faust.names import Names, avro_name, is_debezium_own, table_topic
from parrot_faust.schema.history import SchemaHistory
from parrot_faust.settings import Settings
from parrot_faust.verify.explain import KINDS
from parrot_faust.verify.places import Places, places_of
from parrot_faust.verify.plan import Skipped, SourceColumn, TablePlan, hbase_name, table_plan, target_name
from parrot_faust.verify.postgres import Source


class Found(NamedTuple):
    """A source table that the settings mean, with its topic; `captured` says whether the topic is there."""

    topic: str
    schema: str
    relation: str
    rows: int
    width: int
    captured: bool


def find(settings: Settings, source: Source, topics: Sequence[str], chosen: Sequence[str]) -> list[Found]:
    """The tables whose topics the settings' pattern matches; of them those `chosen`, by topic, schema and table, or
    table.

    Raise SettingsError when there are none, or a chosen one is not among them.
    """
    names = Names(settings.app)
    wanted = re.compile(settings.source.topics)
    unwanted = [re.compile(text) for text in settings.source.exclude]

    def meant(topic: str) -> bool:
        return (
            wanted.fullmatch(topic) is not None
            and not any(pattern.fullmatch(topic) for pattern in unwanted)
            and not is_debezium_own(topic)
            and not names.owns(topic)
        )

    there = {topic for topic in topics if meant(topic)}
    prefixes = {topic.split(".", 1)[0] for topic in there}
    found = []
    for schema, relation, rows, width in source.tables():
        for prefix in sorted(prefixes):
            topic = table_topic(prefix, schema, relation)
            if meant(topic):
                found.append(Found(topic, schema, relation, rows, width, topic in there))
    if not found:
        raise SettingsError(
            f"no table of database {source.database} has a topic that source.topics ({settings.source.topics}) matches"
        )
    return _chosen(found, chosen) if chosen else found


def _chosen(found: list[Found], chosen: Sequence[str]) -> list[Found]:
    result: list[Found] = []
    for name in chosen:
        matching = [one for one in found if name in (one.topic, f"{one.schema}.{one.relation}", one.relation)]
        if not matching:
            known = [name for one in found for name in (one.topic, f"{one.schema}.{one.relation}", one.relation)]
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(one.topic for one in found)}"
            raise SettingsError(f"--table {name}: no such table is captured; {hint}")
        result += [one for one in matching if one not in result]
    return result


def plan(
    settings: Settings,
    source: Source,
    table: Found,
    shapes: Mapping[str, TableSchema],
    histories: Mapping[str, SchemaHistory],
) -> tuple[TablePlan | None, list[Skipped]]:
    """How a table is compared, and what of it is not."""
    if not table.captured:
        text = f"it has no topic: nothing of it (about {table.rows:,} rows) was ever captured"
        return None, [Skipped(table.topic, "", text)] if table.rows else []
    own = settings.tables.get(table.topic)
    sinks = own.sinks if own is not None else ()
    targets = {}
    hbase = HBaseTable()
    if (kudu := settings.kudu_table(table.topic)) is not None and (not sinks or "kudu" in sinks):
        targets["kudu"] = target_name(kudu.table or "", table.topic, source.database, table.schema, table.relation)
    if (there := settings.hbase_table(table.topic)) is not None and (not sinks or "hbase" in sinks):
        hbase = there
        name = target_name(hbase.table or "", table.topic, source.database, table.schema, table.relation)
        targets["hbase"] = name
    places, unplaced = _placed(table.topic, targets, histories.get(table.topic))
    if "hbase" in targets:
        targets["hbase"] = hbase_name(targets["hbase"])
    columns = _as_named(source.columns(table.schema, table.relation), shapes.get(table.topic))
    names = {column.at_source: column.name for column in columns}
    key = own.key if own is not None and own.key else [names[name] for name in source.key(table.schema, table.relation)]
    masked = {name: word or "null" for name, word in own.mask.items()} if own is not None else {}
    made, skipped = table_plan(
        table.topic,
        table.schema,
        table.relation,
        columns,
        key,
        targets,
        hbase.family or "d",
        table.rows,
        table.width,
        masked,
    )
    if made is not None:
        made = _in_hbase(msgspec.structs.replace(made, places=places), hbase)
    made, skipped = _with_places(made, [*skipped, *unplaced])
    return _as_captured(made, skipped, shapes.get(table.topic))


def _as_named(found: Sequence[SourceColumn], shape: TableSchema | None) -> list[SourceColumn]:
    """The source's columns under the names that their changes have: in Avro not every name can be written."""
    captured = {column.name for column in shape.columns} if shape is not None else set()
    named = []
    for column in found:
        other = avro_name(column.name)
        name = other if other in captured and column.name not in captured else column.name
        named.append(column._replace(name=name, at_source=column.name))
    return named


def _placed(
    topic: str, targets: dict[str, str], history: SchemaHistory | None
) -> tuple[dict[str, Places], list[Skipped]]:
    """The places of a table in its stores. A store that has no table for it is no target any more, and named."""
    found: dict[str, Places] = {}
    skipped = []
    for store in list(targets):
        places = places_of(history, store)
        if places is None:
            skipped.append(
                Skipped(topic, "", f"{store} has no table with its key: its changes are dead letters", store)
            )
            del targets[store]
            continue
        targets[store] = places.target(targets[store])
        found[store] = places
    return found, skipped


def _with_places(made: TablePlan | None, skipped: list[Skipped]) -> tuple[TablePlan | None, list[Skipped]]:
    """Leave out columns whose values a store was told not to take."""
    if made is None:
        return made, skipped
    unwritten = {name: store for store, places in made.places.items() for name in places.left_out}
    known = {column.name for column in made.columns}
    skipped += [
        Skipped(made.topic, name, f"its values are not written to {store}: a change of its type was turned down")
        for name, store in unwritten.items()
        if name in known
    ]
    return made.without(unwritten), skipped


def _in_hbase(made: TablePlan, hbase: HBaseTable) -> TablePlan:
    """The plan with its columns' families and the form of its row keys."""
    names = [made.name_in("hbase", column.name) for column in made.columns[made.keys :]]
    names += [name for some in made.older_in("hbase").values() for name in some]
    families = {name: family_of(name, hbase) for name in names}
    others = {name: family for name, family in families.items() if family != made.family}
    return msgspec.structs.replace(made, families=others, row_key=hbase.row_key or "text", salt=hbase.salt or 1)


def _as_captured(
    made: TablePlan | None, skipped: list[Skipped], shape: TableSchema | None
) -> tuple[TablePlan | None, list[Skipped]]:
    """Leave out columns that the connector does not send in the documented form."""
    if made is None or shape is None:
        return made, skipped
    kinds = {column.name: column.kind for column in shape.columns}
    if missing := [column.name for column in made.key if column.name not in kinds]:
        return None, [*skipped, Skipped(made.topic, "", f"its key column {missing[0]} is not among what is captured")]
    other = {
        column.name: f"it is captured as {kinds[column.name]}, which is not how {column.sql} is stored"
        for column in made.columns
        if column.name in kinds and kinds[column.name] is not KINDS[column.stored]
    }
    for column in made.key:
        if column.name in other:
            return None, [*skipped, Skipped(made.topic, "", f"its key column {column.name}: {other[column.name]}")]
    return made.without(other), [*skipped, *(Skipped(made.topic, name, text) for name, text in other.items())]
