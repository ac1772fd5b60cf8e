"""What is compared of a table: its columns in terms of `Logical`, and its names in the stores. Pure."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from parrot_faust.verify.places import Places
from parrot_faust.verify.stored import KEY_TYPES, Logical

#: PostgreSQL's types by name -> what Debezium (precise decimals, adaptive times) and the stores make of them.
LOGICAL: dict[str, Logical] = {
    "bool": Logical.BOOL,
    "int2": Logical.INT16,
    "int4": Logical.INT32,
    "int8": Logical.INT64,
    "oid": Logical.INT64,
    "float4": Logical.FLOAT32,
    "float8": Logical.FLOAT64,
    "numeric": Logical.DECIMAL,
    "text": Logical.TEXT,
    "varchar": Logical.TEXT,
    "bpchar": Logical.TEXT,
    "citext": Logical.TEXT,
    "json": Logical.TEXT,
    "jsonb": Logical.TEXT,
    "uuid": Logical.TEXT,
    "xml": Logical.TEXT,
    "bytea": Logical.BYTES,
    "date": Logical.DATE,
    "time": Logical.TIME,
    "timestamp": Logical.MOMENT,
    "timestamptz": Logical.MOMENT,
}
_ELEMENTS = {"bool", "int2", "int4", "int8", "float4", "float8", "numeric", "text", "varchar", "uuid", "date"}


class SourceColumn(NamedTuple):
    """A column as the source's catalogue has it. `type` is the base type's name (the element's for an array), `sql` the
    whole type as SQL writes it, `category` ``b``, ``e`` (enum) or ``c`` and others; `modifier` its type modifier;
    `at_source` its name in the source where changes carry it under another.
    """

    name: str
    type: str
    category: str
    array: bool
    modifier: int
    sql: str
    generated: bool = False
    at_source: str = ""


class ColumnPlan(msgspec.Struct, frozen=True):
    """A column that is compared. `element` is that of an array, `sql` the source's type, `mask` the way in which its
    values are masked before they are stored, empty when they are not, `at_source` its name in the source if that is
    another.
    """

    name: str
    logical: Logical
    type: str
    sql: str
    element: Logical | None = None
    scale: int | None = None
    mask: str = ""
    at_source: str = ""

    @property
    def stored(self) -> Logical:
        """What the stores hold."""
        return Logical.TEXT if self.mask and self.mask != "null" else self.logical


class Skipped(msgspec.Struct, frozen=True):
    """What is not compared, and why. `column` is empty for a whole table, `store` for every store."""

    table: str
    column: str
    reason: str
    store: str = ""


class Aging(msgspec.Struct, frozen=True):
    """Rows that Kudu keeps no longer: those of which the key's part at `place` is below `before`. `told` says which."""

    place: int
    before: int
    told: str

    def has(self, key: Sequence[Any]) -> bool:
        """Whether a row of this key is among them. What is no key of the table is not."""
        value = key[self.place] if self.place < len(key) else None
        return type(value) is int and value < self.before


class TablePlan(msgspec.Struct, frozen=True):
    """A table to compare: its topic, its place in the source, its columns with the key first, its names in the stores.

    `rows` and `width` (bytes a row) are the source's own estimates. `columns` begins with the `keys` key columns, in
    key order. In HBase a column is in `family` unless `families` names another one for it; `row_key` and `salt` are the
    form of its row keys there. `places` say by store where its columns lie, if not under their own names,
    `aging` which rows are in Kudu no longer.
    """

    topic: str
    schema: str
    relation: str
    columns: tuple[ColumnPlan, ...]
    keys: int
    targets: dict[str, str]
    family: str = "d"
    rows: int = 0
    width: int = 100
    families: dict[str, str] = {}
    row_key: str = "text"
    salt: int = 1
    places: dict[str, Places] = {}
    aging: Aging | None = None

    def aged(self, key: Sequence[Any]) -> bool:
        """Whether Kudu keeps a row of this key no longer."""
        return self.aging is not None and self.aging.has(key)

    def batch(self, rows: int, size: int) -> int:
        """How many rows to read at once: at most `rows`, and about `size` bytes."""
        return max(1, min(rows, size // max(1, self.width)))

    def name_in(self, store: str, column: str) -> str:
        """The name of a column in a store."""
        places = self.places.get(store)
        return places.names.get(column, column) if places is not None else column

    def older_in(self, store: str) -> dict[int, tuple[str, ...]]:
        """The names that a store has for earlier types of columns, by the columns' positions."""
        older = self.places[store].older if store in self.places else {}
        return {at: older[column.name] for at, column in enumerate(self.columns) if column.name in older}

    def unmasked(self) -> TablePlan:
        """The same, for reading the source's own values."""
        return msgspec.structs.replace(
            self, columns=tuple(msgspec.structs.replace(column, mask="") for column in self.columns)
        )

    def without(self, names: Container[str]) -> TablePlan:
        """The same without columns of these names, none of which is of the key."""
        kept = (column for place, column in enumerate(self.columns) if place < self.keys or column.name not in names)
        return msgspec.structs.replace(self, columns=tuple(kept))

    @property
    def key(self) -> tuple[ColumnPlan, ...]:
        """The key's columns."""
        return self.columns[: self.keys]


def column_plan(column: SourceColumn) -> ColumnPlan | str:
    """How a column is compared, or why it can't be."""
    if column.generated:
        return "it is generated, and PostgreSQL does not publish such a column's changes"
    if column.array:
        if column.type not in _ELEMENTS:
            return f"no form is documented for {column.sql}"
        return ColumnPlan(column.name, Logical.ARRAY, column.type, column.sql, LOGICAL[column.type])
    if column.category == "e":
        return ColumnPlan(column.name, Logical.TEXT, "enum", column.sql)
    if (logical := LOGICAL.get(column.type)) is None:
        return f"no form is documented for {column.sql}"
    scale = None
    if logical is Logical.DECIMAL and column.modifier >= 4:
        scale = (column.modifier - 4) & 0x7FF
        if scale >= 0x400:
            return f"{column.sql} has a negative scale"
    return ColumnPlan(column.name, logical, column.type, column.sql, None, scale)


def table_plan(
    topic: str,
    schema: str,
    relation: str,
    found: Sequence[SourceColumn],
    key: Sequence[str],
    targets: Mapping[str, str],
    family: str,
    rows: int,
    width: int,
    masked: Mapping[str, str],
) -> tuple[TablePlan | None, list[Skipped]]:
    """The plan, None when the table can't be compared, and all that is left out. `masked` columns come with how."""
    skipped: list[Skipped] = []
    if not key:
        return None, [Skipped(topic, "", "it has no primary key, and the settings name none")]
    by_name = {column.name: column for column in found}
    if missing := [name for name in key if name not in by_name]:
        return None, [Skipped(topic, "", f"its key column {missing[0]} is not in the source")]
    planned: list[ColumnPlan] = []
    for name in [*key, *(column.name for column in found if column.name not in key)]:
        plan = column_plan(by_name[name])
        if isinstance(plan, ColumnPlan) and by_name[name].at_source not in ("", name):
            plan = msgspec.structs.replace(plan, at_source=by_name[name].at_source)
        if name in masked and isinstance(plan, ColumnPlan):
            plan = msgspec.structs.replace(plan, mask=masked[name]) if name not in key else "it is masked"
        if isinstance(plan, ColumnPlan) and name in key and plan.logical not in KEY_TYPES:
            plan = f"{plan.sql} can't be a key here"
        if isinstance(plan, ColumnPlan):
            planned.append(plan)
        elif name in key:
            return None, [Skipped(topic, "", f"its key column {name}: {plan}")]
        else:
            skipped.append(Skipped(topic, name, plan))
    return TablePlan(topic, schema, relation, tuple(planned), len(key), dict(targets), family, rows, width), skipped


def target_name(template: str, topic: str, database: str, schema: str, relation: str) -> str:
    """The name that a template of the settings gives a table."""
    prefix = topic.split(".", 1)[0]
    return template.format(database=database, schema=schema, table=relation, prefix=prefix).strip(".")


def hbase_name(name: str) -> str:
    """A name as HBase allows it: other letters are written as their code, ``_x2f_``."""
    return re.sub(r"^[.-]|[^A-Za-z0-9_.-]", lambda match: f"_x{ord(match[0]):x}_", name)
