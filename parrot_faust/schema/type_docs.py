"""The tables of `docs/types.md`, made from the tables in code.

``python -m parrot_faust.schema.type_docs docs/types.md`` writes them anew between their marks; a test holds the file
to them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from models import Kind
from parrot_faust.schema.limits import LIMITS
from parrot_faust.schema.losses import LOSSES
from parrot_faust.schema.types import POSTGRES, STORES, Connect

_MARKED = re.compile(r"<!-- table (\w+) -->\n.*?<!-- end -->", re.DOTALL)


def filled(text: str) -> str:
    """`text` with every marked table as the code has it. Raise KeyError for a mark of no table."""
    made = {"postgres": _postgres(), "stores": _stores(), "losses": _losses(), "limits": _limits()}
    return _MARKED.sub(lambda mark: f"<!-- table {mark[1]} -->\n{made[mark[1]]}\n<!-- end -->", text)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head)]
    lines += [["---"] * len(lines[0]), *map(list, rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def _postgres() -> str:
    return _table(
        ("PostgreSQL", "connector's option", "as Debezium sends it", "kind", "Kudu", "HBase cell"),
        (
            (
                each.source,
                _code(each.option),
                _code(_sent(each.connect)),
                _kind(each.kind, each.semantic),
                *_stored(each.kind),
            )
            for each in POSTGRES
        ),
    )


def _stores() -> str:
    return _table(("kind", "Kudu", "HBase cell"), ((kind.value, *_stored(kind)) for kind in STORES))


def _losses() -> str:
    return _table(
        ("where", "types", "when", "what is lost", "instead"),
        ((loss.place.value, loss.types, loss.option, loss.what, loss.instead) for loss in LOSSES),
    )


def _limits() -> str:
    return _table(("what", "Kudu", "HBase"), LIMITS)


def _stored(kind: Kind) -> tuple[str, str]:
    return _code(STORES[kind].kudu), STORES[kind].hbase


def _kind(kind: Kind, semantic: str) -> str:
    return f"{kind.value} ({semantic})" if semantic else kind.value


def _sent(connect: Connect) -> str:
    return f"{connect.base} {connect.name.rpartition('.')[2]}".rstrip()


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
