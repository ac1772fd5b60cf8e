"""The tables of `docs/autocreation.md`, made from the settings and the stores' own tables.

``python -m parrot_faust.sinks.creation_docs docs/autocreation.md`` writes them anew between their marks; a test holds
the file to them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from parrot_faust.creation import HBaseFamily, HBaseTable, KuduColumn, KuduRange, KuduTable
from parrot_faust.settings import HBaseSection, KuduSection
from parrot_faust.sinks.hbase.rowkeys import FORMS
from parrot_faust.sinks.kudu.encodings import ENCODINGS

_MARKED = re.compile(r"<!-- table (\w+) -->\n.*?<!-- end -->", re.DOTALL)
_HERE = "only when the table is made"
#: section -> setting -> what it says
SAYS: dict[type, dict[str, str]] = {
    KuduTable: {
        "table": "the table's name, a template of `database`, `schema`, `table` and `prefix`",
        "buckets": f"hash partitions on the key; {_HERE}",
        "replicas": f"copies of each tablet, an odd number; {_HERE}",
        "create": "whether a missing table is made",
        "columns": "how columns are laid out, by patterns of their names in Kudu; only when the column is made",
        "range": "range partitions by time, see below",
    },
    KuduRange: {
        "column": "a date or timestamp of the key",
        "every": "what one range holds; UTC",
        "ahead": "ranges that are made before the clock reaches them",
        "keep": "ranges that are kept before the clock's; older ones are dropped with their rows. Unless set, none is",
    },
    KuduColumn: {
        "encoding": "for those of the columns whose type has it",
        "compression": "`default` is the tablet servers' own",
    },
    HBaseTable: {
        "table": "the table's name, a template as above",
        "family": "the family of the key and of all columns that no other one takes",
        "create": "whether a missing table, or a missing family of one, is made",
        "families": f"families by name; {_HERE}, or the family is added",
        "row_key": "the form of row keys, see below",
        "salt": "the number of parts that row keys are spread over; 1 is none",
        "splits": f"row keys at which the table is cut, binary ones in hexadecimal; {_HERE}",
    },
    HBaseFamily: {
        "columns": "patterns of the names of columns that go into it",
        "compression": "what the cluster has libraries for",
        "versions": "how many versions of a cell are kept",
        "ttl": "refused: HBase would never let such cells expire, see below",
    },
}


def filled(text: str) -> str:
    """`text` with every marked table as the code has it. Raise KeyError for a mark of no table."""
    made = {
        "kudu": _settings(KuduTable, KuduSection),
        "kudu_columns": _settings(KuduColumn),
        "ranges": _settings(KuduRange),
        "encodings": _encodings(),
        "hbase": _settings(HBaseTable, HBaseSection),
        "families": _settings(HBaseFamily),
        "row_keys": _table(("key column", "bytes"), FORMS),
    }
    return _MARKED.sub(lambda mark: f"<!-- table {mark[1]} -->\n{made[mark[1]]}\n<!-- end -->", text)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head)]
    lines += [["---"] * len(lines[0]), *map(list, rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def _settings(section: type, all_tables: type | None = None) -> str:
    """The settings of a section, with what holds where none is set: what the section of all tables says, if any."""
    defaults = {field.name: field for field in msgspec.structs.fields(all_tables or section)}
    return _table(
        ("setting", "values", "unless set", "what it says"),
        (
            (
                f"`{field.name}`",
                _values(field.type),
                _default(defaults.get(field.name, field)),
                SAYS[section][field.name],
            )
            for field in msgspec.structs.fields(section)
        ),
    )


def _values(kind: Any) -> str:
    parts = [part for part in get_args(kind) if part is not type(None)] if get_origin(kind) is not Literal else []
    if get_origin(kind) is Literal:
        return ", ".join(f"`{word}`" for word in get_args(kind))
    if get_origin(kind) is dict:
        return "names with settings"
    if get_origin(kind) is tuple:
        return "a list"
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return "settings"
    if parts:
        return _values(parts[0])
    return {int: "a number", str: "a text", bool: "`true`, `false`"}[kind]


def _default(field: Any) -> str:
    value = field.default
    if value in (None, msgspec.NODEFAULT, ()):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _encodings() -> str:
    kinds: dict[frozenset[str], list[str]] = {}
    for kind, words in ENCODINGS.items():
        kinds.setdefault(words, []).append(kind)
    return _table(
        ("Kudu's type", "encodings beside `auto`"),
        ((", ".join(names), ", ".join(f"`{word}`" for word in sorted(words))) for words, names in kinds.items()),
    )


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(filled(file.read_text(encoding="utf-8")), encoding="utf-8")
