"""Reading Kudu for comparison, in a process of its own: its client holds the interpreter's lock and may abort."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from operator import index
from typing import Any

from parrot_faust.errors import SinkUnavailable
from parrot_faust.verify.hashing import Batch
from parrot_faust.verify.plan import ColumnPlan, TablePlan
from parrot_faust.verify.scope import Scope
from parrot_faust.verify.stored import Column, Earlier, Logical, kudu_column

BATCH_ROWS = 10_000
LOOKUP_KEYS = 200
MAX_PRECISION = 38
#: The types, as Kudu's client names them, that the documented form has; a decimal's also by its scale.
_TYPES = {
    Logical.BOOL: "bool",
    Logical.INT16: "int16",
    Logical.INT32: "int32",
    Logical.INT64: "int64",
    Logical.FLOAT32: "float",
    Logical.FLOAT64: "double",
    Logical.TEXT: "string",
    Logical.ARRAY: "string",
    Logical.BYTES: "binary",
    Logical.DATE: "date",
    Logical.TIME: "int64",
    Logical.MOMENT: "unixtime_micros",
}
_IN_LIST = frozenset({Logical.INT16, Logical.INT32, Logical.INT64, Logical.TEXT})


class Kudu:
    """A reader; it connects when it is first asked."""

    def __init__(
        self,
        masters: Sequence[str],
        timeout_s: float,
        encryption: str = "optional",
        require_authentication: bool = False,
        sasl_protocol: str = "",
    ) -> None:
        self._masters, self._timeout_s = tuple(masters), timeout_s
        self._secured = (encryption, require_authentication, sasl_protocol)
        self._client: Any = None

    def close(self) -> None:
        """Let go of the connection."""
        self._client = None

    def _missing(self, plan: TablePlan) -> bool:
        return not self._call(lambda: self._connected().table_exists(plan.targets["kudu"]))

    def unlike(self, plan: TablePlan) -> dict[str, str]:
        """Columns that Kudu holds in another type than the documented one, and which."""
        types = self._types(plan)
        found = {}
        for column in plan.columns:
            stored = types.get(plan.name_in("kudu", column.name))
            if stored is not None and not _fits(column, *stored):
                found[column.name] = f"it is {stored[0]} in Kudu, which is not how {column.sql} is stored"
        return found

    def scan(self, plan: TablePlan, scope: Scope) -> Iterator[Batch]:
        """All rows in scope."""
        if self._missing(plan):
            return
        table = self._call(lambda: self._connected().table(plan.targets["kudu"]))
        scanner = self._scanner(plan, table)
        if scope.since is not None:
            scanner.add_predicate(table[plan.name_in("kudu", plan.key[0].name)] >= scope.since)
        yield from self._batches(plan, scanner)

    def fetch(self, plan: TablePlan, keys: Sequence[tuple[Any, ...]]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
        """The rows of these keys that exist."""
        usable = [key for key in keys if len(key) == plan.keys and not any(isinstance(part, tuple) for part in key)]
        found: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        if self._missing(plan):
            return found
        pushed = [position for position, column in enumerate(plan.key) if column.logical in _IN_LIST]
        table = self._call(lambda: self._connected().table(plan.targets["kudu"]))
        for first in range(0, len(usable), LOOKUP_KEYS if pushed else len(usable) or 1):
            part = usable[first : first + (LOOKUP_KEYS if pushed else len(usable))]
            wanted = set(part)
            scanner = self._scanner(plan, table)
            for position in pushed:
                values = sorted({key[position] for key in part})
                scanner.add_predicate(table[plan.name_in("kudu", plan.key[position].name)].in_list(values))
            for rows in self._batches(plan, scanner):
                found |= {key: row for key, row in zip(*rows, strict=True) if key in wanted}
        return found

    def _connected(self) -> Any:
        if self._client is None:
            import kudu
            from kudu import client

            # Moments and days as the numbers they are stored as, decimals as their digits: exact beyond the years and
            # the digits that Python's own types end at. The client looks these functions up by name at every call.
            client.from_unixtime_micros = index
            client.to_unixtime_micros = index
            client.unix_epoch_days_to_date = index
            client.date_to_unix_epoch_days = index
            client.from_unscaled_decimal = scaled
            wait_ms = int(self._timeout_s * 1000)
            encryption, require_authentication, sasl_protocol = self._secured
            self._client = client.Client(
                list(self._masters),
                admin_timeout_ms=wait_ms,
                rpc_timeout_ms=wait_ms,
                encryption_policy=getattr(kudu, f"ENCRYPTION_{encryption.upper()}"),
                require_authentication=require_authentication,
                sasl_protocol_name=sasl_protocol.encode() or None,
            )
        return self._client

    def _types(self, plan: TablePlan) -> dict[str, tuple[str, int, int]]:
        def read() -> dict[str, tuple[str, int, int]]:
            if self._missing(plan):
                return {}
            schema = self._connected().table(plan.targets["kudu"]).schema
            found = {}
            for position in range(len(schema)):
                column = schema[position]
                attributes = column.type_attributes
                found[column.name] = (column.type.name, attributes.precision, attributes.scale)
            return found

        result: dict[str, tuple[str, int, int]] = self._call(read)
        return result

    def _scanner(self, plan: TablePlan, table: Any) -> Any:
        scanner = table.scanner()
        scanner.set_projected_column_names(_projected(plan, self._types(plan)))
        scanner.set_cache_blocks(False)
        return scanner

    def _batches(self, plan: TablePlan, scanner: Any) -> Iterator[Batch]:
        names = _projected(plan, self._types(plan))
        present = [column for column in plan.columns if plan.name_in("kudu", column.name) in names]
        convert = _converter(present)
        spread = older = None
        if len(present) < len(plan.columns):
            # A column that Kudu does not have yet is null in every row of it.
            places = {column.name: position for position, column in enumerate(present)}
            spread = [places.get(column.name) for column in plan.columns]
        if len(names) > len(present):
            earlier = [(at, name) for at, some in plan.older_in("kudu").items() for name in some]
            older = [(at, names.index(name)) for at, name in earlier if name in names]
        self._call(scanner.open)
        while self._call(scanner.has_more_rows):
            raw = self._call(scanner.read_next_batch_tuples)
            rows = convert([row[: len(present)] for row in raw] if older else raw)
            if spread is not None:
                rows = [tuple(None if place is None else row[place] for place in spread) for row in rows]
            if older:
                rows = [_with_earlier(row, names, found, older) for row, found in zip(rows, raw, strict=True)]
            yield [row[: plan.keys] for row in rows], rows

    def _call(self, step: Any) -> Any:
        try:
            return step()
        except Exception as error:
            if type(error).__module__.startswith("kudu"):
                text = str(error).strip().splitlines()
                raise SinkUnavailable("kudu", text[0] if text else type(error).__name__) from None
            raise


def _projected(plan: TablePlan, there: Container[str]) -> list[str]:
    """The columns to read: those that are there, and after them those of earlier types."""
    names = [plan.name_in("kudu", column.name) for column in plan.columns]
    names += [name for some in plan.older_in("kudu").values() for name in some]
    return [name for name in names if name in there]


def _with_earlier(
    row: tuple[Any, ...], names: Sequence[str], raw: Sequence[Any], older: Sequence[tuple[int, int]]
) -> tuple[Any, ...]:
    found = list(row)
    for at, place in older:
        if found[at] is None and raw[place] is not None:
            found[at] = Earlier(names[place])
    return tuple(found)


def scaled(unscaled: int, scale: int) -> str:
    """A decimal's text: `unscaled` with its last `scale` digits behind the point."""
    if not scale:
        return str(unscaled)
    digits = str(abs(unscaled)).rjust(scale + 1, "0")
    return f"{'-' if unscaled < 0 else ''}{digits[:-scale]}.{digits[-scale:]}"


def _fits(column: ColumnPlan, stored: str, precision: int, scale: int) -> bool:
    if column.stored is not Logical.DECIMAL:
        return stored == _TYPES[column.stored]
    declared = re.search(r"\((\d+)", column.sql)
    if declared is None or column.scale is None or int(declared[1]) > MAX_PRECISION or column.scale > int(declared[1]):
        return stored == "string"
    return (stored, precision, scale) == ("decimal", int(declared[1]), column.scale)


def _converter(columns: Sequence[ColumnPlan]) -> Any:
    found: list[tuple[int, Column]] = []
    for position, column in enumerate(columns):
        if (convert := kudu_column(column.stored, column.element, scaled=column.scale is not None)) is not None:
            found.append((position, convert))
    if not found:
        return lambda rows: rows

    def convert_rows(rows: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
        if not rows:
            return rows
        by_column: list[Sequence[Any]] = list(zip(*rows, strict=True))
        for position, change in found:
            by_column[position] = change(by_column[position])
        return list(zip(*by_column, strict=True))

    return convert_rows
