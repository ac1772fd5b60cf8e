"""The masks of tables, compiled for the shape that their changes have."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from models import Change, Column, Kind, RuleFailure, TableSchema
from parrot_faust.errors import TableRefused
from parrot_faust.masking.masked_change import write_masked
from parrot_faust.masking.ways import Way, way_of


class TableMask:
    """The mask of one shape of a table. `schema` is the shape that the masked changes have."""

    def __init__(self, source: TableSchema, ways: Mapping[str, Way]) -> None:
        """Raise TableRefused where masking would not do what was asked: nothing of the table may pass then."""
        names = [column.name for column in source.columns]
        missing = [name for name in ways if name not in names]
        if missing and not set(names) <= set(source.key):  # a delete may carry its key alone
            near = difflib.get_close_matches(missing[0], names, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise TableRefused(source.table, f"mask names column {missing[0]}, which it does not have{hint}")
        self.columns = tuple(name for name in names if name in ways)
        self._ways = {name: ways[name] for name in self.columns}
        masked = [_masked(source, column, self._ways.get(column.name)) for column in source.columns]
        self._places = tuple((names.index(name), way.mask) for name, way in self._ways.items())
        self._key_places = tuple(
            (place, self._ways[name].mask) for place, name in enumerate(source.key) if name in self._ways
        )
        self.schema = TableSchema.of(
            source.table,
            tuple(masked),
            source.key,
            database=source.database,
            namespace=source.namespace,
            relation=source.relation,
        )

    def changes(self, changes: Iterable[Change]) -> list[Change]:
        """The changes as they may leave the worker; those given are left as they are."""
        return [self.change(change) for change in changes]

    def change(self, change: Change) -> Change:
        """One change as it may leave the worker."""
        return Change(
            change.op,
            change.index,
            change.offset,
            change.time_us,
            _put(change.key, self._key_places),
            None if change.before is None else _put(change.before, self._places),
            None if change.after is None else _put(change.after, self._places),
            change.unset,
        )

    def failures(self, failures: Sequence[RuleFailure]) -> tuple[RuleFailure, ...]:
        """Failures of rules without the values of masked columns: those are shown masked."""
        return tuple(self._failure(failure) for failure in failures)

    def record(self, change: Change) -> bytes:
        """A change, not masked yet, as the masked record that stands for it where it is held back."""
        return write_masked(self.schema, self.change(change), self.columns)

    def record_key(self, change: Change) -> bytes:
        """The message key of that record: the row's key, masked, so that records of one row stay in order."""
        key = _put(change.key, self._key_places)
        return msgspec.json.encode(dict(zip(self.schema.key, key, strict=True)))

    def _failure(self, failure: RuleFailure) -> RuleFailure:
        if not any(column in failure.column for column in self._ways):
            return failure
        columns = failure.column.split(",")
        values = failure.value if len(columns) > 1 else (failure.value,)
        if not isinstance(values, tuple) or len(values) != len(columns):
            values = (None,) * len(columns)  # of an unknown form: show nothing
        shown = [
            self._ways[column].mask(value) if column in self._ways and value is not None else value
            for column, value in zip(columns, values, strict=True)
        ]
        return msgspec.structs.replace(
            failure,
            value=shown[0] if len(shown) == 1 else tuple(shown),
            reason=f"does not hold for {', '.join(repr(value) for value in shown)} (masked)",
        )


class Masking:
    """The masks of all tables, from the settings. Costs a look-up for a table that has none."""

    def __init__(self, tables: Mapping[str, Mapping[str, str | None]], secret: str = "") -> None:
        """`tables` gives each table's masked columns and how. Raise MaskError for a way that does not exist."""
        self._secret = secret.encode()
        self._ways = {
            table: {column: way_of(word, self._secret) for column, word in columns.items()}
            for table, columns in tables.items()
            if columns
        }
        self._masks: dict[tuple[str, str], TableMask] = {}

    def __contains__(self, table: str) -> bool:
        """Whether a table has masked columns: what can't be decoded of it must not be shown."""
        return table in self._ways

    def of(self, schema: TableSchema) -> TableMask | None:
        """The mask of a table's shape; None when it has none. Raise TableRefused when the mask does not fit it."""
        ways = self._ways.get(schema.table)
        if ways is None:
            return None
        key = (schema.table, schema.fingerprint)
        mask = self._masks.get(key)
        if mask is None:
            mask = self._masks[key] = TableMask(schema, ways)
        return mask

    @property
    def secret(self) -> bytes:
        """What hashes of masked columns are made under: where no key is set, one that is no secret."""
        return self._secret or b"parrot"

    def columns(self, table: str) -> tuple[str, ...]:
        """The masked columns of a table, as its settings name them."""
        return tuple(self._ways.get(table, ()))

    def masked(self, table: str, column: str, value: Any) -> Any:
        """One value of a column as the stores have it; as it is where the column is not masked."""
        way = self._ways.get(table, {}).get(column)
        return value if way is None or value is None else way.mask(value)

    def kind(self, table: str, column: str, kind: Kind) -> Kind:
        """The kind that a column has in the stores."""
        way = self._ways.get(table, {}).get(column)
        return Kind.STRING if way is not None and way.text else kind

    def withheld(self, key: bytes | None, value: bytes | None) -> bytes:
        """What stands for a record of a masked table that can't be masked, because it can't be decoded: its size and
        a hash to know it by. The record itself is found by its address.
        """
        whole = way_of("sha256", self._secret).mask(value or b"")
        sizes = {"key_bytes": len(key or b""), "value_bytes": len(value or b"")}
        return msgspec.json.encode({"withheld": {**sizes, "value_sha256": whole}})


def _put(row: tuple[Any, ...], places: Sequence[tuple[int, Any]]) -> tuple[Any, ...]:
    made = list(row)
    for place, mask in places:
        if made[place] is not None:
            made[place] = mask(made[place])
    return tuple(made)


def _masked(source: TableSchema, column: Column, way: Way | None) -> Column:
    if way is None:
        return column
    if column.name in source.key and not way.injective:
        raise TableRefused(source.table, f"mask: {column.name} is part of the key, which only sha256 keeps apart")
    if column.kind not in way.kinds:
        raise TableRefused(source.table, f"mask: {way.word} does not fit column {column.name} of kind {column.kind}")
    if way.text:
        return Column(column.name, Kind.STRING, column.nullable)
    return msgspec.structs.replace(column, nullable=True)
