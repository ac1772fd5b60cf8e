"""Where HBase is and how its tables are named."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
from msgspec.structs import asdict

from models import TableSchema
from parrot_faust.creation import HBaseFamily, HBaseTable, RowKeyForm, family_of, hbase_problems, hbase_table
from parrot_faust.errors import SettingsError, TableRefused
from parrot_faust.sinks.naming import check_template, fill
from parrot_faust.tls import Tls


class HBaseTableSettings(HBaseTable, frozen=True, kw_only=True):
    """What differs for one source table; None leaves it as it is for all."""

    def __post_init__(self) -> None:
        if self.table is not None:
            check_template(self.table)
        if self.family is not None:
            _check_family(self.family)
        for family in self.families:
            _check_family(family)
        for place, text in hbase_problems(self):
            raise SettingsError(f"hbase {'.'.join(place)}: {text}")


class HBaseSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`thrift` is the first Thrift API's server (tables and scans), `thrift2` the second one's (writes with a version
    a row), each as host:port. `table` is a template with the fields database, schema, table and prefix. `timeout_s`
    bounds every call that has a later deadline; `tls` is how both servers are talked to, in the clear without it, and
    `http` says that they speak Thrift over HTTP. Raise SettingsError when a value can't be meant.
    """

    thrift: str
    thrift2: str
    table: str = "{schema}.{table}"
    family: str = "d"
    timeout_s: float = 5.0
    http: bool = False
    tls: Tls | None = None
    create: bool = True
    families: dict[str, HBaseFamily] = {}
    row_key: RowKeyForm = "text"
    salt: int = 1
    splits: tuple[str, ...] = ()
    patterns: dict[str, HBaseTableSettings] = {}
    tables: dict[str, HBaseTableSettings] = {}

    def __post_init__(self) -> None:
        for name in ("thrift", "thrift2"):
            address(getattr(self, name), f"sinks.hbase.{name}")
        if self.timeout_s <= 0:
            raise SettingsError(f"sinks.hbase.timeout_s is {self.timeout_s}: it must be greater than 0")
        check_template(self.table)
        HBaseTableSettings(**asdict(self.of("")))  # refuses what can't be meant of all

    def of(self, table: str) -> HBaseTable:
        """The settings of one source table, complete."""
        return hbase_table(table, self.tables, self.patterns, self)

    def target(self, schema: TableSchema) -> str:
        """The table's name in HBase; what HBase does not allow in a name is written as its code, ``_x2f_``.

        Raise TableRefused when nothing is left of it.
        """
        name = fill(self.of(schema.table).table or self.table, schema)
        if not name:
            raise TableRefused(schema.table, "its name in HBase would be empty")
        return re.sub(r"^[.-]|[^A-Za-z0-9_.-]", lambda match: f"_x{ord(match[0]):x}_", name)

    def family_of(self, table: str) -> str:
        """The column family of a source table's cells, but for those that another one takes."""
        return self.of(table).family or self.family

    def families_of(self, schema: TableSchema) -> Callable[[str], bytes]:
        """What names the family of a column by its name in HBase."""
        table = self.of(schema.table)
        own = table.family or self.family
        return lambda name: (own if name in schema.key else family_of(name, table)).encode()


def address(text: str, name: str) -> tuple[str, int]:
    """Split host:port. Raise SettingsError naming the setting."""
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()):
        raise SettingsError(f"{name} must be host:port, for example 127.0.0.1:9090, not {text!r}")
    return host, int(port)


def _check_family(family: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", family):  # more would do for HBase, but not for its shell
        raise SettingsError(f"the HBase family {family!r} is not made of letters, digits, _, - and, within it, dots")
