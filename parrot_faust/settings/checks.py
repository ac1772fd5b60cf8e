"""What no type says: whether values fit each other and can be meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import msgspec

from parrot_faust import tls
from parrot_faust.creation import hbase_problems, hbase_table, kudu_problems, kudu_table
from parrot_faust.masking import MaskError, way_of
from parrot_faust.schema.behaviour import KINDS, NOT_KINDS
from parrot_faust.settings.complaints import unlike
from parrot_faust.settings.sections import Settings, Tracing

MASK_KEY_LENGTH = 16  # characters: a shorter key is found by trying


def problems(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    source, delivery, sinks = settings.source, settings.delivery, settings.sinks
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", settings.app):
        yield ("app",), f"{settings.app!r} can't be part of a Kafka topic's name: use letters, digits, . _ and -"
    for name, pattern in (("topics", source.topics), *(("exclude", text) for text in source.exclude)):
        try:
            re.compile(pattern)
        except re.error as error:
            yield ("source", name), f"{pattern!r} is no regular expression: {error}"
    if sinks.kudu is None and sinks.hbase is None:
        yield ("sinks",), "needs kudu, hbase or both"
    if not 0 < settings.web.port < 65_536:
        yield ("web", "port"), f"{settings.web.port} is no port"
    if not delivery.heartbeat_s * 2 <= delivery.lease_s < delivery.session_timeout_s:
        yield ("delivery", "lease_s"), "must be at least two heartbeats and shorter than session_timeout_s"
    yield from _security(settings)
    if source.format == "avro" and not source.registry:
        yield ("source", "format"), "avro needs source.registry"
    if (database := source.database) is not None and not 0 < database.port < 65_536:
        yield ("source", "database", "port"), f"{database.port} is no port"
    for section in ("batch", "delivery", "topics"):
        for name, value in msgspec.structs.asdict(getattr(settings, section)).items():
            if isinstance(value, int) and value < 1:
                yield (section, name), f"{value} must be at least 1"
            elif not 0 < value < float("inf"):
                yield (section, name), f"{value} must be more than 0"
    if settings.log.repeats < 0:
        yield ("log", "repeats"), f"{settings.log.repeats} must be at least 1, or 0 for no limit"
    yield from _tracing(settings.tracing)
    yield from _creation(settings)
    yield from _schema_problems((), settings.schema_change_kinds)
    for name, table in settings.tables.items():
        yield from _schema_problems(("tables", name), table.schema_change_kinds)
        known = tuple(sink for sink in ("kudu", "hbase") if getattr(sinks, sink) is not None)
        for sink in table.sinks:
            if sink not in known:
                yield ("tables", name, "sinks"), f"sink {sink!r} is not configured; there is {', '.join(known)}"
        for column, word in table.mask.items():
            try:
                way = way_of(word)
            except MaskError as error:
                yield ("tables", name, "mask", column), str(error)
            else:
                if column in table.key and not way.injective:
                    yield (
                        ("tables", name, "mask", column),
                        f"{way.word} on a key column would make rows one: use sha256",
                    )
    if 0 < len(settings.masking.key) < MASK_KEY_LENGTH:
        yield ("masking", "key"), f"must have at least {MASK_KEY_LENGTH} characters"


def _tracing(tracing: Tracing) -> Iterator[tuple[tuple[str, ...], str]]:
    if tracing.endpoint:
        try:
            address = urlsplit(tracing.endpoint)
            good = address.scheme in ("http", "https") and bool(address.hostname) and (address.port or 1) > 0
        except ValueError:
            good = False
        if not good:
            yield ("tracing", "endpoint"), "is no address of a collector: http://host:4318 is one"
        elif "@" in address.netloc:
            yield ("tracing", "endpoint"), "holds a login: put it into the variable OTEL_EXPORTER_OTLP_HEADERS"
    if not 0 < tracing.share <= 1:
        yield ("tracing", "share"), f"{tracing.share} must be more than 0 and at most 1"


def _security(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    hbase, kafka, source = settings.sinks.hbase, settings.kafka, settings.source
    sections = (
        (("kafka", "tls"), kafka.tls),
        (("source", "registry_tls"), source.registry_tls),
        (("sinks", "hbase", "tls"), hbase.tls if hbase else None),
    )
    for where, section in sections:
        try:
            if section is not None:
                tls.context(section)
        except tls.TlsError as error:
            yield (*where, error.setting), str(error)
    if source.registry_tls is not None and not (source.registry or "").startswith("https://"):
        yield ("source", "registry_tls"), "is for a registry whose address begins with https://"
    for name in ("user", "password"):
        if kafka.sasl is not None and not getattr(kafka.sasl, name):
            yield ("kafka", "sasl", name), "is empty"


def _creation(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    """How tables are made: what is said of all, of those that match, and of one."""
    kudu, hbase = settings.sinks.kudu, settings.sinks.hbase
    for name, pattern in kudu.patterns.items() if kudu else ():
        yield from _below(("sinks", "kudu", "patterns", name), kudu_problems(pattern))
    if hbase is not None:
        yield from _below(("sinks", "hbase"), hbase_problems(hbase_table("", {}, {}, hbase)))
        for name, other in hbase.patterns.items():
            yield from _below(("sinks", "hbase", "patterns", name), hbase_problems(other))
    for name, table in settings.tables.items():
        yield from _below(("tables", name, "kudu"), kudu_problems(table.kudu))
        yield from _below(("tables", name, "hbase"), hbase_problems(table.hbase))
    if kudu is not None:
        yield from _below(("sinks", "kudu"), kudu_problems(kudu_table("", {}, {}, kudu)))


def _below(
    where: tuple[str, ...], found: Iterator[tuple[tuple[str, ...], str]]
) -> Iterator[tuple[tuple[str, ...], str]]:
    return (((*where, *place), text) for place, text in found)


def _schema_problems(section: tuple[str, ...], kinds: Mapping[str, str]) -> Iterator[tuple[tuple[str, ...], str]]:
    for kind in kinds:
        if kind not in KINDS:
            yield (*section, "schema_change_kinds", kind), NOT_KINDS.get(kind) or unlike(kind, KINDS)
