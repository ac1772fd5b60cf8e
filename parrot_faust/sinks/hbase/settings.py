"""Where HBase is and how its tables are named."""

from __future__ import annotations

import re

import msgspec

from models import TableSchema
from parrot_faust.errors import SettingsError

_FIELDS = {"database", "schema", "table", "prefix"}


class HBaseTableSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What differs for one source table; None leaves it as it is for all."""

    table: str | None = None
    family: str | None = None


class HBaseSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`thrift` is the first Thrift API's server (tables and scans), `thrift2` the second one's (writes with a version
    a row), each as host:port. `table` is a template with the fields database, schema, table and prefix. Raise
    SettingsError when a value can't be meant.
    """

    thrift: str
    thrift2: str
    table: str = "{schema}.{table}"
    family: str = "d"
    timeout_s: float = 5.0
    tables: dict[str, HBaseTableSettings] = {}

    def __post_init__(self) -> None:
        for name in ("thrift", "thrift2"):
            address(getattr(self, name), f"sinks.hbase.{name}")
        unknown = set(re.findall(r"{(\w*)}", self.table)) - _FIELDS
        if unknown:
            raise SettingsError(f"sinks.hbase.table: no field {unknown}; there is {', '.join(sorted(_FIELDS))}")

    def target(self, schema: TableSchema) -> str:
        """The table's name in HBase; what HBase does not allow in a name is written as its code, ``_x2f_``."""
        own = self.tables.get(schema.table)
        template = own.table if own and own.table else self.table
        name = template.format(
            database=schema.database,
            schema=schema.namespace,
            table=schema.relation,
            prefix=schema.table.split(".", 1)[0],
        )
        return re.sub(r"^[.-]|[^A-Za-z0-9_.-]", lambda match: f"_x{ord(match[0]):x}_", name)

    def family_of(self, table: str) -> bytes:
        """The column family of a source table's cells."""
        own = self.tables.get(table)
        return (own.family if own and own.family else self.family).encode()


def address(text: str, name: str) -> tuple[str, int]:
    """Split host:port. Raise SettingsError naming the setting."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise SettingsError(f"{name} must be host:port, for example 127.0.0.1:9090, not {text!r}")
    return host, int(port)
