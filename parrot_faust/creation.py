"""How tables are made in the stores: what can be set for all tables, for those whose name matches, and for one.

Settings lie in layers: a table's own, then every pattern that matches its name in the order of the file, then what is
said of all. Each setting is taken from the first layer that has it. Patterns are a shell's: ``*``, ``?`` and ``[...]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeVar

import msgspec

from parrot_faust.secret import Section

KuduEncoding = Literal["auto", "plain", "bitshuffle", "rle", "dict", "prefix"]
KuduCompression = Literal["default", "none", "snappy", "lz4", "zlib"]
#: What HBase's Thrift interface has a number for; a cluster offers those whose libraries it has.
HBaseCompression = Literal["none", "gz", "snappy", "lz4", "zstd", "lzo", "bzip2"]
RowKeyForm = Literal["text", "binary"]

MAX_SALT = 256  # one byte before the row key
#: HBase compares the time to live with milliseconds. The cells' versions are microseconds, which it takes for a far
#: future: tried on HBase 2.6, a cell of a family with two seconds to live was there for ever.
NO_TTL = (
    "can't be set: cells carry microseconds as their version, which HBase takes for milliseconds of a far future, so "
    "they would never expire; delete rows at the source, or use Kudu's `range` with `keep`"
)

T = TypeVar("T")
Layer = TypeVar("Layer", bound=msgspec.Struct)


class KuduColumn(Section, frozen=True, kw_only=True):
    """How Kudu lays out a column; what is None is Kudu's own choice."""

    encoding: KuduEncoding | None = None
    compression: KuduCompression | None = None


class KuduRange(Section, frozen=True, kw_only=True):
    """Range partitions by time. `ahead` are periods made before the clock reaches them, `keep` those kept behind it."""

    column: str
    every: Literal["1 hour", "1 day", "1 month", "1 year"]
    ahead: int = 3
    keep: int | None = None


class KuduTable(Section, frozen=True, kw_only=True):
    """What can differ for a table in Kudu. `columns` are patterns of column names."""

    table: str | None = None
    buckets: int | None = None
    replicas: int | None = None
    create: bool | None = None
    columns: dict[str, KuduColumn] = msgspec.field(default_factory=dict)
    range: KuduRange | None = None


class HBaseFamily(Section, frozen=True, kw_only=True):
    """A column family: which columns it takes, as patterns, and how HBase keeps it. The table's `family` takes all that
    no other one does, and the key.
    """

    columns: tuple[str, ...] = ()
    compression: HBaseCompression = "none"
    versions: int = 1
    ttl: int | str | None = None


class HBaseTable(Section, frozen=True, kw_only=True):
    """What can differ for a table in HBase. `salt` is the number of parts that row keys are spread over, 1 is none;
    `splits` are the row keys at which the table is cut when it is made.
    """

    table: str | None = None
    family: str | None = None
    create: bool | None = None
    families: dict[str, HBaseFamily] = msgspec.field(default_factory=dict)
    row_key: RowKeyForm | None = None
    salt: int | None = None
    splits: tuple[str, ...] = ()


def matching(name: str, patterns: Mapping[str, T]) -> Iterator[T]:
    """What is said of a name, in the order in which it is said."""
    return (value for pattern, value in patterns.items() if fnmatchcase(name, pattern))


def merged(layers: Iterable[Layer]) -> dict[str, Any]:
    """Each setting from the first layer that has it; of mappings each name."""
    found: dict[str, Any] = {}
    for layer in layers:
        for name, value in msgspec.structs.asdict(layer).items():
            if isinstance(value, dict):
                found[name] = found.get(name, {}) | {
                    key: one for key, one in value.items() if key not in found.get(name, {})
                }
            elif value not in (None, ()):
                found.setdefault(name, value)
    return found


def layers(table: str, own: Mapping[str, Layer], patterns: Mapping[str, Layer], base: Layer) -> list[Layer]:
    """The layers of a table's settings, the nearest first."""
    return [*([own[table]] if table in own else []), *matching(table, patterns), base]


def kudu_table(table: str, own: Mapping[str, KuduTable], patterns: Mapping[str, KuduTable], base: Any) -> KuduTable:
    """The settings of a source table in Kudu, complete. `base` has what is said of all under the same names."""
    every = KuduTable(
        table=base.table, buckets=base.buckets, replicas=base.replicas, create=base.create, columns=base.columns
    )
    return KuduTable(**merged(layers(table, own, patterns, every)))


def hbase_table(table: str, own: Mapping[str, HBaseTable], patterns: Mapping[str, HBaseTable], base: Any) -> HBaseTable:
    """The settings of a source table in HBase, complete."""
    every = HBaseTable(
        table=base.table,
        family=base.family,
        create=base.create,
        families=base.families,
        row_key=base.row_key,
        salt=base.salt,
        splits=base.splits,
    )
    return HBaseTable(**merged(layers(table, own, patterns, every)))


def column_of(name: str, columns: Mapping[str, KuduColumn]) -> KuduColumn:
    """What is said of a column."""
    return KuduColumn(**merged(matching(name, columns)))


def family_of(column: str, table: HBaseTable) -> str:
    """The family of a column that is not of the key."""
    for family, settings in table.families.items():
        if family != table.family and any(fnmatchcase(column, pattern) for pattern in settings.columns):
            return family
    return table.family or "d"


def kudu_problems(table: KuduTable) -> Iterator[tuple[tuple[str, ...], str]]:
    """What can't be meant, each with the setting's place below the table's."""
    if table.buckets is not None and table.buckets < 1:
        yield ("buckets",), f"{table.buckets} must be at least 1"
    if table.replicas is not None and (table.replicas < 1 or table.replicas % 2 == 0):
        yield ("replicas",), f"{table.replicas}: Kudu wants an odd number"
    if table.range is not None:
        for name in ("ahead", "keep"):
            if (count := getattr(table.range, name)) is not None and count < 1:
                yield ("range", name), f"{count} must be at least 1"


def hbase_problems(table: HBaseTable) -> Iterator[tuple[tuple[str, ...], str]]:
    """What can't be meant, each with the setting's place below the table's."""
    for name, family in table.families.items():
        if family.versions < 1:
            yield ("families", name, "versions"), f"{family.versions} must be at least 1"
        if family.ttl is not None:
            yield ("families", name, "ttl"), NO_TTL
    if table.salt is not None and not 1 <= table.salt <= MAX_SALT:
        yield ("salt",), f"{table.salt} is not within 1 and {MAX_SALT}"
    if table.splits and (table.salt or 1) > 1:
        yield ("splits",), "a salted table is cut where its salts are: leave out one of both"
    if table.row_key == "binary":
        for text in table.splits:
            try:
                bytes.fromhex(text)
            except ValueError:
                yield ("splits",), f"{text!r} is no row key in hexadecimal, as `row_key: binary` needs"
