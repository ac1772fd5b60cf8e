"""What `parrot rules` reads and sends: the workers' table of rules, what each worker says of it, and commands."""

from __future__ import annotations

import asyncio
import getpass
import json
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Self

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from models import Pause
from parrot_faust.errors import BrokerUnavailable, ParrotError
from parrot_faust.kafka import client_options
from parrot_faust.names import Names
from parrot_faust.quality.standing import RuleCommand, RuleEntry, WorkerReport
from parrot_faust.settings import Settings
from parrot_faust.transport.admin import BrokerAdmin

log = logging.getLogger("parrot")

CONNECT_S = 10.0
POLL_S = 0.1
SILENT_MS = 20_000  # a worker reports every five seconds: one that is silent for so long is gone


class Taken(NamedTuple):
    """What became of a command: the entry, and for each worker since when it does what the entry says.

    `silent` are workers that have not followed.
    """

    entry: RuleEntry | None
    since_ms: dict[str, int]
    silent: tuple[str, ...]


class RulesDesk:
    """One connection to the broker, for one command."""

    def __init__(self, settings: Settings) -> None:
        self.names, self._app = Names(settings.app), settings.app
        self._options = client_options(settings)
        self._brokers = settings.brokers
        self._admin = BrokerAdmin(self._options, settings.topics.replicas, log)

    async def __aenter__(self) -> Self:
        if not await self._admin.connect_within(CONNECT_S):
            raise BrokerUnavailable(self._brokers)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._admin.close()

    async def entries(self) -> dict[str, RuleEntry]:
        """Every table's entry, from the changelog of the workers' table of rules; none before a worker ran."""
        found: dict[str, RuleEntry] = {}
        for key, value in await self._all(f"{self._app}-rules-changelog"):
            if key and value:  # Faust writes a table's keys and values as JSON
                try:
                    found[str(json.loads(key))] = msgspec.json.decode(json.loads(value), type=RuleEntry)
                except (msgspec.DecodeError, ValueError, TypeError) as error:
                    raise ParrotError(f"the workers' table of rules holds what can't be read: {error}") from None
        return found

    async def reports(self) -> list[WorkerReport]:
        """What the workers that run say of themselves."""
        found: dict[bytes, WorkerReport] = {}
        for key, value in await self._all(self.names.rule_reports):
            if key and value:
                found[key] = msgspec.json.decode(value, type=WorkerReport)
            elif key:
                found.pop(key, None)
        now = time.time() * 1000
        alive = [report for report in found.values() if now - report.at_ms < SILENT_MS]
        return sorted(alive, key=lambda report: report.worker)

    async def send(self, command: RuleCommand) -> None:
        """Hand a command to the workers; returns once the broker has it."""
        topics = await self._admin.topics()
        if self.names.rules not in topics:
            raise ParrotError(f"there is no topic {self.names.rules}: no worker of app {self._app} has run yet")
        async with AIOKafkaProducer(**self._options, acks="all", compression_type="lz4") as producer:
            await producer.send_and_wait(self.names.rules, msgspec.json.encode(command), key=command.key, partition=0)

    async def taken(
        self, table: str, entered: Callable[[RuleEntry], bool], within_s: float, step: Callable[[], None] = lambda: None
    ) -> Taken:
        """Wait until the table's entry is as `entered` wants it and every worker does what it says."""
        deadline = time.monotonic() + within_s
        while True:
            entry = (await self.entries()).get(table)
            there = entry is not None and entered(entry)
            since: dict[str, int] = {}
            silent = []
            for report in await self.reports():
                told = report.rules.get(table)
                if there and entry and told and (told.version, told.state) == (entry.version, state_of(entry)):
                    since[report.worker] = told.since_ms
                else:
                    silent.append(report.worker)
            if (there and not silent) or time.monotonic() > deadline:
                return Taken(entry if there else None, since, tuple(silent))
            step()
            await asyncio.sleep(POLL_S)

    async def pauses(self) -> dict[str, Pause]:
        """Which tables breakers have paused, and which of those went on, from the changelog of the workers' table."""
        found: dict[str, Pause] = {}
        for key, value in await self._all(f"{self._app}-breakers-changelog"):
            if key and value:
                pause = msgspec.json.decode(json.loads(value), type=Pause)
                found[pause.table] = pause
        return found

    async def go_on(self, pause: Pause, within_s: float) -> bool:
        """Let a paused table go on; whether the workers' table says so in time."""
        after = Pause(pause.table, False, max(int(time.time() * 1000), pause.at_ms + 1), f"resumed by {who()}")
        async with AIOKafkaProducer(**self._options, acks="all") as producer:
            await producer.send_and_wait(
                self.names.breakers, msgspec.json.encode(after), key=pause.table.encode(), partition=0
            )
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if (await self.pauses())[pause.table].at_ms >= after.at_ms:
                return True
            await asyncio.sleep(POLL_S)
        return False

    async def _all(self, topic: str) -> list[tuple[bytes | None, bytes | None]]:
        if topic not in await self._admin.topics():
            return []
        return await self._admin.read_all(topic, 0)


def state_of(entry: RuleEntry) -> str:
    """What workers do by an entry."""
    return "removed" if not entry.rules else "paused" if entry.paused else "in force"


def tables_at(reports: list[WorkerReport]) -> set[str]:
    """The source topics that any worker knows."""
    return {source for report in reports for source in report.sources}


def who() -> str:
    """Who gives a command: the name of the account, and the machine's."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "somebody"
    return f"{name}@{socket.gethostname()}"


def run(settings: Settings, work: Callable[[RulesDesk], Awaitable[Any]]) -> Any:
    """Do something at a desk."""

    async def at_desk() -> Any:
        try:
            async with RulesDesk(settings) as desk:
                return await work(desk)
        except (KafkaError, OSError) as error:
            raise BrokerUnavailable(settings.brokers, error) from error

    return asyncio.run(at_desk())


def named(known: Mapping[str, RuleEntry], text: str) -> str:
    """The table that a person means: its topic, or the end of its name. Raise ParrotError unless it is one."""
    found = [table for table in known if table == text] or [table for table in known if table.endswith(f".{text}")]
    if len(found) == 1:
        return found[0]
    what = f"{text} may be {', '.join(sorted(found))}" if found else f"no rules of a table {text} are known"
    raise ParrotError(f"{what}; there are rules of {', '.join(sorted(known)) or 'none'}")
