"""Agent `quality_rules`: keeps the rule sets of files and commands in a table that every worker sees.

The table has one writer: the worker that has the single partition of the rules topic.
"""

from __future__ import annotations

from collections.abc import Awaitable, MutableMapping
from typing import Any

import msgspec

from agents.outbox import Outbox
from agents.rule_book import Log, RuleBook
from parrot_faust.logs import at
from parrot_faust.names import Names
from parrot_faust.quality.standing import Doing, RuleCommand, RuleEntry, decide

_commands = msgspec.json.Decoder(RuleCommand)
_entries = msgspec.json.Decoder(RuleEntry)


async def keep(stream: Any, table: MutableMapping[str, str], log: Log) -> None:
    """Do to each table's entry what comes in; what can't be done is refused, and the rules in force stay."""
    async for event in stream.events():
        name = event.key.decode("utf-8", "replace") if event.key else ""
        try:
            command = _commands.decode(event.value or b"")
            decision = decide(_known(table.get(command.table), command.table, log), command)
        except Exception as error:  # noqa: BLE001 - whatever is in the topic, no worker stops because of it
            log.error("rules for %r refused, those in force stay: %s", name, error)
            continue
        if decision.said:
            log.warning("rules of %s: %s", command.table, decision.said, extra=at(command.table))
        if decision.entry is not None:
            table[command.table] = msgspec.json.encode(decision.entry).decode()


def _known(raw: str | None, table: str, log: Log) -> RuleEntry | None:
    """A table's entry, None when it has none or one that nobody can read, which what comes now replaces."""
    try:
        return None if raw is None else _entries.decode(raw)
    except msgspec.DecodeError as error:
        log.error("rules of %s: the entry can't be read: %s", table, error, extra=at(table))
        return None


async def publish(book: RuleBook, outbox: Outbox, names: Names, now_ms: int, by: str) -> None:
    """Send the rule sets of files to the rules topic and wait until the broker has them."""
    pending: list[Awaitable[Any]] = []
    for table, rules in book.files().items():
        command = RuleCommand(table, Doing.FILE, now_ms, by, book.file_name(table), rules.to_json())
        pending.append(await outbox.send(names.rules, msgspec.json.encode(command), key=command.key))
    await outbox.confirm(pending)
