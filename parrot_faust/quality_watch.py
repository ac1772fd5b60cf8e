"""What the web view shows of quality beside snapshots: what rules of windows said lately, and the breakers.

The results of all workers are in the topic of windows. They are read when somebody looks, from where the look before
ended, and the last of each rule are kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from models import WindowResult
from parrot_faust.quality.rules import Rule, RuleSet
from parrot_faust.web.paging import WHOLE, Asked, brief
from parrot_faust.web.quality_page import WINDOWS

if TYPE_CHECKING:
    from parrot_faust.parts import Parts
    from parrot_faust.transport.reader import RecordReader

log = logging.getLogger("parrot")

FRESH_S = 2.0
LAST = 10  # results of a rule that are kept
LOOK_BACK = 5_000  # results of a partition that are read at the first look: the last of some hundred tables
_SEVERITY = {"critical": 0, "warning": 1, "info": 2}
_decoder = msgspec.json.Decoder(WindowResult)


class QualityWatch:
    """Belongs to the event loop. `reader` is a connection that others use as well."""

    def __init__(self, parts: Parts, reader: RecordReader) -> None:
        self._parts, self._reader = parts, reader
        self._places: dict[int, int] = {}
        self._results: dict[tuple[str, str], deque[WindowResult]] = {}
        self._told: dict[tuple[str, str], tuple[Rule, dict[str, Any]]] = {}  # until another result comes

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
        self._told = {key: told for key, told in self._told.items() if key in known}

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
        self._told.pop((result.table, result.rule), None)

    # -- what is known -----------------------------------------------------------------------------------------------

    def failing(self) -> dict[str, list[dict[str, Any]]]:
        """By table the rules whose last result is a failure, the worst first."""
        found: dict[str, list[dict[str, Any]]] = {}
        for (table, name), kept in self._results.items():
            if kept[-1].success or (rules := self._parts.rules.in_force(table)) is None:
                continue
            if rule := next((rule for rule in _judged(rules) if rule.id == name), None):
                found.setdefault(table, []).append(self._tell(table, rules, rule))
        return {table: sorted(some, key=_worst) for table, some in found.items()}

    def windows(self, asked: Asked = WHOLE) -> list[dict[str, Any]]:
        """Every rule of the tables and rules that are asked for that is judged over windows or on a shape, the worst
        first. Of those in the part that is asked for, more results are told than the last one.
        """
        every = [
            (table, rules, rule)
            for table, rules in self._in_force()
            for rule in _judged(rules)
            if asked.names(table, rule.id)
        ]
        found = sorted((self._tell(*one) for one in every), key=_worst)
        first = WINDOWS * (asked.part - 1)
        shown = [self._with_results(one) for one in found[first : first + WINDOWS]]
        return [*found[:first], *shown, *found[first + WINDOWS :]]

    def of_table(self, table: str) -> list[dict[str, Any]]:
        """The same of one table, all in full."""
        rules = self._parts.rules.in_force(table)
        told = (self._tell(table, rules, rule) for rule in _judged(rules)) if rules else ()
        found = [self._with_results(one) for one in told]
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

    def _tell(self, table: str, rules: RuleSet, rule: Rule) -> dict[str, Any]:
        """How things are with a rule, with its last result; told again, so not to be changed, until another comes."""
        before, told = self._told.get((table, rule.id), (None, {}))
        if before is not rule:
            told = self._made(table, rules, rule)
            self._told[table, rule.id] = (rule, told)
        return told

    def _with_results(self, told: dict[str, Any]) -> dict[str, Any]:
        """The same with all results that are kept, the newest first."""
        kept = self._results.get((told["table"], told["rule"]), ())
        return told | {"results": [_view(result) for result in reversed(kept)]}

    def _made(self, table: str, rules: RuleSet, rule: Rule) -> dict[str, Any]:
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
            "results": [_view(kept[-1])] if kept else [],
        }


def _judged(rules: RuleSet) -> Iterator[Rule]:
    for window in rules.windows:
        yield from window.rules
    yield from rules.shape


def _view(result: WindowResult) -> dict[str, Any]:
    names = ("start_ms", "end_ms", "version", "success", "mostly", "rows", "late")
    made = {name: getattr(result, name) for name in names}
    return made | {name: brief(getattr(result, name)) for name in ("observed", "bounds", "reason")}


def _worst(one: dict[str, Any]) -> tuple[Any, ...]:
    """Rules that fail now, by severity; those that failed lately; those not judged yet; the others."""
    failing = one["success"] is False
    severity = _SEVERITY.get(one["severity"], 0) if failing else 0
    return not failing, severity, -one["failed"], one["success"] is not None, one["table"], one["rule"]
