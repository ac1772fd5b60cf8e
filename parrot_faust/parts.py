"""Everything that a worker consists of, put together from its settings."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError
from faust.exceptions import ConsumerNotStarted

from agents.again import Again
from agents.changes import Changes
from agents.fan_out import Targets
from agents.held_images import HeldImages
from agents.letters import Redrive
from agents.outbox import Outbox
from agents.reserved_versions import ReservedVersions
from agents.rule_book import RuleBook, read_rule_folder
from agents.rule_reports import RuleReports
from agents.schema_book import SchemaBook
from agents.writer import Writer
from parrot_faust import __version__, recovery
from parrot_faust.acting import Acting
from parrot_faust.choices import claims_of, sink_specs, terms_of
from parrot_faust.codec import Decoder
from parrot_faust.delivery.stats import Stats
from parrot_faust.kafka import client_options, connection_options
from parrot_faust.logs.repeats import tell_repeats
from parrot_faust.logs.summary import Ending, tell_beginning
from parrot_faust.lookout import Lookout
from parrot_faust.loop_probe import LoopProbe
from parrot_faust.names import Names
from parrot_faust.observing import Observing
from parrot_faust.own_topics import all_topics, side_topic
from parrot_faust.parting import Parting
from parrot_faust.registry import registry_of
from parrot_faust.settings import Settings, masking_of
from parrot_faust.sinks.process import SinkProcess
from parrot_faust.standing import Standing
from parrot_faust.steering import Steering
from parrot_faust.tracing.export import traces_of
from parrot_faust.transport import Batch, BatchSchema
from parrot_faust.transport.admin import BrokerAdmin
from parrot_faust.transport.batch import Record
from parrot_faust.transport.reader import RecordReader
from parrot_faust.web.exchange import Exchange
from parrot_faust.web.fleet import Fleet
from parrot_faust.windowing import Windowing

if TYPE_CHECKING:
    from parrot_faust.application import ParrotApp

log = logging.getLogger("parrot")

STOP_WAIT_S = 6.0  # a stopping worker finishes the batch at hand for so long
STOP_POLL_S = 0.02
LAST_COMMIT_S = 2.0


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
        looking = (RecordReader(settings.brokers, connection_options(settings)) for _ in range(2))
        self.observing = Observing(self, *looking)  # connected when somebody first looks
        self.acting = Acting(self)
        self.lookout = Lookout(self, log)
        self.source_channel = app.topic(self.names.anchor, schema=BatchSchema())

    # -- before the agents start -------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Wait for a broker, make the project's topics, find the source topics, start the sinks' processes."""
        await self.admin.connect(lambda: bool(self.app.should_stop))
        names = self.names
        known = await self.admin.ensure(all_topics(self))
        spread = (*map(names.writes, self.processes), names.images, names.versions)
        self._partitions = min(known[name] for name in spread)
        self.sources = await self.lookout.topics()
        self.source_channel.topics = [*self.source_channel.topics, *self.sources]
        starting = (process.start() for process in self.processes.values())
        await asyncio.gather(self.steering.load(self.admin.read_all), *starting)
        self._announce()

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
        await self.admin.ensure([side_topic(topic)])

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
