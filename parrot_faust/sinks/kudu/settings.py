"""What can be set for Kudu, for all tables and for one."""

from __future__ import annotations

from typing import Literal

import msgspec

from models import TableSchema
from parrot_faust.errors import SettingsError, TableRefused
from parrot_faust.sinks.naming import check_template, fill

MAX_NAME = 256  # bytes; Kudu refuses longer names of tables and columns


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
    connecting and opening a table; writing is bounded by each call's own deadline. `encryption`,
    `require_authentication` and `sasl_protocol` are options of Kudu's client. `tables` is keyed by source table, for
    example ``shop.public.orders``. Raise SettingsError when a value can't be meant.
    """

    masters: tuple[str, ...]
    table: str = "{schema}.{table}"
    buckets: int = 4
    replicas: int = 1
    timeout_s: float = 5.0
    encryption: Literal["optional", "required", "required_remote"] = "optional"
    require_authentication: bool = False
    sasl_protocol: str = ""
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
        name = fill(template, schema)
        if not name or len(name.encode()) > MAX_NAME:
            raise TableRefused(schema.table, f"its name in Kudu would be {name!r}: 1 to {MAX_NAME} bytes are allowed")
        return name


def _check_counts(buckets: int | None, replicas: int | None) -> None:
    if buckets is not None and buckets < 1:
        raise SettingsError(f"kudu buckets is {buckets}: at least 1 is needed")
    if replicas is not None and (replicas < 1 or replicas % 2 == 0):
        raise SettingsError(f"kudu replicas is {replicas}: Kudu wants an odd number")
