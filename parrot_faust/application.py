"""The Faust application: the only place where the parts are put together."""

from __future__ import annotations

import logging
import random
import time
from functools import cache
from typing import Any

import faust

from agents import quality_rules, schema_history
from agents.dead_letters import DeadLetters
from agents.writer import Writer
from parrot_faust import recovery
from parrot_faust.errors import ParrotError, SettingsError
from parrot_faust.faust_worker import ParrotWorker
from parrot_faust.kafka import client_options, faust_credentials
from parrot_faust.logs.repeats import tell_repeats
from parrot_faust.logs.setup import kept_early
from parrot_faust.names import Names
from parrot_faust.own_packages import refuse_others
from parrot_faust.parts import Parts
from parrot_faust.settings import Settings, load
from parrot_faust.transport import BatchLimits, BatchSchema
from parrot_faust.transport.heap import settle_heap

log = logging.getLogger("parrot")

#: How old the consumer's view of topics and partitions may be: what it has missed is nobody's until it looks again.
METADATA_AGE_MS = 10_000
TELL_REPEATS_S = 5.0  # how often it is looked whether a minute of repeated lines is over
RESUBSCRIBE_S = 0.3  # Faust waits 45 s to gather changes of the subscription; ours come all at once
LARGEST_MESSAGE = 15 << 20  # a held record with its headers, below the 16 MB that the held topic takes
#: A consumer whose partitions all wait for a sink fetches nothing, which is no reason to leave the group.
MAX_POLL_INTERVAL_S = 7 * 86_400.0


class ParrotApp(faust.App):
    """A Faust app with batches, its topics made before its agents start, and an orderly end."""

    parts: Parts

    async def on_first_start(self) -> None:
        try:
            self.conf.datadir.mkdir(parents=True, exist_ok=True)  # Faust makes no folders above it
            await super().on_first_start()
            settle_heap()
            await self.parts.prepare()
        except SettingsError as error:  # what only other settings can help: a line, and no trace
            self.parts.ending.because(str(error), failed=True)
            log.critical("stopping: %s", error)
            raise SystemExit(f"parrot: {error}") from None
        except Exception as error:
            self.parts.ending.because(repr(error), failed=True)
            raise
        self.add_future(self.parts.watch_recovery())

    def recovery_failed(self, error: ParrotError) -> None:
        """Told of a table that can't be read back."""
        self.parts.fatal(error)

    async def on_stop(self) -> None:
        self.parts.parting.begin()
        await self.parts.finish()
        await super().on_stop()
        await self.parts.close()

    def _new_web(self) -> Any:
        from parrot_faust.web.server import new_web  # the web view imports the aiohttp server, which tests may not need

        return new_web(self)


def create_app(settings: Settings) -> ParrotApp:
    """Build the app. Nothing connects and nothing starts before a worker runs it."""
    refuse_others()
    names, delivery, batch = Names(settings.app), settings.delivery, settings.batch
    app = ParrotApp(
        settings.app,
        broker=";".join(f"parrot://{address}" for address in settings.brokers),
        broker_credentials=faust_credentials(client_options(settings)),
        datadir=settings.state,
        store="memory://",
        Worker=ParrotWorker,
        GlobalTable=recovery.WatchedTable,
        Topic=recovery.WatchedTopic,
        autodiscover=False,
        topic_disable_leader=True,
        topic_replication_factor=settings.topics.replicas,
        broker_commit_interval=delivery.commit_interval_s,
        broker_session_timeout=delivery.session_timeout_s,
        broker_heartbeat_interval=delivery.heartbeat_s,
        broker_rebalance_timeout=30.0,
        broker_max_poll_interval=MAX_POLL_INTERVAL_S,
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=METADATA_AGE_MS,
        consumer_max_fetch_size=batch.bytes,
        producer_compression_type="lz4",
        producer_max_request_size=LARGEST_MESSAGE,
        producer_acks=-1,
        web_enabled=settings.web.enabled,
        web_host=settings.web.host,
        web_bind=settings.web.host,
        web_port=settings.web.port,
        web_router_enabled=False,
        topic_allow_declare=False,  # all topics are made by `prepare`, which waits for a broker that is away
        web_tables_enabled=False,
        web_graph_enabled=False,
        web_stats_enabled=False,
    )
    app.batch_limits = BatchLimits(batch.records, batch.bytes, batch.partition_batches, batch.group_bytes)
    app.parts = parts = Parts(app, settings)
    app.topics._resubscribe_sleep_lock_seconds = RESUBSCRIBE_S
    groups = {names.held: "held", names.tallies: "windows", **{names.writes(sink): sink for sink in parts.processes}}
    record_by_record = {names.rules, names.schemas, names.anchor, names.breakers}

    def group(topic: str) -> str | None:
        if topic in groups:
            return groups[topic]
        return None if topic in record_by_record or names.owns(topic) or topic not in parts.sources else "changes"

    app.batch_group = group
    parts.build()
    _register(app, parts, names)
    return app


def _register(app: ParrotApp, parts: Parts, names: Names) -> None:
    """Declare tables, agents and tasks."""
    rules = app.GlobalTable("rules", key_type=str, value_type=str, partitions=1, recovery_buffer_size=1)
    schemas = app.GlobalTable("schemas", key_type=str, value_type=str, partitions=1, recovery_buffer_size=1)
    parts.rules.attach(rules)
    parts.schemas.attach(schemas)
    parts.windowing.register(app, names, rules)
    changes, dead_letters = (
        parts.changes,
        DeadLetters(parts.outbox, names, parts.read_again, parts.ensure_side_topic, log, parts.masking, random.random),
    )
    assert changes is not None

    @app.agent(parts.source_channel, name="changes")
    async def take_changes(stream: Any) -> None:
        await parts.run("changes", stream, changes.take)

    @app.agent(app.topic(names.held, schema=BatchSchema()), name="dead_letters")
    async def take_held(stream: Any) -> None:
        await parts.run("dead_letters", stream, dead_letters.take)

    @app.agent(app.topic(names.rules, schema=BatchSchema()), name="quality_rules")
    async def take_rules(stream: Any) -> None:
        await quality_rules.keep(stream, rules, log)

    @app.agent(app.topic(names.schemas, schema=BatchSchema()), name="schema_history")
    async def take_schemas(stream: Any) -> None:
        await schema_history.keep(stream, schemas, log, parts.terms, parts.lookout.missing, parts.claims)

    for sink, writer in parts.writers.items():
        _register_writer(app, parts, names, sink, writer)

    @app.task
    async def follow_topics() -> None:
        await parts.lookout.follow_topics()

    @app.task
    async def follow_missing() -> None:
        await parts.lookout.follow_missing()

    @app.task
    async def count_repeats() -> None:
        while not app.should_stop:
            await app.sleep(TELL_REPEATS_S)
            tell_repeats()

    @app.task
    async def probe_loop() -> None:
        await parts.loop.run(lambda: bool(app.should_stop))

    @app.task
    async def publish_stats() -> None:
        await parts.exchange.publish(lambda: bool(app.should_stop), app.sleep)

    @app.task
    async def follow_stats() -> None:
        await parts.exchange.follow(lambda: bool(app.should_stop))

    @app.task
    async def follow_sinks() -> None:
        await parts.steering.follow(lambda: bool(app.should_stop))

    @app.task
    async def redrive() -> None:
        await parts.send_again()

    @app.task
    async def publish_rules() -> None:
        await quality_rules.publish(parts.rules, parts.outbox, names, int(time.time() * 1000), parts.standing.identity)

    @app.task
    async def report_rules() -> None:
        await parts.reports.run(lambda: bool(app.should_stop))


def _register_writer(app: ParrotApp, parts: Parts, names: Names, sink: str, writer: Writer) -> None:
    @app.agent(app.topic(names.writes(sink), schema=BatchSchema()), name=f"{sink}_writer")
    async def take_chunks(stream: Any) -> None:
        await parts.run(f"{sink}_writer", stream, writer.take)


@cache
def configured_app() -> ParrotApp:
    """The app of the settings that the environment names, built once. A wrong setting ends the program in one line."""
    try:
        with kept_early():
            return create_app(load())
    except ParrotError as error:
        raise SystemExit(f"parrot: {error}") from None
