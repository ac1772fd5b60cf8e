"""The round: settings and rules first, then everything they name, one thing after the other."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parrot_faust.checkup import kafka, sources, stores
from parrot_faust.checkup.findings import Finding, failed, ok, warning
from parrot_faust.errors import ParrotError
from parrot_faust.settings import Settings, load

SETTINGS, RULES, STATE, TRACING = "settings", "rules", "state folder", "tracing"


def look_at(config: Path | None, connect: str | None) -> Iterator[Finding]:
    """Look at everything; a finding comes as soon as it is known. Settings that can't be read end the round."""
    try:
        settings = load(config)
    except ParrotError as error:
        yield failed(SETTINGS, str(error), "correct it, or begin with `parrot init`")
        return
    yield ok(SETTINGS, f"app {settings.app}, into {' and '.join(_stores(settings))}")
    rules, finding = _rules(settings)
    yield finding
    yield _state(settings)
    if settings.tracing.endpoint:
        yield _tracing(settings)
    yield from _gathered(settings, rules)
    yield asyncio.run(sources.registry(settings))
    yield from sources.connectors(connect)
    yield from sources.database(_database(settings), settings.source.database.slot if settings.source.database else "")
    from parrot_faust.choices import sink_specs

    for spec in sink_specs(settings):
        yield stores.look(spec)


def _stores(settings: Settings) -> list[str]:
    named = (("Kudu", settings.sinks.kudu), ("HBase", settings.sinks.hbase))
    return [name for name, section in named if section is not None]


def _rules(settings: Settings) -> tuple[dict[str, Any], Finding]:
    from agents.rule_book import read_rule_folder

    if not settings.quality.is_dir():
        text = f"there is no folder {settings.quality}: changes are not checked"
        return {}, warning(RULES, text, "make it and put rule files there (docs/rules.md), or set `quality`")
    try:
        found = {table: rules for table, (_, rules) in read_rule_folder(settings.quality).items()}
    except ParrotError as error:
        return {}, failed(RULES, str(error), f"parrot rules check {settings.quality}/*")
    count = sum(len(one.every_rule()) for one in found.values())
    return found, ok(RULES, f"{count} for {len(found)} tables in {settings.quality}")


def _state(settings: Settings) -> Finding:
    folder = settings.state
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        return failed(STATE, f"{nearest} can't be written to", "let this user write there, or set `state`")
    return ok(STATE, str(folder))


def _tracing(settings: Settings) -> Finding:
    from parrot_faust.tracing.export import CURE, tried

    try:
        url, why = tried(settings.tracing)
    except ParrotError as error:
        return failed(TRACING, str(error).removesuffix(f": {CURE}"), CURE)
    if why:
        cure = "start the collector, or correct `tracing.endpoint`; a worker runs without it, and counts lost traces"
        return warning(TRACING, f"{url} does not take traces: {why}", cure)
    return ok(TRACING, f"{settings.tracing.share:.0%} of all batches to {url}")


def _gathered(settings: Settings, rules: dict[str, Any]) -> list[Finding]:
    async def gather() -> list[Finding]:
        return [finding async for finding in kafka.look(settings, rules)]

    return asyncio.run(gather())


def _database(settings: Settings) -> dict[str, Any] | None:
    from parrot_faust.verify.access import database_of

    return database_of(settings) if settings.source.database is not None else None
