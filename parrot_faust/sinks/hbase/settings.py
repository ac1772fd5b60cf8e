"""Where HBase is and how its tables are named."""

from __future__ import annotations

import re

import msgspec

from models import TableSchema
from parrot_faust.errors import SettingsError, TableRefused
from parrot_faust.sinks.naming import check_template, fill
from parrot_faust.tls import Tls


class HBaseTableSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What differs for one source table; None leaves it as it is for all."""

    table: str | None = None
    family: str | None = None

    def __post_init__(self) -> None:
        if self.table is not None:
            check_template(self.table)
        if self.family is not None:
            _check_family(self.family)


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
    tables: dict[str, HBaseTableSettings] = {}

    def __post_init__(self) -> None:
        for name in ("thrift", "thrift2"):
            address(getattr(self, name), f"sinks.hbase.{name}")
        if self.timeout_s <= 0:
            raise SettingsError(f"sinks.hbase.timeout_s is {self.timeout_s}: it must be greater than 0")
        check_template(self.table)
        _check_family(self.family)

    def target(self, schema: TableSchema) -> str:
        """The table's name in HBase; what HBase does not allow in a name is written as its code, ``_x2f_``.

        Raise TableRefused when nothing is left of it.
        """
        own = self.tables.get(schema.table)
        name = fill(own.table if own and own.table else self.table, schema)
        if not name:
            raise TableRefused(schema.table, "its name in HBase would be empty")
        return re.sub(r"^[.-]|[^A-Za-z0-9_.-]", lambda match: f"_x{ord(match[0]):x}_", name)

    def family_of(self, table: str) -> str:
        """The column family of a source table's cells."""
        own = self.tables.get(table)
        return own.family if own and own.family else self.family


def address(text: str, name: str) -> tuple[str, int]:
    """Split host:port. Raise SettingsError naming the setting."""
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()):
        raise SettingsError(f"{name} must be host:port, for example 127.0.0.1:9090, not {text!r}")
    return host, int(port)


def _check_family(family: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", family):  # more would do for HBase, but not for its shell
        raise SettingsError(f"the HBase family {family!r} is not made of letters, digits, _, - and, within it, dots")
