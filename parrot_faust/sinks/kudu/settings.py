"""What can be set for Kudu, for all tables and for one."""

from __future__ import annotations

import string

import msgspec

from models import TableSchema
from parrot_faust.errors import SettingsError, TableRefused

MAX_NAME = 256  # bytes; Kudu refuses longer names of tables and columns
#: What a name template may hold.
FIELDS = ("database", "schema", "table", "prefix")


class KuduTableSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table's own settings; what is None is as for all tables."""

    table: str | None = None
    buckets: int | None = None
    replicas: int | None = None

    def __post_init__(self) -> None:
        if self.table is not None:
            check_template(self.table)
        _check_counts(self.buckets, self.replicas)


class KuduSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where Kudu is and how tables are made.

    `table` is a template of the target's name with the fields database, schema, table and prefix. `buckets` are hash
    partitions on the key, `replicas` copies of each; both matter only when a table is made. `timeout_s` bounds
    connecting and opening a table; writing is bounded by each call's own deadline. `tables` is keyed by source table,
    for example ``shop.public.orders``. Raise SettingsError when a value can't be meant.
    """

    masters: tuple[str, ...]
    table: str = "{schema}.{table}"
    buckets: int = 4
    replicas: int = 1
    timeout_s: float = 5.0
    tables: dict[str, KuduTableSettings] = {}

    def __post_init__(self) -> None:
        if not self.masters or not all(self.masters):
            raise SettingsError("sinks.kudu.masters needs at least one address, for example 127.0.0.1:7051")
        if self.timeout_s <= 0:
            raise SettingsError(f"sinks.kudu.timeout_s is {self.timeout_s}: it must be greater than 0")
        check_template(self.table)
        _check_counts(self.buckets, self.replicas)

    def of(self, table: str) -> KuduTableSettings:
        """The settings of one source table, complete."""
        own = self.tables.get(table, KuduTableSettings())
        return KuduTableSettings(
            table=self.table if own.table is None else own.table,
            buckets=self.buckets if own.buckets is None else own.buckets,
            replicas=self.replicas if own.replicas is None else own.replicas,
        )

    def target(self, schema: TableSchema) -> str:
        """The name of the Kudu table for `schema`. Raise TableRefused when Kudu can't have a table of that name."""
        template = self.of(schema.table).table or self.table
        fields = {
            "database": schema.database,
            "schema": schema.namespace,
            "table": schema.relation or schema.table,
            "prefix": schema.table.split(".", 1)[0],
        }
        # A source without namespaces leaves a field empty; the dot beside it would be part of no name.
        name = template.format(**fields).strip(".")
        if not name or len(name.encode()) > MAX_NAME:
            raise TableRefused(schema.table, f"its name in Kudu would be {name!r}: 1 to {MAX_NAME} bytes are allowed")
        return name


def check_template(template: str) -> None:
    """Raise SettingsError when a name template is none."""
    try:
        fields = [field for _, field, _, _ in string.Formatter().parse(template) if field is not None]
    except ValueError as error:
        raise SettingsError(f"the table name template {template!r} is wrong: {error}") from error
    if unknown := [field for field in fields if field not in FIELDS]:
        raise SettingsError(f"the table name template {template!r} has {unknown}: its fields are {', '.join(FIELDS)}")
    if "table" not in fields and fields:
        raise SettingsError(f"the table name template {template!r} has no {{table}}: all tables would become one")


def _check_counts(buckets: int | None, replicas: int | None) -> None:
    if buckets is not None and buckets < 1:
        raise SettingsError(f"kudu buckets is {buckets}: at least 1 is needed")
    if replicas is not None and (replicas < 1 or replicas % 2 == 0):
        raise SettingsError(f"kudu replicas is {replicas}: Kudu wants an odd number")
