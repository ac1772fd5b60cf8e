"""What the rules in force say of a run of changes, before anything of it is sent anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from agents.rule_book import RuleBook
from models import Action, Change, RuleFailure, TableSchema
from parrot_faust.delivery.stats import Outcome, Stats
from parrot_faust.logs import at
from parrot_faust.transport import Batch

#: What a change that failed rules and goes on is counted as, beside forwarded.
PASSING = {Action.WARN: Outcome.WARNED, Action.DEFAULT: Outcome.MENDED, Action.NULL: Outcome.MENDED}


class Judged(NamedTuple):
    """A change that failed rules: where it is in the run, what happens to it, and why."""

    position: int
    action: Action
    failures: tuple[RuleFailure, ...]


class Judge:
    """Judges runs of changes, and remembers which partitions a rule has stopped."""

    def __init__(self, rules: RuleBook, stats: Stats, log: Any) -> None:
        self._rules, self._stats, self._log = rules, stats, log
        self._stopped: dict[tuple[str, int], tuple[int, tuple[str, ...], str]] = {}

    def judge(self, batch: Batch, schema: TableSchema, changes: Sequence[Change]) -> list[Judged] | None:
        """Return the changes that failed, with other values put in where rules say so.

        None when a rule says that nothing may go past one of them: then every change is as it came, to be judged again
        until the rule is another one or the partition someone else's.
        """
        compiled = self._rules.compiled(schema)
        if compiled is None:
            self._goes_on(batch)
            return []
        judged: list[Judged] = []
        came = []
        for position, mask in compiled.scan(changes):
            change = changes[position]
            came.append((change, change.after))
            judged.append(Judged(position, *compiled.settle(change, mask)))
        for position, action, failures in judged:
            if action is Action.FAIL:
                for change, after in came:
                    change.after = after
                self._stop(batch, changes[position], schema, failures)
                return None
        for position, _, failures in judged:
            self._count(batch, changes[position], schema, failures)
        self._goes_on(batch)
        return judged

    def _count(self, batch: Batch, change: Change, schema: TableSchema, failures: Sequence[RuleFailure]) -> None:
        for failure in failures:
            self._stats.rule_failed(schema.table, failure.rule, failure.version, batch.partition, change.offset)

    def _stop(self, batch: Batch, change: Change, schema: TableSchema, failures: Sequence[RuleFailure]) -> None:
        rules = tuple(failure.rule for failure in failures if failure.action is Action.FAIL)
        key, stop = (batch.topic, batch.partition), (change.offset, rules, failures[0].version)
        if self._stopped.get(key) == stop:
            return
        self._stopped[key] = stop
        self._count(batch, change, schema, failures)
        self._log.critical(
            "%s[%d] is STOPPED before offset %d: rule %s (version %s) says that nothing may go past such a row; it "
            "goes on when another version of the rules lets it, and other partitions go on meanwhile",
            schema.table,
            batch.partition,
            change.offset,
            ", ".join(rules),
            failures[0].version,
            extra=at(batch.topic, batch.partition, change.offset),
        )
        self._stats.partition_stopped(batch.topic, batch.partition, change.offset, rules, failures[0].version)

    def _goes_on(self, batch: Batch) -> None:
        if self._stopped.pop((batch.topic, batch.partition), None) is not None:
            self._log.warning(
                "%s[%d] goes on: what stopped it passes the rules now",
                batch.topic,
                batch.partition,
                extra=at(batch.topic, batch.partition, batch.first),
            )
            self._stats.partition_goes_on(batch.topic, batch.partition)
