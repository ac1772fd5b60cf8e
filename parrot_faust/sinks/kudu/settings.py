"""What can be set for Kudu, for all tables and for one."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec.structs import asdict

from models import TableSchema
from parrot_faust.creation import KuduColumn, KuduTable, kudu_problems, kudu_table
from parrot_faust.errors import SettingsError, TableRefused
from parrot_faust.sinks.naming import check_template, fill

MAX_NAME = 256  # bytes; Kudu refuses longer names of tables and columns


class KuduTableSettings(KuduTable, frozen=True, kw_only=True):
    """One table's own settings; what is None is as for all tables."""

    def __post_init__(self) -> None:
        if self.table is not None:
            check_template(self.table)
        for place, text in kudu_problems(self):
            raise SettingsError(f"kudu {'.'.join(place)}: {text}")


class KuduSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where Kudu is and how tables are made.

    `table` is a template of the target's name with the fields database, schema, table and prefix. `buckets` are hash
    partitions on the key, `replicas` copies of each; both matter only when a table is made. `timeout_s` bounds
    connecting and opening a table; writing is bounded by each call's own deadline. `encryption`,
    `require_authentication` and `sasl_protocol` are options of Kudu's client. `tables` is keyed by source table, for
    example ``shop.public.orders``, `patterns` by what its name matches. Raise SettingsError when a value can't be
    meant.
    """

    masters: tuple[str, ...]
    table: str = "{schema}.{table}"
    buckets: int = 4
    replicas: int = 1
    timeout_s: float = 5.0
    encryption: Literal["optional", "required", "required_remote"] = "optional"
    require_authentication: bool = False
    sasl_protocol: str = ""
    create: bool = True
    columns: dict[str, KuduColumn] = {}
    patterns: dict[str, KuduTableSettings] = {}
    tables: dict[str, KuduTableSettings] = {}

    def __post_init__(self) -> None:
        if not self.masters or not all(self.masters):
            raise SettingsError("sinks.kudu.masters needs at least one address, for example 127.0.0.1:7051")
        if self.timeout_s <= 0:
            raise SettingsError(f"sinks.kudu.timeout_s is {self.timeout_s}: it must be greater than 0")
        check_template(self.table)
        self.of("")  # refuses what can't be meant of all

    def of(self, table: str) -> KuduTableSettings:
        """The settings of one source table, complete."""
        return KuduTableSettings(**asdict(kudu_table(table, self.tables, self.patterns, self)))

    def target(self, schema: TableSchema) -> str:
        """The name of the Kudu table for `schema`. Raise TableRefused when Kudu can't have a table of that name."""
        template = self.of(schema.table).table or self.table
        name = fill(template, schema)
        if not name or len(name.encode()) > MAX_NAME:
            raise TableRefused(schema.table, f"its name in Kudu would be {name!r}: 1 to {MAX_NAME} bytes are allowed")
        return name
