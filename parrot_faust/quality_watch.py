"""What the web view shows of quality beside snapshots: what rules of windows said lately, and the breakers.

The results of all workers are in the topic of windows. They are read when somebody looks, from where the look before
ended, and the last of each rule are kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from models import WindowResult
from parrot_faust.quality.rules import Rule, RuleSet

if TYPE_CHECKING:
    from parrot_faust.parts import Parts
    from parrot_faust.transport.reader import RecordReader

log = logging.getLogger("parrot")

FRESH_S = 2.0
LAST = 10  # results of a rule that are kept
LOOK_BACK = 5_000  # results of a partition that are read at the first look: the last of some hundred tables
#: Rules of which a page has the results before the last one too: the worst.
IN_FULL = 60

_SEVERITY = {"critical": 0, "warning": 1, "info": 2}
_decoder = msgspec.json.Decoder(WindowResult)


class QualityWatch:
    """Belongs to the event loop. `reader` is a connection that others use as well."""

    def __init__(self, parts: Parts, reader: RecordReader) -> None:
        self._parts, self._reader = parts, reader
        self._places: dict[int, int] = {}
        self._results: dict[tuple[str, str], deque[WindowResult]] = {}

    # -- taking in ---------------------------------------------------------------------------------------------------

    @property
    def wanted(self) -> bool:
        """Whether any table has rules that are judged over windows or on its shape."""
        return any(rules.windows or rules.shape for _, rules in self._in_force())

    async def read(self) -> None:
        """Take in the results that came since."""
        topic = self._parts.names.windows
        for partition in await self._reader.partitions(topic):
            _, end = await self._reader.bounds(topic, partition)
            place = self._places.get(partition, end + 1)
            if place > end:  # the first look, or the topic was made anew
                place = max(0, end - LOOK_BACK)
            async for records in self._reader.scan(topic, partition, place, end):
                for record in records:
                    self._read(record.value, f"{topic}/{partition}/{record.offset}")
                await asyncio.sleep(0)  # some thousand of them take a while: let others in
            self._places[partition] = end
        known = {(table, rule.id) for table, rules in self._in_force() for rule in _judged(rules)}
        for gone in self._results.keys() - known:
            del self._results[gone]

    def _read(self, value: bytes | None, place: str) -> None:
        try:
            self.take(_decoder.decode(value or b""))
        except msgspec.DecodeError as error:
            log.warning("web view: the result of a window at %s can't be read: %s", place, error)

    def take(self, result: WindowResult) -> None:
        """Remember a result; one that came again, after a crash, takes the place of the one before."""
        kept = self._results.setdefault((result.table, result.rule), deque(maxlen=LAST))
        if kept and (kept[-1].start_ms, kept[-1].end_ms, kept[-1].at) == (result.start_ms, result.end_ms, result.at):
            kept.pop()
        kept.append(result)

    # -- what is known -----------------------------------------------------------------------------------------------

    def failing(self) -> dict[str, list[dict[str, Any]]]:
        """By table the rules whose last result is a failure, the worst first."""
        found: dict[str, list[dict[str, Any]]] = {}
        for (table, name), kept in self._results.items():
            if kept[-1].success or (rules := self._parts.rules.in_force(table)) is None:
                continue
            if rule := next((rule for rule in _judged(rules) if rule.id == name), None):
                found.setdefault(table, []).append(self._told(table, rules, rule, last=1))
        return {table: sorted(some, key=_worst) for table, some in found.items()}

    def windows(self, asked: str = "") -> list[dict[str, Any]]:
        """Every rule that is judged over windows or on a shape, with its last results; the worst first.

        `asked` is a part of the names of tables or rules. Of rules far down no result is told.
        """
        every = [
            (table, rules, rule)
            for table, rules in self._in_force()
            for rule in _judged(rules)
            if asked.casefold() in f"{table} {rule.id}".casefold()
        ]
        found = sorted((self._told(*one, last=0) for one in every), key=_worst)
        for one in found[:IN_FULL]:
            one["results"] = [_view(result) for result in reversed(self._results.get((one["table"], one["rule"]), ()))]
        return found

    def of_table(self, table: str) -> list[dict[str, Any]]:
        """The same of one table, all in full."""
        rules = self._parts.rules.in_force(table)
        found = [self._told(table, rules, rule, last=LAST) for rule in _judged(rules)] if rules else []
        return sorted(found, key=_worst)

    def breakers(self) -> list[dict[str, Any]]:
        """The tables that are paused, by their breaker or a person, and those with a breaker that has not tripped."""
        found = {one["table"]: one | {"state": "paused"} for one in self._parts.windowing.breakers.paused()}
        for table, rules in self._in_force():
            if (breaker := rules.breaker) is not None:
                wants = {name: getattr(breaker, name) for name in ("share", "within_ms", "at_least")}
                closed = {"table": table, "state": "closed", "since_ms": 0, "reason": "", "resume_ms": 0}
                found[table] = found.get(table, closed) | {"breaker": wants}
        return sorted(
            ({"breaker": None} | one for one in found.values()),
            key=lambda one: (one["state"] != "paused", one["table"]),
        )

    def _in_force(self) -> Iterator[tuple[str, RuleSet]]:
        for table in sorted(self._parts.windowing.tables()):
            if (rules := self._parts.rules.in_force(table)) is not None:
                yield table, rules

    def _told(self, table: str, rules: RuleSet, rule: Rule, *, last: int) -> dict[str, Any]:
        """How things are with a rule, and its `last` results, the newest first."""
        kept = self._results.get((table, rule.id), ())
        failed_since = 0
        for result in reversed(kept):
            if result.success:
                break
            failed_since = result.start_ms
        return {
            "table": table,
            "rule": rule.id,
            "type": rule.type,
            "version": rules.version,
            "severity": rule.severity.value,
            "success": kept[-1].success if kept else None,
            "judged": len(kept),
            "failed": sum(not result.success for result in kept),
            "failing_since_ms": failed_since,
            "results": [_view(result) for result in islice(reversed(kept), last)],
        }


def _judged(rules: RuleSet) -> Iterator[Rule]:
    for window in rules.windows:
        yield from window.rules
    yield from rules.shape


def _view(result: WindowResult) -> dict[str, Any]:
    return {
        name: getattr(result, name)
        for name in (
            "start_ms", "end_ms", "version", "success", "observed", "bounds", "mostly", "rows", "late", "reason",
        )
    }  # fmt: skip


def _worst(one: dict[str, Any]) -> tuple[Any, ...]:
    """Rules that fail now, by severity; those that failed lately; those not judged yet; the others."""
    failing = one["success"] is False
    severity = _SEVERITY.get(one["severity"], 0) if failing else 0
    return not failing, severity, -one["failed"], one["success"] is not None, one["table"], one["rule"]
