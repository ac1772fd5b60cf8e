"""The topics that belong to an app, as they are made before anything reads them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from parrot_faust.transport.admin import TopicPlan
from parrot_faust.web.exchange import stats_topic

if TYPE_CHECKING:
    from faust.types.tables import CollectionT

    from parrot_faust.parts import Parts

FOR_EVER = {"retention.ms": "-1"}
COMPACTED = {"cleanup.policy": "compact"}
LONG_RECORDS = {"max.message.bytes": str(16 << 20)}  # a record that is held or kept is longer than it came
DAY_MS = 86_400_000


def all_topics(parts: Parts) -> list[TopicPlan]:
    """Every topic of a worker's app but dead letters and quarantines, which are made with their first letter."""
    settings, names = parts.settings, parts.names
    keep = {"retention.ms": str(settings.topics.retention_days * DAY_MS)}
    return [
        *(TopicPlan(topic, settings.topics.partitions, keep) for topic in map(names.writes, parts.processes)),
        *changelogs(parts.app.tables.values()),
        TopicPlan(names.held, settings.topics.partitions, FOR_EVER | LONG_RECORDS),
        TopicPlan(names.images, settings.topics.partitions, COMPACTED | LONG_RECORDS),
        TopicPlan(names.versions, settings.topics.partitions, COMPACTED),
        TopicPlan(names.rules, 1, COMPACTED),
        TopicPlan(names.schemas, 1, FOR_EVER),
        TopicPlan(names.anchor, 1, {}),
        TopicPlan(names.redrive, 1, keep),
        TopicPlan(names.resolved, 1, COMPACTED),
        stats_topic(names.stats),
        TopicPlan(names.rule_reports, 1, {"cleanup.policy": "compact,delete", "retention.ms": str(DAY_MS)}),
        *parts.windowing.topics(names, keep),
        *parts.steering.topics(),
        TopicPlan(names.audit, 1, FOR_EVER),
    ]


def side_topic(name: str) -> TopicPlan:
    """A topic of dead letters or of quarantined records."""
    return TopicPlan(name, 1, FOR_EVER | LONG_RECORDS)


def changelogs(tables: Iterable[CollectionT]) -> list[TopicPlan]:
    """The tables' changelogs. Faust makes them too, but a moment before it joins the group: a topic that its client
    does not see yet is then nobody's, and the worker would wait for it without a word.
    """
    return [
        TopicPlan(
            table.changelog_topic.get_topic_name(), table.partitions, COMPACTED | (table.extra_topic_configs or {})
        )
        for table in tables
    ]
