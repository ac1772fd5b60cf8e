"""Agent `quality_rules`: keeps the rule sets of files and commands in a table that every worker sees.

The table has one writer: the worker that has the single partition of the rules topic.
"""

from __future__ import annotations

from collections.abc import Awaitable, MutableMapping
from typing import Any

import msgspec

from agents.outbox import Outbox
from agents.rule_book import Log, RuleBook, RuleEntry
from parrot_faust.names import Names
from parrot_faust.quality import RuleSet


async def keep(stream: Any, table: MutableMapping[str, str], log: Log) -> None:
    """Enter each rule set that comes in; one that can't be read is refused and the one in force stays."""
    async for event in stream.events():
        name = event.key.decode("utf-8", "replace") if event.key else ""
        try:
            entry = msgspec.json.decode(event.value or b"", type=RuleEntry)
            rules = RuleSet.from_json(entry.rules)
        except (msgspec.DecodeError, ValueError) as error:
            log.error("rules for %r refused, those in force stay: %s", name, error)
            continue
        known = table.get(rules.table)
        if known is not None and msgspec.json.decode(known, type=RuleEntry).version == entry.version:
            continue
        table[rules.table] = event.value.decode()


async def publish(book: RuleBook, outbox: Outbox, names: Names, now_ms: int) -> None:
    """Send the rule sets of files to the rules topic and wait until the broker has them."""
    pending: list[Awaitable[Any]] = []
    for table, rules in book.files().items():
        entry = RuleEntry(rules.version, rules.to_json(), "file", now_ms)
        pending.append(await outbox.send(names.rules, msgspec.json.encode(entry), key=table.encode()))
    await outbox.confirm(pending)
