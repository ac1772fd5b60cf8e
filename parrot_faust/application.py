"""The Faust application: the only place where the parts are put together."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import cache, partial
from typing import Any

import faust
from aiokafka.errors import KafkaError
from faust.exceptions import ConsumerNotStarted

from agents import quality_rules, schema_history
from agents.again import Again
from agents.changes import Changes, Targets
from agents.dead_letters import DeadLetters
from agents.held_images import HeldImages
from agents.letters import Redrive
from agents.outbox import Outbox
from agents.reserved_versions import ReservedVersions
from agents.rule_book import RuleBook, read_rule_folder
from agents.rule_reports import RuleReports
from agents.schema_book import SchemaBook
from agents.writer import Writer
from models import TableSchema
from parrot_faust import __version__, recovery
from parrot_faust.acting import Acting
from parrot_faust.codec import Decoder
from parrot_faust.delivery.stats import Stats
from parrot_faust.delivery.topics import SourceTopics
from parrot_faust.errors import ParrotError, SettingsError, SinkUnavailable, TableRefused
from parrot_faust.faust_worker import ParrotWorker
from parrot_faust.kafka import client_options, connection_options, faust_credentials
from parrot_faust.logs.repeats import tell_repeats
from parrot_faust.logs.setup import kept_early
from parrot_faust.logs.summary import Ending, tell_beginning
from parrot_faust.loop_probe import LoopProbe
from parrot_faust.names import Names, is_debezium_own, is_schema_change_topic
from parrot_faust.observing import Observing
from parrot_faust.own_packages import refuse_others
from parrot_faust.parting import Parting
from parrot_faust.registry import registry_of
from parrot_faust.schema import STORES, Claims, Terms
from parrot_faust.schema.history import NOT_MADE
from parrot_faust.settings import Settings, load, masking_of, policy_of
from parrot_faust.sinks.factory import SinkSpec, namer, spec_of
from parrot_faust.sinks.process import SinkProcess
from parrot_faust.standing import Standing
from parrot_faust.steering import Steering
from parrot_faust.tracing.export import traces_of
from parrot_faust.transport import Batch, BatchLimits, BatchSchema
from parrot_faust.transport.admin import BrokerAdmin, TopicPlan
from parrot_faust.transport.batch import Record
from parrot_faust.transport.heap import settle_heap
from parrot_faust.transport.reader import RecordReader
from parrot_faust.web.exchange import Exchange, stats_topic
from parrot_faust.web.fleet import Fleet
from parrot_faust.windowing import Windowing

log = logging.getLogger("parrot")

#: How old the consumer's view of topics and partitions may be: what it has missed is nobody's until it looks again.
METADATA_AGE_MS = 10_000
FIND_TOPICS_S = 2.0  # how often new topics are looked for; one is taken in within a few of these
FIND_TABLES_S = 3.0  # how often it is looked whether a table that others are to make is there
TELL_REPEATS_S = 5.0  # how often it is looked whether a minute of repeated lines is over
RESUBSCRIBE_S = 0.3  # Faust waits 45 s to gather changes of the subscription; ours come all at once
STOP_WAIT_S = 6.0  # a stopping worker finishes the batch at hand for so long
STOP_POLL_S = 0.02
LAST_COMMIT_S = 2.0
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


class Parts:
    """Everything a worker consists of, built from the settings; nothing connects before `prepare`."""

    def __init__(self, app: ParrotApp, settings: Settings) -> None:
        self.app, self.settings = app, settings
        self.names = Names(settings.app)
        self.stats = Stats(time.time)
        self.ending = Ending()
        self.parting = Parting(self.tell_ending, log)
        self.standing = Standing(self)
        self.traces = traces_of(settings.tracing, settings.app, self.standing.identity, log)
        self.admin = BrokerAdmin(client_options(settings), settings.topics.replicas, log)
        self.reader = RecordReader(settings.brokers, connection_options(settings))
        self.redrive_reader = RecordReader(settings.brokers, connection_options(settings))  # what it reads may be long
        self.outbox = Outbox(self._send, self.names)
        self.masking = masking_of(settings)
        found = read_rule_folder(settings.quality) if settings.quality.is_dir() else {}
        rule_files = {table: rules for table, (_, rules) in found.items()}
        file_names = {table: path.name for table, (path, _) in found.items()}
        self.rules = RuleBook(rule_files, int(time.time() * 1000), log, names=file_names)
        self.registry = registry_of(settings.source)
        specs = sink_specs(settings)
        self.terms = terms_of(settings, [spec.kind for spec in specs])
        self.claims = claims_of(settings, specs)
        self.schemas = SchemaBook(
            self.outbox, self.names, self.stats, lambda: int(time.time() * 1000), self.claims, self.terms
        )
        self.processes: dict[str, SinkProcess] = {spec.kind: SinkProcess(spec, spec.kind) for spec in specs}
        #: Each writer's own: while a store is away, what it reads waits.
        self.rewrite_readers = {
            kind: RecordReader(settings.brokers, connection_options(settings)) for kind in self.processes
        }
        self.writers: dict[str, Writer] = {}
        self.changes: Changes | None = None
        self.redrive: Redrive | None = None
        self.sources: list[str] = []
        self.busy = 0
        self.loop = LoopProbe()
        self.snapshot = self.standing.snapshot
        self.steering = Steering(
            topic=self.names.sinks,
            worker=lambda: self.standing.identity,
            processes=self.processes,
            failed=self.stats.sink_failed,
            send=self._tell_sinks,
            options=client_options(settings),
            log=log,
        )
        self.reports = RuleReports(
            self.standing.identity,
            self.rules,
            self.outbox,
            self.names,
            sources=lambda: self.sources,
            suspended=lambda: self.windowing.suspended(),
            now_ms=lambda: int(time.time() * 1000),
            sleep=app.sleep,
            log=log,
        )
        self.windowing = Windowing(self, log)
        self.fleet = Fleet(time.time)
        self.exchange = Exchange(
            topic=self.names.stats,
            worker=self.standing.identity,
            fleet=self.fleet,
            snapshot=self.snapshot,
            send=lambda topic, key, value: self.outbox.send(topic, value, key=key, partition=0),
            options=client_options(settings),
            log=log,
        )
        self._partitions = settings.topics.partitions
        self.observing = Observing(self)
        self.acting = Acting(self)
        self.source_channel = app.topic(self.names.anchor, schema=BatchSchema())

    # -- before the agents start -------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Wait for a broker, make the project's topics, find the source topics, start the sinks' processes."""
        await self.admin.connect(lambda: bool(self.app.should_stop))
        settings, names = self.settings, self.names
        keep = {"retention.ms": str(settings.topics.retention_days * 86_400_000)}
        for_ever = {"retention.ms": "-1", "max.message.bytes": str(16 << 20)}
        writes = [TopicPlan(names.writes(sink), settings.topics.partitions, keep) for sink in self.processes]
        known = await self.admin.ensure(
            [
                *writes,
                *self._changelogs(),
                TopicPlan(names.held, settings.topics.partitions, for_ever),
                TopicPlan(
                    names.images,
                    settings.topics.partitions,
                    {"cleanup.policy": "compact", "max.message.bytes": str(16 << 20)},
                ),
                TopicPlan(names.versions, settings.topics.partitions, {"cleanup.policy": "compact"}),
                TopicPlan(names.rules, 1, {"cleanup.policy": "compact"}),
                TopicPlan(names.schemas, 1, {"retention.ms": "-1"}),
                TopicPlan(names.anchor, 1, {}),
                TopicPlan(names.redrive, 1, keep),
                TopicPlan(names.resolved, 1, {"cleanup.policy": "compact"}),
                stats_topic(names.stats),
                TopicPlan(names.rule_reports, 1, {"cleanup.policy": "compact,delete", "retention.ms": str(86_400_000)}),
                *self.windowing.topics(names, keep),
                *self.steering.topics(),
                TopicPlan(names.audit, 1, {"retention.ms": "-1"}),
            ]
        )
        self._partitions = min(known[name] for name in (*(plan.name for plan in writes), names.images, names.versions))
        self.sources = await self.find_topics()
        self.source_channel.topics = [*self.source_channel.topics, *self.sources]
        starting = (process.start() for process in self.processes.values())
        await asyncio.gather(self.steering.load(self.admin.read_all), *starting)
        self._announce()

    def _changelogs(self) -> list[TopicPlan]:
        """The tables' changelogs. Faust makes them too, but a moment before it joins the group: a topic that its client
        does not see yet is then nobody's, and the worker would wait for it without a word.
        """
        return [
            TopicPlan(
                table.changelog_topic.get_topic_name(),
                table.partitions,
                {"cleanup.policy": "compact", **(table.extra_topic_configs or {})},
            )
            for table in self.app.tables.values()
        ]

    async def find_topics(self) -> list[str]:
        """The source topics there are now: those the pattern matches, but for Debezium's own and this app's."""
        return source_topics(self.settings, self.names, await self.admin.topics())

    def _announce(self) -> None:
        self.ending.began = True
        rules = {table: len(rules.rules) for table, rules in self.rules.files().items()}
        tell_beginning(log, self.settings, __version__, sources=self.sources, rules=rules)

    # -- the agents --------------------------------------------------------------------------------------------------

    def build(self) -> None:
        """Make the objects that the agents run."""
        settings = self.settings
        decoder = Decoder(
            format=settings.source.format,
            keys={name: table.key for name, table in settings.tables.items() if table.key},
            columns={name: table.columns for name, table in settings.tables.items() if table.columns},
        )
        targets = Targets(
            self.sinks_of,
            lambda: self._partitions,
            settings.delivery.chunk_rows,
            settings.delivery.chunk_bytes,
        )
        self.changes = Changes(
            decoder=decoder,
            registry=self.registry,
            rules=self.rules,
            schemas=self.schemas,
            outbox=self.outbox,
            names=self.names,
            targets=targets,
            masking=self.masking,
            stats=self.stats,
            confirmed=lambda topic, partition: self.app.consumer.confirmed(topic, partition),
            images=HeldImages(self.outbox, self.names, lambda: self._partitions, self.admin.read_all),
            reserved=ReservedVersions(self.outbox, self.names, lambda: self._partitions, self.admin.read_all),
            committed_note=lambda topic, partition: self.app.consumer.committed_note(topic, partition),
            heads=self.reader.heads,
            tallying=self.windowing.tallying,
            breakers=self.windowing.breakers,
            fatal=self.fatal,
            log=log,
            jitter=random.random,
            traces=self.traces,
        )
        self.redrive = Redrive(
            changes=self.changes,
            again=Again(
                changes=self.changes,
                decoder=decoder,
                rules=self.rules,
                schemas=self.schemas,
                masking=self.masking,
                outbox=self.outbox,
                names=self.names,
                targets=targets,
            ),
            reader=self.redrive_reader,
            outbox=self.outbox,
            names=self.names,
            stats=self.stats,
            owned=self._sources_owned,
            committed_note=lambda topic, partition: self.app.consumer.committed_note(topic, partition),
            tombstones_delete=settings.source.format == "flattened",
            log=log,
        )
        for sink, process in self.processes.items():
            self.writers[sink] = Writer(
                sink,
                process,
                outbox=self.outbox,
                schemas=self.schemas,
                stats=self.stats,
                lease_until=lambda: self.app.consumer.lease_until(settings.delivery.lease_s),
                owns=self.owns,
                paused=partial(self.steering.paused, sink),
                committed_note=lambda topic, partition: self.app.consumer.committed_note(topic, partition),
                scan=self.rewrite_readers[sink].scan,
                log=log,
                jitter=random.random,
                retry_first_s=settings.delivery.retry_first_s,
                retry_cap_s=settings.delivery.retry_cap_s,
                traces=self.traces,
            )

    def sinks_of(self, table: str) -> tuple[str, ...]:
        """The stores that a table goes to."""
        chosen = self.settings.tables.get(table)
        return chosen.sinks if chosen and chosen.sinks else tuple(self.processes)

    def _sources_owned(self) -> dict[tuple[str, int], int]:
        """The source partitions this worker has now, with the group's generation; none while that is being settled."""
        if self.app.rebalancing or self.app.should_stop:
            return {}
        try:
            assigned = self.app.consumer.assignment()
        except ConsumerNotStarted:
            return {}
        generation = self.app.consumer_generation_id
        return {(tp.topic, tp.partition): generation for tp in assigned if tp.topic in self.sources}

    def owns(self, batch: Batch) -> bool:
        return batch.generation == self.app.consumer_generation_id and not self.app.should_stop

    async def _send(self, *arguments: Any) -> Awaitable[Any]:
        confirmation: Awaitable[Any] = await self.app.producer.send(*arguments)
        return confirmation

    async def _tell_sinks(self, key: bytes, value: bytes) -> None:
        await self.outbox.confirm([await self.outbox.send(self.names.sinks, value, key=key, partition=0)])

    async def read_again(self, topic: str, partition: int, offset: int) -> Record | None:
        """One record of a source topic, None when the broker no longer has it."""
        return (await self.reader.read(topic, partition, [offset])).get(offset)

    async def ensure_side_topic(self, topic: str) -> None:
        """Make a dead-letter or quarantine topic."""
        config = {"retention.ms": "-1", "max.message.bytes": str(16 << 20)}
        await self.admin.ensure([TopicPlan(topic, 1, config)])

    async def run(self, name: str, stream: Any, take: Callable[[Batch], Awaitable[None]]) -> None:
        """Feed an agent batch by batch. An error that nobody expected stops the worker: going on might lose."""
        async for batch in stream:
            self.busy += 1
            try:
                await take(batch)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                log.exception(
                    "%s: %r failed in a way nobody foresaw; the worker stops so that nothing is lost", name, batch
                )
                self.fatal(error)
                raise
            finally:
                self.busy -= 1

    def fatal(self, error: BaseException) -> None:
        """Stop the worker, loudly: it ends with a status other than 0, and starts again from what is committed."""
        self.ending.because(repr(error), failed=True)
        log.critical("stopping: %r", error)
        self.app.add_future(self.app.crash(error))

    # -- beside the agents -------------------------------------------------------------------------------------------

    async def follow_topics(self) -> None:
        """Take in source topics that appear while the worker runs, and those that are deleted and made again."""
        topics = SourceTopics(self.sources)
        while not self.app.should_stop:
            await self.app.sleep(FIND_TOPICS_S)
            try:
                found = await self.find_topics()
            except (KafkaError, OSError) as error:
                log.warning("topics can't be listed now: %s", error)
                continue
            seen = topics.look(found, self.unseen)
            if seen.lost:
                log.warning("source topics are gone: %s; what came of them stays in the stores", ", ".join(seen.lost))
            if seen.back:
                log.info("source topics are made again: %s", ", ".join(seen.back))
            if seen.new:
                log.info("new source topics: %s", ", ".join(seen.new))
            if seen:
                self.subscribe(topics.live)

    async def missing(self, table: str, targets: Mapping[str, TableSchema]) -> list[str]:
        """Why rows of a shape have to wait for their tables: those that others are to make and have not yet."""
        reasons = []
        for sink in self.sinks_of(table):
            section = self.settings.kudu_table(table) if sink == "kudu" else self.settings.hbase_table(table)
            if section is None or section.create is not False or sink not in targets:
                continue
            try:
                planned = await self.processes[sink].creations(targets[sink])
            except SinkUnavailable as error:
                reasons.append(f"{sink} can't be asked for its table, and {NOT_MADE}: {error}")
                continue
            reasons += [f"{sink} has no table {each.target}, and {NOT_MADE}: {each.statement}" for each in planned]
        return reasons

    async def follow_missing(self) -> None:
        """Let tables go on that waited until somebody had made them in a store."""
        while not self.app.should_stop:
            await self.app.sleep(FIND_TABLES_S)
            try:
                await self.schemas.announce_made(self.missing)
            except KafkaError as error:
                log.warning("a table that was made can't be announced now: %s", error)

    def unseen(self, topic: str) -> bool:
        """Whether the consumer looked for a topic in the moment when it was deleted and not made again yet.

        It looks again after minutes only, unless the topic goes from its subscription and comes back.
        """
        return bool(self.app.consumer.topic_partitions(topic) == 0)

    async def send_again(self) -> None:
        """Send dead letters again as they are asked for."""
        assert self.redrive is not None
        try:
            await self.redrive.run(lambda: bool(self.app.should_stop))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            if self.app.should_stop:  # what it asked was cut off, and is asked again by whoever comes next
                log.info("sending dead letters again was cut off by the end of the worker: %r", error)
                return
            log.exception("sending dead letters again failed in a way nobody foresaw; the worker stops")
            self.fatal(error)
            raise

    def subscribe(self, topics: list[str]) -> None:
        """Let the agent `changes` have these topics."""
        for channel in self.app.topics:
            if self.names.anchor in channel.topics:
                channel.topics = [self.names.anchor, *topics]
        self.app.topics._flag_changes()

    async def watch_recovery(self) -> None:
        """End the worker where its tables do not come back, instead of waiting in silence."""

        async def answers() -> bool:
            try:
                await self.admin.topics()
            except (KafkaError, OSError):
                return False
            return True

        await recovery.watch(
            missing=lambda: recovery.missing(self.app),
            answers=answers,
            failed=self.fatal,
            log=log,
            now=time.monotonic,
            sleep=self.app.sleep,
            should_stop=lambda: bool(self.app.should_stop),
        )

    # -- the end -----------------------------------------------------------------------------------------------------

    async def finish(self) -> None:
        """Let the batches at hand be finished and their confirmations come, for a bounded time."""
        self.app.consumer.stop_flow()
        await self.exchange.leave()
        deadline = time.monotonic() + STOP_WAIT_S
        while (self.busy or (self.changes and self.changes.confirming)) and time.monotonic() < deadline:  # noqa: ASYNC110 - counted elsewhere
            await asyncio.sleep(STOP_POLL_S)
        # A worker that crashed may have lost its consumer's thread already, and nobody would ever answer. Nor does that
        # thread let itself be cancelled while the broker is away.
        committing = asyncio.ensure_future(self.app.consumer.commit())
        if (await asyncio.wait([committing], timeout=LAST_COMMIT_S))[0]:
            await committing
            self.ending.committed = True
        else:
            log.warning("the last offsets could not be committed; what they cover is read again")
        await self.reports.leave()

    async def close(self) -> None:
        """End the sinks' processes and let go of connections."""
        await asyncio.gather(*(process.stop() for process in self.processes.values()))
        if self.registry is not None:
            await self.registry.close()
        readers = (self.reader, self.redrive_reader, *self.rewrite_readers.values())
        closing = (self.observing.close(), asyncio.to_thread(self.traces.close))
        await asyncio.gather(*(reader.close() for reader in readers), *closing)
        await self.admin.close()
        self.tell_ending()

    def tell_ending(self) -> int:
        """Write the last line; return the status that the worker ends with."""
        if self.app.crash_reason is not None:
            self.ending.because(repr(self.app.crash_reason), failed=True)
        tell_repeats(everything=True)
        self.ending.tell(log, self.settings.app, self.stats.snapshot())
        return int(self.ending.failed)


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
        await schema_history.keep(stream, schemas, log, parts.terms, parts.missing, parts.claims)

    for sink, writer in parts.writers.items():
        _register_writer(app, parts, names, sink, writer)

    @app.task
    async def follow_topics() -> None:
        await parts.follow_topics()

    @app.task
    async def follow_missing() -> None:
        await parts.follow_missing()

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


@cache
def configured_app() -> ParrotApp:
    """The app of the settings that the environment names, built once. A wrong setting ends the program in one line."""
    try:
        with kept_early():
            return create_app(load())
    except ParrotError as error:
        raise SystemExit(f"parrot: {error}") from None
