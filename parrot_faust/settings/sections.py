"""The sections of `parrot.yaml` as frozen, typed data. Every default has its reason here."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from parrot_faust.creation import HBaseFamily, HBaseTable, KuduColumn, KuduTable, RowKeyForm, hbase_table, kudu_table
from parrot_faust.secret import Secret, Section, bare, is_secret
from parrot_faust.tls import Tls

#: What can happen when a table's shape changes; see `parrot_faust.schema.behaviour`.
BehaviourName = Literal["exception", "evolve", "try_evolve", "lenient", "ignore", "review"]


class Web(Section, frozen=True, kw_only=True):
    """The web view. Loopback, because it shows data and takes no password."""

    host: str = "127.0.0.1"
    port: int = 6066
    enabled: bool = True


class Sasl(Section, frozen=True, kw_only=True):
    """A login to Kafka. PLAIN sends the password itself, so it belongs behind TLS."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    user: str
    password: Secret


class Kafka(Section, frozen=True, kw_only=True):
    """How the brokers are talked to: in the clear and without a login, unless these say otherwise."""

    tls: Tls | None = None
    sasl: Sasl | None = None


class Database(Section, frozen=True, kw_only=True):
    """The source database itself, which only `parrot verify` reads: PostgreSQL. `slot` is the connector's replication
    slot: with it, what the connector has passed on is known by the database's own account too.
    """

    host: str
    name: str
    user: str
    port: int = 5432
    password: Secret = ""
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = "prefer"
    slot: str = ""


class Source(Section, frozen=True, kw_only=True):
    """Where changes come from. `topics` is a regular expression that a topic's whole name must match."""

    topics: str
    exclude: tuple[str, ...] = ()
    format: Literal["auto", "avro", "json", "json-schema", "flattened"] = "auto"
    registry: str | None = None
    registry_user: str = ""
    registry_password: Secret = ""
    registry_tls: Tls | None = None
    database: Database | None = None

    def __repr__(self) -> str:
        return f"Source(topics={self.topics!r}, format={self.format!r})"  # the registry's address may hold a password


class KuduSection(Section, frozen=True, kw_only=True):
    """Kudu. Four hash buckets serve a tablet server of four cores; three replicas are what a cluster survives with.
    Tables that are missing are made; `columns` are patterns of column names, `patterns` of source tables' names.

    `encryption`, `require_authentication` and `sasl_protocol` are what Kudu's client calls encryption policy, required
    authentication and SASL protocol name (the service's name in its Kerberos principal, ``kudu`` unless told).
    """

    masters: tuple[str, ...]
    table: str = "{schema}.{table}"
    buckets: int = 4
    replicas: int = 3
    create: bool = True
    columns: dict[str, KuduColumn] = msgspec.field(default_factory=dict)
    patterns: dict[str, KuduTable] = msgspec.field(default_factory=dict)
    timeout_s: float = 5.0
    encryption: Literal["optional", "required", "required_remote"] = "optional"
    require_authentication: bool = False
    sasl_protocol: str = ""


class HBaseSection(Section, frozen=True, kw_only=True):
    """HBase through its Thrift servers: the first API for tables and scans, the second for writes with versions.
    Tables that are missing are made, with readable row keys in one region; `patterns` are of source tables' names.

    `http` is for servers with `hbase.regionserver.thrift.http`, the only ones to which HBase's own
    `hbase.thrift.ssl.enabled` applies; `tls` without it is for a proxy that ends TLS in front of them.
    """

    thrift: str
    thrift2: str
    table: str = "{schema}.{table}"
    family: str = "d"
    create: bool = True
    families: dict[str, HBaseFamily] = msgspec.field(default_factory=dict)
    row_key: RowKeyForm = "text"
    salt: int = 1
    splits: tuple[str, ...] = ()
    patterns: dict[str, HBaseTable] = msgspec.field(default_factory=dict)
    timeout_s: float = 5.0
    http: bool = False
    tls: Tls | None = None


class Sinks(Section, frozen=True, kw_only=True):
    """The stores; at least one."""

    kudu: KuduSection | None = None
    hbase: HBaseSection | None = None


class Table(Section, frozen=True, kw_only=True):
    """What differs for one source table. `key` names key columns where the source has none; `columns` declares types
    for JSON without schema; `sinks` names the stores it goes to, all when it is empty; `mask` says how columns are
    masked before anything leaves the worker (`parrot_faust.masking`); `schema_change` and `schema_change_kinds` say
    what happens when its shape changes, and go before what is said of all tables; `merge` lets its rows go where those
    of another source table go.
    """

    kudu: KuduTable = KuduTable()
    hbase: HBaseTable = HBaseTable()
    key: tuple[str, ...] = ()
    columns: dict[str, str] = msgspec.field(default_factory=dict)
    sinks: tuple[str, ...] = ()
    mask: dict[str, str | None] = msgspec.field(default_factory=dict)
    schema_change: BehaviourName | None = None
    schema_change_kinds: dict[str, BehaviourName] = msgspec.field(default_factory=dict)
    merge: bool = False


class Batch(Section, frozen=True, kw_only=True):
    """Bounds of what agents take at once. A thousand records keep the event loop's longest stretch below 100 ms; four
    batches of a partition keep the next one ready; 64 MB bound what a stopped store leaves waiting in memory.
    """

    records: int = 1_000
    bytes: int = 4 << 20
    partition_batches: int = 4
    group_bytes: int = 64 << 20


class Delivery(Section, frozen=True, kw_only=True):
    """How changes are handed on. A lease is shorter than the session, so that what a frozen worker still holds has
    expired before another has its partitions; a chunk stays below Kafka's default message limit of 1 MB.
    """

    chunk_rows: int = 500
    chunk_bytes: int = 900_000
    retry_first_s: float = 1.0
    retry_cap_s: float = 60.0
    session_timeout_s: float = 8.0
    heartbeat_s: float = 2.0
    lease_s: float = 5.5
    commit_interval_s: float = 1.0


class Topics(Section, frozen=True, kw_only=True):
    """The project's own topics: their partitions and copies, and how long chunks wait for a store that is away."""

    partitions: int = 4
    replicas: int = 1
    retention_days: int = 14


class Masking(Section, frozen=True, kw_only=True):
    """With a `key`, sha256 masks with HMAC-SHA-256 under it: without one, who can guess a value can check the guess."""

    key: Secret = ""


class Log(Section, frozen=True, kw_only=True):
    """A worker's log on standard error: lines for people or JSON. `level` is that of Parrot's own lines, `-l` of
    Faust's command that of all others. Of lines that differ in values only, `repeats` a minute are written for each
    table or sink and the rest is counted: twenty show what is wrong and bury nothing else. 0 writes all of them.
    """

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"
    repeats: int = 20


class Tracing(Section, frozen=True, kw_only=True):
    """OpenTelemetry's traces of batches, off without an `endpoint`: the address of a collector that takes OTLP over
    HTTP. A `share` below 1 traces so much of all batches, chosen by chance.
    """

    endpoint: str = ""
    share: float = 1.0


class Settings(Section, frozen=True, kw_only=True):
    """All settings. `app` names the consumer group and the project's own topics; `state` can be made again."""

    app: str = "parrot"
    brokers: tuple[str, ...] = ("127.0.0.1:9092",)
    kafka: Kafka = Kafka()
    state: Path = Path(".parrot/worker")
    web: Web = Web()
    source: Source
    sinks: Sinks
    quality: Path = Path("quality_rules")
    schema_change: BehaviourName = "lenient"
    schema_change_kinds: dict[str, BehaviourName] = msgspec.field(default_factory=dict)
    truncate: Literal["report"] = "report"
    tables: dict[str, Table] = msgspec.field(default_factory=dict)
    batch: Batch = Batch()
    delivery: Delivery = Delivery()
    topics: Topics = Topics()
    masking: Masking = Masking()
    log: Log = Log()
    tracing: Tracing = Tracing()

    def kudu_table(self, table: str) -> KuduTable | None:
        """What is set for a source table in Kudu, complete; None without Kudu."""
        own = {name: one.kudu for name, one in self.tables.items()}
        return kudu_table(table, own, kudu.patterns, kudu) if (kudu := self.sinks.kudu) is not None else None

    def hbase_table(self, table: str) -> HBaseTable | None:
        """What is set for a source table in HBase, complete; None without HBase."""
        own = {name: one.hbase for name, one in self.tables.items()}
        return hbase_table(table, own, hbase.patterns, hbase) if (hbase := self.sinks.hbase) is not None else None

    def __repr__(self) -> str:
        return f"Settings(app={self.app!r}, brokers={self.brokers!r})"  # the rest may hold secrets


def secrets_of(kind: Any) -> frozenset[str]:
    """The names of a section's fields whose values are secret."""
    struct = next((part for part in (kind, *get_args(kind)) if is_section(part)), None)
    fields = msgspec.structs.fields(struct) if struct else ()
    return frozenset(field.name for field in fields if is_secret(field.type))


def fields_of(kind: Any) -> dict[str, Any]:
    """Names and types in a section; empty for what is no section."""
    struct = next((part for part in (kind, *get_args(kind)) if is_section(part)), None)
    return {field.name: bare(field.type) for field in msgspec.structs.fields(struct)} if struct else {}


def is_section(kind: Any) -> bool:
    """Whether a type is one of this file's sections."""
    return isinstance(kind, type) and get_origin(kind) is None and issubclass(kind, msgspec.Struct)


def path_hook(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise ValueError(f"Expected `str`, got `{type(value).__name__}`")
