"""Putting windows and breakers together with a worker's other parts: their topics, tables, agents and tasks."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError
from faust.exceptions import ConsumerNotStarted, FaustError

from agents import breakers as breaking
from agents.breakers import Breakers
from agents.tallying import PARTITIONS, Tallying
from agents.windows import TICK_S, Windows
from parrot_faust.delivery.window_stats import WindowStats
from parrot_faust.names import Names
from parrot_faust.transport import BatchSchema
from parrot_faust.transport.admin import TopicPlan

if TYPE_CHECKING:
    from parrot_faust.application import ParrotApp
    from parrot_faust.parts import Parts

SUSPENDED_S = 0.5  # how often it is looked which rules are suspended: many ask
LARGEST = str(16 << 20)  # the values of all open windows of a table travel in one message


class Windowing:
    """What judges windows, pauses tables and says so, of one worker."""

    def __init__(self, parts: Parts, log: Any) -> None:
        self._parts, self._log = parts, log
        self.stats = WindowStats()
        self._suspended: tuple[float, list[dict[str, str]]] = (0.0, [])
        self.breakers = Breakers(parts.outbox, parts.names, _now_ms, log)
        self.tallying = Tallying(
            rules=parts.rules,
            masking=parts.masking,
            outbox=parts.outbox,
            names=parts.names,
            confirmed=lambda topic, partition: parts.app.consumer.confirmed(topic, partition),
            partitions=lambda topic: parts.app.consumer.topic_partitions(topic) or 1,
            now_ms=_now_ms,
            log=log,
        )
        self._rules_table: Iterable[str] = ()
        self.windows = Windows(
            rules=parts.rules,
            tables=self.tables,
            breakers=self.breakers,
            outbox=parts.outbox,
            names=parts.names,
            stats=self.stats,
            tail=parts.admin.read_tail,
            owns=parts.owns,
            log=log,
        )

    def tables(self) -> set[str]:
        """The tables that have rules, or had."""
        return {*self._parts.rules.files(), *self._rules_table}

    def topics(self, names: Names, keep: dict[str, str]) -> list[TopicPlan]:
        """The topics that must be there."""
        return [
            TopicPlan(names.tallies, PARTITIONS, {**keep, "max.message.bytes": LARGEST}),
            TopicPlan(names.windows, PARTITIONS, keep),
            TopicPlan(names.breakers, 1, {"cleanup.policy": "compact"}),
        ]

    def register(self, app: ParrotApp, names: Names, rules: Iterable[str]) -> None:
        """Declare tables, agents and tasks. `rules` is the table of rules, by table."""
        self._rules_table = rules
        kept = app.Table(
            "windows",
            key_type=str,
            value_type=bytes,
            partitions=PARTITIONS,
            extra_topic_configs={"max.message.bytes": LARGEST},
        )
        paused = app.GlobalTable("breakers", key_type=str, value_type=str, partitions=1, recovery_buffer_size=1)
        self.windows.attach(kept)
        self.breakers.attach(paused)

        @app.agent(app.topic(names.tallies, schema=BatchSchema()), name="windows")
        async def take_tallies(stream: Any) -> None:
            await self._parts.run("windows", stream, self.windows.take)

        @app.agent(app.topic(names.breakers, schema=BatchSchema()), name="breakers")
        async def take_pauses(stream: Any) -> None:
            await breaking.keep(stream, paused, self._log)

        @app.task
        async def tick_windows() -> None:
            said = False
            while not app.should_stop:
                await app.sleep(TICK_S)
                try:
                    await self.windows.tick(self._own(app, names.tallies), _now_ms(), app.consumer_generation_id)
                    said = False
                except (KafkaError, FaustError, OSError) as error:  # windows close later, which loses nothing
                    if not said:
                        self._log.warning("windows can't be told what time it is: %r; trying again", error)
                    said = True

    def view(self) -> dict[str, Any]:
        """How windows and breakers are, as plain data."""
        return {
            "windows": self.stats.view(),
            "paused_tables": self.breakers.paused(),
            "suspended_rules": self.suspended(),
        }

    def suspended(self) -> list[dict[str, str]]:
        """The rules that check nothing because they do not fit their table. Those of a table whose partitions this
        worker has lost are left to whoever has them: its shape may be another by now.
        """
        now = time.monotonic()
        if now >= self._suspended[0]:
            self._suspended = (now + SUSPENDED_S, self._look_for_suspended())
        return self._suspended[1]

    def _look_for_suspended(self) -> list[dict[str, str]]:
        rules, schemas = self._parts.rules, self._parts.schemas
        met = (rules.suspended(), self.tallying.suspended())
        found: list[tuple[str, str, str]] = []
        for table in sorted(self.tables() & self._assigned_topics()):
            if rules.has_judged(table):
                found += ((table, *one) for of in met for one in of.get(table, ()))
            elif (latest := schemas.history(table).latest) is not None:  # no change has come since the worker started
                found += ((table, *one) for one in rules.gone(latest))
        return [{"table": table, "rule": rule, "reason": reason} for table, rule, reason in found]

    def _assigned_topics(self) -> set[str]:
        try:
            return {tp.topic for tp in self._parts.app.consumer.assignment()}
        except ConsumerNotStarted:
            return set()

    @staticmethod
    def _own(app: ParrotApp, topic: str) -> list[int]:
        """The partitions of a topic that this worker has."""
        if app.rebalancing or app.should_stop:
            return []
        try:
            return sorted(tp.partition for tp in app.consumer.assignment() if tp.topic == topic)
        except ConsumerNotStarted:
            return []


def _now_ms() -> int:
    return int(time.time() * 1000)
