"""Reading HBase for comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from parrot_faust import tls
from parrot_faust.errors import SinkUnavailable
from parrot_faust.tls import Tls
from parrot_faust.verify.binary_keys import of_plan
from parrot_faust.verify.hashing import Batch, decode_key, encode_key
from parrot_faust.verify.plan import TablePlan
from parrot_faust.verify.scope import Scope
from parrot_faust.verify.stored import Earlier, hbase_column
from parrot_faust.verify.thrift import BATCH_ROWS, Connection, Rows

BATCH_BYTES = 2 << 20  # a cell comes with its name and time: rows are wider here
LOOKUP_KEYS = 500


class HBase:
    """A reader. Its connection is made when it is first asked, and anew after `close`."""

    def __init__(self, thrift: str, timeout_s: float, secured: Tls | None = None) -> None:
        self._thrift, self._timeout_s, self._tls = thrift, timeout_s, secured
        self._connection: Connection | None = None

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _missing(self, plan: TablePlan) -> bool:
        """Asked before all else, so a kept connection that the server has ended meanwhile is found out here."""
        reused = self._connection is not None
        try:
            return not self._connected().exists(plan.targets["hbase"])
        except SinkUnavailable:
            self.close()
            if not reused:
                raise
        return not self._connected().exists(plan.targets["hbase"])

    def unlike(self, _plan: TablePlan) -> dict[str, str]:
        """Columns that HBase holds in another form: none, it has no types."""
        return {}

    def scan(self, plan: TablePlan, scope: Scope) -> Iterator[Batch]:
        """All rows in scope."""
        if self._missing(plan):
            return
        decode = _decoder(plan)
        since = _since(scope)
        for rows in self._connected().scan(
            plan.targets["hbase"], *_names(plan), batch=plan.batch(BATCH_ROWS, BATCH_BYTES)
        ):
            yield since(decode(rows))

    def fetch(self, plan: TablePlan, keys: Sequence[tuple[Any, ...]]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
        """The rows of these keys that exist."""
        found: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        decode, family_and_names = _decoder(plan), _names(plan)
        if self._missing(plan):
            return found
        row_keys = of_plan(plan.key, plan.row_key, plan.salt)
        wanted_keys = [row_keys.written(key) for key in keys]
        step = plan.batch(LOOKUP_KEYS, BATCH_BYTES)
        for first in range(0, len(wanted_keys), step):
            rows = self._connected().rows(plan.targets["hbase"], *family_and_names, wanted_keys[first : first + step])
            decoded, values = decode(rows)
            found |= {decode_key(encode_key(key)): row for key, row in zip(decoded, values, strict=True)}
        return found

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = Connection(
                self._thrift, self._timeout_s, tls.context(self._tls) if self._tls is not None else None
            )
        return self._connection


def _names(plan: TablePlan) -> tuple[list[bytes], list[bytes]]:
    """The families to read, and each column's name with its family; those of earlier types come last."""
    own = [plan.name_in("hbase", column.name) for column in plan.columns]
    own += [name for some in plan.older_in("hbase").values() for name in some]
    families = [plan.families.get(name, plan.family) for name in own]
    names = [f"{family}:{name}".encode() for family, name in zip(families, own, strict=True)]
    return [family.encode() for family in dict.fromkeys([plan.family, *families])], names


def _decoder(plan: TablePlan) -> Any:
    columns = [hbase_column(column.stored, column.element, scaled=column.scale is not None) for column in plan.columns]
    older = [(at, name) for at, some in plan.older_in("hbase").items() for name in some]
    keys_of = of_plan(plan.key, plan.row_key, plan.salt).read

    def decode(rows: Rows) -> Batch:
        raw_keys, cells = rows
        if not raw_keys:
            return [], []
        by_name = list(zip(*cells, strict=True))
        by_column = [convert(values) for convert, values in zip(columns, by_name, strict=False)]
        for (at, name), earlier in zip(older, by_name[len(columns) :], strict=True):
            values = zip(by_column[at], earlier, strict=True)
            by_column[at] = [Earlier(name) if now is None and was is not None else now for now, was in values]
        return keys_of(raw_keys), list(zip(*by_column, strict=True))

    return decode


def _since(scope: Scope) -> Any:
    if scope.since is None:
        return lambda batch: batch

    def chosen(batch: Batch) -> Batch:
        keys, rows = batch
        # A key that is none belongs to every scope: it must not be overlooked.
        kept = [
            number for number, key in enumerate(keys) if type(key[0]) is not type(scope.since) or key[0] >= scope.since
        ]
        return [keys[number] for number in kept], [rows[number] for number in kept]

    return chosen
