"""What the web view shows beside the workers' snapshots: from tables every worker has, and read from topics."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from models import DeadLetter
from parrot_faust.aside import Aside
from parrot_faust.delivery.filing import letter_of
from parrot_faust.errors import TableRefused
from parrot_faust.letters.box import Box
from parrot_faust.letters.kept import groups
from parrot_faust.letters.keys import Keys
from parrot_faust.quality.rules import Rule
from parrot_faust.quality_watch import FRESH_S as WINDOWS_FRESH_S
from parrot_faust.quality_watch import QualityWatch
from parrot_faust.schema import SchemaSeen
from parrot_faust.sinks.factory import target_of
from parrot_faust.transport.reader import RecordReader
from parrot_faust.verify.places import places_of
from parrot_faust.verify.tracing import trace
from parrot_faust.web.lookups import Lookups
from parrot_faust.web.paging import Asked, beginning

if TYPE_CHECKING:
    from parrot_faust.parts import Parts

log = logging.getLogger("parrot")

VERIFIED_FRESH_S = 10.0
LETTERS_FRESH_S = 3.0
GROUPS_FRESH_S = 10.0  # all letters are read for it
ACTED_FRESH_S, ACTED_S = 1.0, 30.0  # but after an action, for so long
_LETTERS = "dead letters"
TRACE_FRESH_S = 15.0
TRACE_PATIENCE_S = 120.0  # others may have asked before
LETTERS_SHOWN = 10
EVENTS_OF_EACH = 20  # the newest schema changes of each table, where those of all tables are shown
KEY_BYTES = 200


def _wants(rule: Rule) -> dict[str, Any]:
    """What a rule says beside its type and its column."""
    more = {"mostly": rule.mostly if rule.mostly != 1 else None, "where": rule.row_condition or None}
    told = {name: value for name, value in rule.kwargs.items() if name != "column"} | more
    return {name: value for name, value in told.items() if value is not None}


class Observing:
    """Answers the pages' questions through two connections: reading letters may take long."""

    def __init__(self, parts: Parts, reader: RecordReader, letters_reader: RecordReader) -> None:
        self._parts, self._names = parts, parts.names
        self.reader, self.letters_reader = reader, letters_reader
        self.lookups = Lookups(log)
        self._quality = QualityWatch(parts, self.reader)
        self._keys = Keys()
        self._aside = Aside()
        self._verified: dict[str, Any] = {}
        self._verified_to = 0

    async def close(self) -> None:
        """Let go of the connection."""
        await self.lookups.close()
        await self.reader.close()
        await self.letters_reader.close()

    async def known(self) -> dict[str, Any]:
        """The app's name, when each table's shape changed last, its newest verification, and rules of windows and
        shapes that fail.
        """
        await asyncio.gather(
            self.lookups.get("verifications", self._read_verified, VERIFIED_FRESH_S), self._look_at_windows()
        )
        return {
            "app": self._parts.settings.app,
            "schema_ms": self._schema_ms(),
            "verified": self._verified,
            "failing": self._quality.failing(),
        }

    async def _look_at_windows(self) -> str:
        """Take in what windows came to since; return why that can't be read, if it can't."""
        if not self._quality.wanted:
            return ""
        _, unread = await self.lookups.get("windows", self._quality.read, WINDOWS_FRESH_S)
        return unread

    async def quality(self, asked: Asked) -> dict[str, Any]:
        """What the page of quality shows beside the snapshots."""
        unread = await self._look_at_windows()
        return {"windows": self._quality.windows(asked), "breakers": self._quality.breakers(), "unread": unread}

    def _schema_ms(self) -> dict[str, int]:
        schemas = self._parts.schemas
        return {
            table: history.events[-1].at_ms for table in schemas.tables() if (history := schemas.history(table)).events
        }

    async def table(self, table: str) -> dict[str, Any]:
        """What the page of a table shows beside the snapshots."""
        (samples, unread), (letters, also) = await asyncio.gather(
            *(
                self.lookups.get((topic,), partial(self._newest, topic), LETTERS_FRESH_S)
                for topic in (self._names.quarantine(table), self._names.dead(table))
            )
        )
        return {
            "rules": self._rules(table),
            "windows": self._quality.of_table(table),
            "targets": {store: name for each in self.targets(table) for store, name in each.items()},
            "events": [partial(_event, event) for event in self._parts.schemas.history(table).events],
            "samples": samples or [],
            "letters": letters or [],
            "unread": unread or also,
        }

    async def trace(self, table: str, key: str) -> dict[str, Any] | None:
        """Where the row of a key is; None while that is being found out, which takes some seconds."""
        shape = self._parts.schemas.history(table).latest
        if shape is None:
            return {"key": key, "error": "no shape of the table is known yet"}
        targets, without = self.targets(table)
        found, unread = await self.lookups.get(
            ("trace", table, key),
            lambda: self._aside.run(lambda: trace(self._parts.settings, shape, targets, key, without=without)),
            TRACE_FRESH_S,
            patience_s=TRACE_PATIENCE_S,
        )
        return found if found is not None or not unread else {"key": key, "error": unread}

    def events(self) -> list[Callable[[], dict[str, Any]]]:
        """The newest schema changes of all tables, the newest first: each makes its line when it is called."""
        schemas = self._parts.schemas
        every = [
            (event.at_ms, table, event)
            for table in schemas.tables()
            for event in schemas.history(table).events[-EVENTS_OF_EACH:]
        ]
        every.sort(key=lambda each: -each[0])
        return [partial(_event, event, table) for _, table, event in every]

    def held(self) -> list[dict[str, Any]]:
        """The tables that wait for a verdict: why, and the newest shape of each that waits."""
        found = []
        for table in self._parts.schemas.tables():
            if held := self._parts.schemas.history(table).held:
                reasons = [reason for each in held for reason in each.reasons]
                found.append({"table": table, "reasons": reasons, "shape": held[-1].schema.fingerprint})
        return found

    async def groups(self) -> tuple[list[dict[str, Any]] | None, str]:
        """The dead letters that are open, by reason; None until they were read once."""
        groups: list[dict[str, Any]] | None
        groups, unread = await self.lookups.get(_LETTERS, self._groups, GROUPS_FRESH_S)
        return groups, unread

    def letters_acted_on(self) -> None:
        """Somebody has done something about dead letters, and wants to see what comes of it."""
        self.lookups.hurry(_LETTERS, ACTED_FRESH_S, ACTED_S)

    async def _groups(self) -> list[dict[str, Any]]:
        letters = await Box(self._parts.settings, self.letters_reader).letters()
        return [asdict(group) for group in groups(each for each in letters if not each.standing.closed)]

    def _rules(self, table: str) -> list[dict[str, Any]]:
        rules = self._parts.rules.in_force(table)
        if rules is None:
            return []
        return [
            {"id": rule.id, "type": rule.type, "wants": _wants(rule), "action": rule.action.value}
            | {"version": rules.version}
            for rule in rules.rules
        ]

    def targets(self, table: str) -> tuple[dict[str, str], dict[str, str]]:
        """The name of the table that has the rows now, by store, and of stores without one why."""
        history = self._parts.schemas.history(table)
        found: dict[str, str] = {}
        without: dict[str, str] = {}
        for kind in self._parts.sinks_of(table) if history.latest is not None else ():
            assert history.latest is not None
            places = places_of(history, kind)
            if places is None:
                without[kind] = "none with its key, see `parrot schema history`"
                continue
            shape = msgspec.structs.replace(history.latest, generation=places.generation)
            try:
                found[kind] = target_of(self._parts.processes[kind].spec, shape)
            except TableRefused as error:
                without[kind] = f"none: {error}"
        return found, without

    async def _newest(self, topic: str) -> list[dict[str, Any]]:
        """The newest records of a topic of letters, as they may be shown: what is masked was masked before it came."""
        found = []
        for partition in await self.reader.partitions(topic):
            _, end = await self.reader.bounds(topic, partition)
            async for records in self.reader.scan(topic, partition, end - LETTERS_SHOWN, end):
                for record in records:
                    letter = letter_of(record.key, record.value, record.headers)
                    if letter is not None:
                        found.append((record.timestamp, letter))
        found.sort(key=lambda each: -each[0])
        await self._keys.learn([letter.key for _, letter in found], self._parts.registry)
        return [
            {
                "at_ms": at_ms,
                "key": self._key_text(letter),
                "why": letter.rule or letter.error,
                "message": beginning(letter.message),
                "place": f"{letter.topic}/{letter.partition}/{letter.offset}",
                "sink": letter.sink,
            }
            for at_ms, letter in found[:LETTERS_SHOWN]
        ]

    def _key_text(self, letter: DeadLetter) -> str:
        if letter.key is None:
            return "none" if letter.carried and not letter.withheld else "not kept here"
        columns = self._keys.read(letter.key)
        if columns is None:
            return letter.key[:KEY_BYTES].decode("utf-8", "replace")
        return "|".join(str(value) for value in columns.values())

    async def _read_verified(self) -> None:
        """Take in the results of comparisons that came since."""
        topic = self._names.verifications
        _, end = await self.reader.bounds(topic, 0)
        if end < self._verified_to:  # made anew
            self._verified_to = 0
        if end == self._verified_to:
            return
        async for records in self.reader.scan(topic, 0, self._verified_to, end):
            for record in records:
                if record.key is not None and record.value is not None:
                    self._verified[record.key.decode("utf-8", "replace")] = _verification(record.value)
        self._verified_to = end


def _event(event: SchemaSeen, table: str = "") -> dict[str, Any]:
    """A line of a table's history; `table` where those of several are shown."""
    what = [f"{each.change} {each.column} {each.detail}".strip() for each in event.changes]
    what = what or (["first seen"] if event.schema else []) + list(event.notes)
    return ({"table": table} if table else {}) | {
        "at_ms": event.at_ms,
        "where": event.sink or "source",
        "what": beginning("; ".join(what)),
        "verdict": event.verdict,
        "seconds": event.seconds,
    }


def _verification(value: bytes) -> dict[str, Any]:
    told = msgspec.json.decode(value)
    result = told["result"]
    return {
        "at_ms": int(datetime.fromisoformat(told["at"]).timestamp() * 1000),
        "verdict": result["verdict"],
        "differences": result["differences"] - result["explained"],
        "rows": result["rows"],
        "reasons": result["reasons"],
    }
