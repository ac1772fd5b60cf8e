"""What the settings decide, worked out before anything connects: which topics, which stores, whose tables."""

from __future__ import annotations

import re
from collections.abc import Iterable

from models import TableSchema
from parrot_faust.errors import TableRefused
from parrot_faust.names import Names, is_debezium_own, is_schema_change_topic
from parrot_faust.schema import STORES, Claims, Terms
from parrot_faust.settings import Settings, policy_of
from parrot_faust.sinks.factory import SinkSpec, namer, spec_of


def source_topics(settings: Settings, names: Names, topics: Iterable[str]) -> list[str]:
    """The source topics among `topics`: those the pattern matches, but for Debezium's own and the app's."""
    source, found = settings.source, frozenset(topics)
    wanted, unwanted = re.compile(source.topics), [re.compile(text) for text in source.exclude]
    return sorted(
        topic
        for topic in found
        if wanted.fullmatch(topic)
        and not any(pattern.fullmatch(topic) for pattern in unwanted)
        and not names.owns(topic)
        and not is_debezium_own(topic)
        and not is_schema_change_topic(topic, found)
    )


def sink_specs(settings: Settings) -> list[SinkSpec]:
    """The sinks that are configured."""
    specs = []
    for kind in ("kudu", "hbase"):
        section = getattr(settings.sinks, kind)
        if section is not None:
            tables = {name: getattr(table, kind) for name, table in settings.tables.items()}
            specs.append(spec_of(kind, section, tables))
    return specs


def terms_of(settings: Settings, stores: Iterable[str]) -> Terms:
    """What decides on the shapes of tables."""
    merging = frozenset(name for name, table in settings.tables.items() if table.merge)
    return Terms(policy_of(settings), tuple(STORES[store] for store in stores), merging)


def claims_of(settings: Settings, specs: Iterable[SinkSpec]) -> Claims:
    """What finds out whose a store's table is."""
    names = {spec.kind: namer(spec) for spec in specs}

    def target(store: str, shape: TableSchema) -> str | None:
        own = settings.tables.get(shape.table)
        if store not in names or (own is not None and own.sinks and store not in own.sinks):
            return None
        try:
            return names[store](shape)
        except TableRefused:  # its rows become dead letters
            return None

    return Claims(target, lambda table: table in settings.tables and settings.tables[table].merge)
