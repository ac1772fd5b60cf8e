"""What a worker looks out for beside its agents: topics that come and go, and tables that others are to make."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from aiokafka.errors import KafkaError

from models import TableSchema
from parrot_faust.choices import source_topics
from parrot_faust.delivery.topics import SourceTopics
from parrot_faust.errors import SinkUnavailable
from parrot_faust.schema.history import NOT_MADE

if TYPE_CHECKING:
    from parrot_faust.parts import Parts

FIND_TOPICS_S = 2.0  # how often new topics are looked for; one is taken in within a few of these
FIND_TABLES_S = 3.0  # how often it is looked whether a table that others are to make is there


class Lookout:
    """What is found while a worker runs, and let in."""

    def __init__(self, parts: Parts, log: logging.Logger) -> None:
        self._parts, self._log = parts, log

    # -- source topics -----------------------------------------------------------------------------------------------

    async def topics(self) -> list[str]:
        """The source topics there are now: those the pattern matches, but for Debezium's own and this app's."""
        parts = self._parts
        return source_topics(parts.settings, parts.names, await parts.admin.topics())

    async def follow_topics(self) -> None:
        """Take in source topics that appear while the worker runs, and those that are deleted and made again."""
        app, log = self._parts.app, self._log
        topics = SourceTopics(self._parts.sources)
        while not app.should_stop:
            await app.sleep(FIND_TOPICS_S)
            try:
                found = await self.topics()
            except (KafkaError, OSError) as error:
                log.warning("topics can't be listed now: %s", error)
                continue
            seen = topics.look(found, self._unseen)
            if seen.lost:
                log.warning("source topics are gone: %s; what came of them stays in the stores", ", ".join(seen.lost))
            if seen.back:
                log.info("source topics are made again: %s", ", ".join(seen.back))
            if seen.new:
                log.info("new source topics: %s", ", ".join(seen.new))
            if seen:
                self._subscribe(topics.live)

    def _unseen(self, topic: str) -> bool:
        """Whether the consumer looked for a topic in the moment when it was deleted and not made again yet.

        It looks again after minutes only, unless the topic goes from its subscription and comes back.
        """
        return bool(self._parts.app.consumer.topic_partitions(topic) == 0)

    def _subscribe(self, topics: list[str]) -> None:
        """Let the agent `changes` have these topics."""
        app, anchor = self._parts.app, self._parts.names.anchor
        for channel in app.topics:
            if anchor in channel.topics:
                channel.topics = [anchor, *topics]
        app.topics._flag_changes()

    # -- tables that others are to make ------------------------------------------------------------------------------

    async def missing(self, table: str, targets: Mapping[str, TableSchema]) -> list[str]:
        """Why rows of a shape have to wait for their tables: those that others are to make and have not yet."""
        parts, reasons = self._parts, []
        for sink in parts.sinks_of(table):
            section = parts.settings.kudu_table(table) if sink == "kudu" else parts.settings.hbase_table(table)
            if section is None or section.create is not False or sink not in targets:
                continue
            try:
                planned = await parts.processes[sink].creations(targets[sink])
            except SinkUnavailable as error:
                reasons.append(f"{sink} can't be asked for its table, and {NOT_MADE}: {error}")
                continue
            reasons += [f"{sink} has no table {each.target}, and {NOT_MADE}: {each.statement}" for each in planned]
        return reasons

    async def follow_missing(self) -> None:
        """Let tables go on that waited until somebody had made them in a store."""
        app = self._parts.app
        while not app.should_stop:
            await app.sleep(FIND_TABLES_S)
            try:
                await self._parts.schemas.announce_made(self.missing)
            except KafkaError as error:
                self._log.warning("a table that was made can't be announced now: %s", error)
