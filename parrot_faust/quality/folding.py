"""Folding a run of changes into tallies, by window: columns at a time, for one shape of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple

from models import Change, Column, Kind, Op, TableSchema, WindowPart
from parrot_faust.quality.conditions import Row, Test, columns_of, compile_condition
from parrot_faust.quality.rules import Rule, RuleSet, Window
from parrot_faust.quality.tallies import without_nulls
from parrot_faust.quality.values import is_null
from parrot_faust.quality.windows import tally_for, tells_values

#: Columns of text: of a masked one, not even the least may be told.
_TEXTS = (Kind.STRING, Kind.BYTES)
_EXTREMES = ("expect_column_min_to_be_between", "expect_column_max_to_be_between")


class _Ready(NamedTuple):
    """A rule for this shape. `unfit` says why it can't be judged."""

    rule: Rule
    positions: tuple[int, ...] = ()
    condition: Test | None = None
    secret: bytes = b""
    unfit: str = ""


class _Counted(NamedTuple):
    """A change that counts: the row that is looked at, and the positions whose values it does not carry."""

    time_ms: int
    row: Row
    unset: tuple[int, ...]


class Fold:
    """The window rules of a set, for a shape of its table. `suspended` are those that can't be judged, and why."""

    def __init__(
        self, rules: RuleSet, schema: TableSchema, masked: Set[str] = frozenset(), secret: bytes = b""
    ) -> None:
        self.version = rules.windows_version
        self._image, self._ops = rules.when.image, frozenset(Op(op) for op in rules.when.ops)
        self._windows = [
            (window, [_ready(rule, schema, masked, secret) for rule in window.rules]) for window in rules.windows
        ]
        self.suspended = tuple((one.rule, one.unfit) for _, ready in self._windows for one in ready if one.unfit)

    def take(self, changes: Sequence[Change], times: Sequence[int], partition: int) -> list[WindowPart]:
        """What changes of one partition come to, by window. `times` are in milliseconds, by change."""
        counted = self._counted(changes, times)
        parts = []
        for number, (window, ready) in enumerate(self._windows):
            for start, rows in _by_window(counted, window.every_ms).items():
                parts.append(_part(number, start, rows, window, ready, partition))
        return parts

    def _counted(self, changes: Sequence[Change], times: Sequence[int]) -> list[_Counted]:
        before, ops = self._image == "before", self._ops
        return [
            _Counted(time_ms, row, () if before else change.unset)
            for change, time_ms in zip(changes, times, strict=True)
            if change.op in ops and (row := change.before if before else change.after) is not None
        ]


def column_of(rule: Rule, positions: Sequence[int], rows: Sequence[Row]) -> tuple[int, Sequence[Any]]:
    """How many rows count for a rule, and the values of its column that are not null.

    Of several columns they are tuples; `ignore_row_if` says which rows do not count.
    """
    if not positions:
        return len(rows), [None] * len(rows)
    if len(positions) == 1:
        (at,) = positions
        return len(rows), without_nulls([row[at] for row in rows])
    word = rule.kwargs.get("ignore_row_if", "all_values_are_missing")
    found = []
    for row in rows:
        values = tuple(None if is_null(row[at]) else row[at] for at in positions)
        missing = values.count(None)
        if not (missing == len(values) if word == "all_values_are_missing" else word != "never" and missing):
            found.append(values)
    return len(found), found


def _ready(rule: Rule, schema: TableSchema, masked: Set[str], secret: bytes) -> _Ready:
    columns: Mapping[str, Column] = {column.name: column for column in schema.columns}
    places = {column.name: (position, column.kind) for position, column in enumerate(schema.columns)}
    used = {*rule.columns, *(columns_of(rule.row_condition) if rule.row_condition else ())}
    if missing := sorted(used - columns.keys()):
        return _Ready(rule, unfit=f"the table has no column {', '.join(missing)}")
    hidden = [name for name in rule.columns if name in masked]
    if hidden and (tells_values(rule) or (rule.type in _EXTREMES and columns[hidden[0]].kind in _TEXTS)):
        return _Ready(rule, unfit=f"{hidden[0]} is masked, and its single values would have to be told")
    try:
        condition = compile_condition(rule.row_condition, places) if rule.row_condition else None
    except (ValueError, TypeError, LookupError, ArithmeticError) as error:
        return _Ready(rule, unfit=str(error))
    positions = tuple(places[name][0] for name in rule.columns)
    return _Ready(rule, positions, condition, secret if hidden else b"")


def _by_window(counted: Sequence[_Counted], every_ms: int) -> dict[int, Sequence[_Counted]]:
    """The rows by the begin of their window: nearly always one."""
    if not counted:
        return {}
    first, last = min(one.time_ms for one in counted), max(one.time_ms for one in counted)
    start = first - first % every_ms
    if last < start + every_ms:
        return {start: counted}
    found: dict[int, list[_Counted]] = {}
    for one in counted:
        found.setdefault(one.time_ms - one.time_ms % every_ms, []).append(one)
    return dict(sorted(found.items()))


def _part(
    number: int, start: int, counted: Sequence[_Counted], window: Window, ready: Sequence[_Ready], partition: int
) -> WindowPart:
    rows = [one.row for one in counted]
    partial = {position for one in counted for position in one.unset}
    tallies: list[Any] = []
    broken: list[str] = []
    for one in ready:
        said, packed = one.unfit, None
        if not said:
            seen = rows
            if partial and not partial.isdisjoint(one.positions):  # a value that an update left out is not known
                seen = [each.row for each in counted if not set(each.unset) & set(one.positions)]
            try:
                if one.condition is not None:
                    seen = [row for row in seen if one.condition(row)]
                tally = tally_for(one.rule, limit=window.exact, secret=one.secret, partition=partition)
                tally.extend(*column_of(one.rule, one.positions, seen))
                packed = tally.packed()
            except (TypeError, ValueError, ArithmeticError) as error:
                said = f"{type(error).__name__}: {error}"
        tallies.append(packed)
        broken.append(said)
    newest = max(one.time_ms for one in counted)
    return WindowPart(number, start, len(rows), newest, tuple(tallies), tuple(broken) if any(broken) else ())
