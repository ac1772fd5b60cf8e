"""One verification from beginning to end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from agents.rule_book import RuleBook, read_rule_files
from models import TableSchema
from parrot_faust.errors import SettingsError
from parrot_faust.names import Names
from parrot_faust.schema.history import SchemaHistory, history_of
from parrot_faust.settings import Settings
from parrot_faust.verify import catalogue
from parrot_faust.verify.aging import aging
from parrot_faust.verify.broker import Broker, Found
from parrot_faust.verify.differences import Key, row_difference
from parrot_faust.verify.explain import explained, ruler, uncaptured
from parrot_faust.verify.hbase import HBase
from parrot_faust.verify.held import Held, Keys, held_of
from parrot_faust.verify.kudu import Kudu
from parrot_faust.verify.pauses import paused
from parrot_faust.verify.plan import Skipped, TablePlan
from parrot_faust.verify.postgres import Source
from parrot_faust.verify.readers import Reader
from parrot_faust.verify.repair import Repair, RepairRefused
from parrot_faust.verify.report import Reason, Report, RowDifference, TableResult, Verdict, strongest
from parrot_faust.verify.scanning import SOURCE, Candidates, candidates
from parrot_faust.verify.scope import Scope, since_value
from parrot_faust.verify.settling import Explained, Settled, reasoned, settle
from parrot_faust.verify.watermark import Watermark


class _Seen(msgspec.Struct, frozen=True):
    """What is read of an entry in the schema topic."""

    topic: str
    schema: TableSchema | None


READ_TIMEOUT_S = 60.0  # of one answer: a batch of a scan, not all of it


@dataclass(frozen=True, slots=True)
class Options:
    """What is compared, how long a passing of the pipeline is waited for, how many differing rows are listed, and which
    are sent through the pipeline again.
    """

    tables: tuple[str, ...] = ()
    since: str | None = None
    sample: float | None = None
    wait_s: float = 60.0
    listed: int = 1_000
    repair: Literal["", "unexplained", "all"] = ""


class Watch:
    """Hears how far a run is. All of it may be ignored."""

    def step(self, text: str) -> None:
        """What is being done."""

    def total(self, rows: int) -> None:
        """So many rows are to be read in all stores, as far as is known; more may follow."""

    def rows(self, _store: str, count: int) -> None:
        """So many rows more were read of a store."""


class Verification:
    """Compares what the settings say. `close` ends its processes; use it as a context."""

    def __init__(
        self,
        settings: Settings,
        database: Mapping[str, Any],
        slot: str,
        broker: Broker,
        schema_of: Callable[[int], str | None],
        watch: Watch,
    ) -> None:
        self._settings, self._slot, self._broker, self._watch = settings, slot, broker, watch
        self._schema_of = schema_of
        self._names = Names(settings.app)
        self.source = Source(dict(database), settings.masking.key)
        self._readers = {SOURCE: Reader(SOURCE, Source, dict(database), settings.masking.key)}
        if (there := settings.sinks.kudu) is not None:
            secured = (there.encryption, there.require_authentication, there.sasl_protocol)
            self._readers["kudu"] = Reader("kudu", Kudu, there.masters, READ_TIMEOUT_S, *secured)
        if (thrift := settings.sinks.hbase) is not None:
            if thrift.http:
                raise SettingsError(
                    "parrot verify reads HBase's Thrift servers over sockets, not HTTP (sinks.hbase.http)"
                )
            self._readers["hbase"] = Reader("hbase", HBase, thrift.thrift, READ_TIMEOUT_S, thrift.tls)
        self.plans: dict[str, TablePlan] = {}

    def __enter__(self) -> Verification:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes and the connection."""
        for reader in self._readers.values():
            reader.close()
        self.source.close()

    # -- all of it ---------------------------------------------------------------------------------------------------

    def run(self, options: Options) -> Report:
        """Compare, and say what differs and why."""
        began = time.monotonic()
        self._watch.step("looking at the tables")
        shapes = self._shapes()
        plans, skipped = self._plans(options, shapes)
        self.plans = {plan.topic: plan for plan in plans}
        scopes = {
            plan.topic: Scope(since_value(plan, options.since) if options.since else None, options.sample)
            for plan in plans
        }
        self._watch.total(sum(plan.rows * (1 + len(plan.targets)) for plan in plans))
        self._watch.step("comparing")
        scanning = time.monotonic()
        found = candidates(plans, scopes, self._readers, self._watch.rows, self._watch.total)
        scanned = time.monotonic() - scanning
        self._watch.step("waiting until what was in flight has arrived")
        settled = self.settle({topic: each.keys for topic, each in found.items()}, options.wait_s)
        self._watch.step("looking for reasons")
        rows = self._reasons(settled, shapes, options.wait_s)
        repaired, problems = 0, []
        if options.repair:
            for plan in plans:
                count, refused = self._repair(plan, settled, rows, options)
                repaired += count
                problems += refused
            rows = self._reasons(settled, shapes, options.wait_s)
        results = [
            _result(plan, found[plan.topic], settled[plan.topic], [each for _, each in rows[plan.topic]])
            for plan in plans
        ]
        differences = [each for plan in plans for _, each in rows[plan.topic]]
        total = sum(result.rows.get(SOURCE, 0) for result in results)
        report = Report(
            verdict=strongest([result.verdict for result in results]),
            tables=tuple(results),
            differences=tuple(sorted(differences, key=lambda row: row.explained)[: options.listed]),
            not_compared=tuple(skipped),
            seconds=round(time.monotonic() - began, 2),
            rows=total,
            rows_per_second=round(total / scanned) if scanned > 0 else 0,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            repaired=repaired,
            not_repaired=tuple(problems),
            sample=options.sample,
            since=options.since,
            paused=paused(self._settings.app, self._broker, plans, time.time()),
        )
        self._publish(report)
        return report

    def _repair(
        self,
        plan: TablePlan,
        settled: dict[str, Settled],
        rows: Mapping[str, Explained],
        options: Options,
    ) -> tuple[int, list[str]]:
        """Send a table's differing rows again and settle them anew in `settled`. Return how many are right now, and why
        others could not be sent.
        """
        wanted = [key for key, each in rows[plan.topic] if options.repair == "all" or not each.explained]
        usable = [key for key in wanted if not any(isinstance(part, tuple) for part in key)]
        problems = []
        if len(usable) < len(wanted):
            problems.append(
                f"{plan.topic}: {len(wanted) - len(usable)} rows of HBase lie under row keys that are no keys of the "
                f"table: nothing that comes through the pipeline can reach them"
            )
        if not usable:
            return 0, problems
        self._watch.step("sending rows again")
        sender = Repair(plan, self._broker, self.source.condition, self._schema_of, options.wait_s)
        try:
            there = self.source.fetch(plan, usable)
            if absent := [key for key in usable if key not in there]:
                sender.delete(absent)
                there |= self.source.fetch(plan, absent)  # inserted meanwhile: a snapshot puts it right
            if there:
                sender.snapshot(list(there))
        except RepairRefused as error:
            problems.append(str(error))
        self._watch.step("verifying the rows that were sent again")
        again = self.settle({plan.topic: usable}, options.wait_s)[plan.topic]
        settled[plan.topic] = settled[plan.topic].anew({*usable}, again._replace(caught_up=0))
        return again.caught_up, problems

    def _publish(self, report: Report) -> None:
        """Keep each table's result, for the web view and others, in a topic of which the latest is kept."""
        topic = self._names.verifications
        self._broker.make(topic, config={"cleanup.policy": "compact"}, replicas=self._settings.topics.replicas)
        self._broker.send(
            topic,
            [
                (
                    result.table.encode(),
                    msgspec.json.encode(
                        {
                            "at": report.at,
                            "sample": report.sample,
                            "since": report.since,
                            "seconds": report.seconds,
                            "not_compared": [each for each in report.not_compared if each.table == result.table],
                            "result": result,
                        }
                    ),
                    None,
                    (),
                )
                for result in report.tables
            ],
        )

    def settle(self, keys: Mapping[str, Sequence[Key]], wait_s: float) -> dict[str, Settled]:
        """What of these candidate keys is still different when the pipeline has passed the source's position."""
        watermark = Watermark(
            self.source,
            self._broker,
            group=self._settings.app,
            topics=[topic for topic, some in keys.items() if some],
            writes=[self._names.writes(sink) for sink in self._readers if sink != SOURCE],
            held=self._names.held,
            slot=self._slot,
            timeout_s=wait_s,
        )
        stores = {
            topic: {name: self._readers[name] for name in self.plans[topic].targets if name in self._readers}
            for topic in keys
        }
        return settle(keys, self.plans, self.source, stores, watermark.passed)

    # -- its parts ---------------------------------------------------------------------------------------------------

    def _plans(self, options: Options, shapes: Mapping[str, TableSchema]) -> tuple[list[TablePlan], list[Skipped]]:
        found = catalogue.find(self._settings, self.source, self._broker.topics(), options.tables)
        histories = self._histories()
        plans: list[TablePlan] = []
        skipped: list[Skipped] = []
        for table in found:
            plan, left_out = catalogue.plan(self._settings, self.source, table, shapes, histories)
            skipped += left_out
            if plan is None:
                continue
            unlike: dict[str, str] = {}
            for store in plan.targets:
                unlike |= self._readers[store].unlike(plan)
            keys = [column.name for column in plan.key if column.name in unlike]
            if keys:
                skipped.append(Skipped(plan.topic, "", f"its key column {keys[0]}: {unlike[keys[0]]}"))
                continue
            skipped += [Skipped(plan.topic, name, text) for name, text in unlike.items()]
            plans.append(self._with_aging(plan.without(unlike)))
        return plans, skipped

    def _with_aging(self, plan: TablePlan) -> TablePlan:
        """The plan with which rows Kudu keeps no longer, as of now."""
        kudu = self._settings.kudu_table(plan.topic) if "kudu" in plan.targets else None
        found = aging(kudu.range, plan.key, datetime.now(UTC)) if kudu is not None else None
        return msgspec.structs.replace(plan, aging=found)

    def _shapes(self) -> dict[str, TableSchema]:
        """The latest captured shape of every table."""
        shapes: dict[str, TableSchema] = {}

        def take(record: Found) -> None:
            if record.value is not None:
                seen = msgspec.json.decode(record.value, type=_Seen)
                if seen.schema is not None:
                    shapes[seen.topic] = seen.schema

        self._broker.read(self._names.schemas, take)
        return shapes

    def _histories(self) -> dict[str, SchemaHistory]:
        """What the workers have decided on each table's shapes; Faust writes keys and values as JSON texts."""
        histories: dict[str, SchemaHistory] = {}

        def take(record: Found) -> None:
            if record.key and record.value:
                entry = history_of(msgspec.json.decode(record.value, type=str))
                histories[msgspec.json.decode(record.key, type=str)] = entry

        self._broker.read(f"{self._settings.app}-schemas-changelog", take)
        return histories

    def _rules(self) -> RuleBook:
        """The rules in force: what the workers' table has, and the files of the settings where it has nothing."""
        entries: dict[str, str] = {}

        def take(record: Found) -> None:
            if record.value is not None and record.key is not None:  # a table's keys and values are JSON
                entries[json.loads(record.key)] = json.loads(record.value)

        self._broker.read(f"{self._settings.app}-rules-changelog", take)
        folder = self._settings.quality
        files = read_rule_files(folder) if folder.is_dir() else {}
        book = RuleBook({table: rules for table, rules in files.items() if table not in entries}, 0, _Silent())
        book.attach(entries)
        return book

    def _reasons(
        self, settled: dict[str, Settled], shapes: Mapping[str, TableSchema], wait_s: float
    ) -> dict[str, Explained]:
        return reasoned(
            settled,
            self.plans,
            self.source,
            lambda topic: self._explained(self.plans[topic], settled[topic], shapes),
            lambda keys: self.settle(keys, wait_s),
        )

    def _explained(self, plan: TablePlan, settled: Settled, shapes: Mapping[str, TableSchema]) -> Explained:
        if not settled.differ:
            return []
        keys = [each.key for each in settled.differ]
        held: dict[Key, list[Held]] = held_of(plan, keys, self._broker, self._names, Keys(self._schema_of))
        rules = ruler(plan.unmasked(), self._rules().in_force(plan.topic))
        own = self.source.fetch(plan.unmasked(), keys) if rules is not None else {}
        new = uncaptured(plan, shapes)
        now = self._with_aging(plan)  # a range may have become too old since
        rows = []
        for each in settled.differ:
            difference = row_difference(plan, each.key, each.source, each.stores)
            if difference is None:
                continue
            row = own.get(each.key)
            ruled = rules(row) if rules is not None and row is not None else None
            aged = now.aging.told if now.aging is not None and now.aged(each.key) else ""
            found = explained(difference, held.get(each.key, ()), ruled, new, aged)
            if any(store.reason is not Reason.AGED_OUT for store in found.stores):
                rows.append((each.key, found))
        return rows


class _Silent:
    """The rule book's log: what it says is for a worker's."""

    def info(self, message: str, *args: object, extra: object = None) -> None: ...
    def warning(self, message: str, *args: object, extra: object = None) -> None: ...
    def error(self, message: str, *args: object, extra: object = None) -> None: ...


def _result(plan: TablePlan, found: Candidates, settled: Settled, rows: list[RowDifference]) -> TableResult:
    known = sum(row.explained for row in rows)
    reasons: dict[str, int] = {}
    for row in rows:
        for reason in {store.reason for store in row.stores}:
            reasons[reason] = reasons.get(reason, 0) + 1
    verdicts = [
        Verdict.UNEXPLAINED if known < len(rows) else Verdict.EXPLAINED if rows else Verdict.EQUAL,
        Verdict.UNDECIDED if settled.in_flight or found.unexamined else Verdict.EQUAL,
    ]
    return TableResult(
        table=plan.topic,
        verdict=strongest(verdicts),
        rows=found.rows,
        differences=len(rows),
        explained=known,
        in_flight=len(settled.in_flight),
        caught_up=settled.caught_up,
        unexamined=found.unexamined,
        undecided=settled.undecided,
        reasons=reasons,
        aged_out=found.aged_out,
        aging=plan.aging.told if plan.aging is not None and found.aged_out else "",
    )
