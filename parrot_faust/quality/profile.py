"""What the values of a table's columns have in common, as far as they were seen. Pure, and of bounded memory.

Each test is the very check that a rule would make, so that a rule made of what is left holds for all that was seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from models import Change, Column, Kind, Op, TableSchema
from parrot_faust.quality import column_checks, row_checks
from parrot_faust.quality.column_checks import Check
from parrot_faust.quality.tallies import without_nulls
from parrot_faust.quality.values import MOMENTS

MOST_STATES = 12  # a column with more different values is none of a few states
LONGEST_STATE = 40
WHOLE = {Kind.INT8, Kind.INT16, Kind.INT32, Kind.INT64}
NUMBERS = {*WHOLE, Kind.FLOAT32, Kind.FLOAT64, Kind.DECIMAL}
ORDERED = {*NUMBERS, *MOMENTS}


class Form(NamedTuple):
    """A form that texts may have: the expectation that asks for it, with its argument."""

    says: str
    expectation: str
    argument: str
    value: str
    check: Check


def _pattern(says: str, regex: str) -> Form:
    check = column_checks.regex({"regex": regex}, (Kind.STRING,))
    return Form(says, "expect_column_values_to_match_regex", "regex", regex, check)


def _format(says: str, form: str) -> Form:
    check = column_checks.strftime({"strftime_format": form}, (Kind.STRING,))
    return Form(says, "expect_column_values_to_match_strftime_format", "strftime_format", form, check)


#: The narrowest first: the first that all texts have is what is proposed.
FORMS = (
    _pattern("UUID", r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"),
    _pattern("e-mail", r"^[^@\s]+@[^@\s]+\.[A-Za-z]{2,}$"),
    _format("ISO date", "%Y-%m-%d"),
    _pattern("ISO time", r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}"),
    _pattern("URL", r"^https?://[^\s/]+"),
    _pattern("IPv4 address", r"^[0-9]{1,3}(\.[0-9]{1,3}){3}$"),
    _pattern("digits", r"^[0-9]+$"),
    _pattern("letters, hyphen, digits", r"^[A-Z]+-[0-9]+$"),
    _pattern("capital letters and digits", r"^[A-Z0-9]+$"),
)
_json = column_checks.json_parseable({}, (Kind.STRING,))


@dataclass(slots=True)
class ColumnProfile:
    """What was seen of one column. `states` is None once there were too many, or one that is long."""

    column: Column
    nulls: int = 0
    present: int = 0
    low: Any = None
    high: Any = None
    shortest: int = 0
    longest: int = 0
    states: set[Any] | None = field(default_factory=set)
    forms: tuple[Form, ...] = FORMS
    json: bool = True
    #: By what updates did: they had both values, the value changed, it grew or stayed, it grew each time.
    updates: int = 0
    changed: int = 0
    fixed: bool = True
    growing: bool = True
    strictly: bool = True
    #: Changes of another shape had another kind here: nothing but nullness is told.
    mixed: bool = False

    def see(self, values: Sequence[Any]) -> None:
        """Take the values of some rows."""
        present = without_nulls(values)
        self.nulls += len(values) - len(present)
        if not present:
            return
        kind = self.column.kind
        if kind in ORDERED:
            low, high = min(present), max(present)
            self.low = low if self.low is None else min(self.low, low)
            self.high = high if self.high is None else max(self.high, high)
        if kind is Kind.STRING:
            self._see_texts(present)
        if self.states is not None and kind in {*WHOLE, Kind.STRING}:
            self.states |= set(present)
            if len(self.states) > MOST_STATES or any(len(str(one)) > LONGEST_STATE for one in self.states):
                self.states = None
        self.present += len(present)

    def _see_texts(self, present: Sequence[str]) -> None:
        lengths = [len(one) for one in present]
        self.shortest = min(lengths) if not self.present else min(self.shortest, *lengths)
        self.longest = max(self.longest, *lengths)
        self.forms = tuple(form for form in self.forms if all(map(form.check, present)))
        if self.json and self.column.semantic == "json":
            self.json = all(map(_json, present))

    def step(self, before: Any, after: Any) -> None:
        """Take what an update did to the value."""
        self.updates += 1
        if not _same(before, after):
            self.fixed = False
            self.changed += 1
        if self.growing and self.column.kind in ORDERED:
            self.growing = _grows(before, after)
            self.strictly = self.strictly and _grows_strictly(before, after)


_same = row_checks.immutable({}, (None,))
_grows = row_checks.monotonic({}, (None,))
_grows_strictly = row_checks.monotonic({"strict": True}, (None,))


class Profile:
    """What was seen of a table: `schema` is its newest shape, `rows` count by operation."""

    def __init__(self) -> None:
        self.schema: TableSchema | None = None
        self.ops: Counter[Op] = Counter()
        self.columns: dict[str, ColumnProfile] = {}
        #: Updates that came without the row before: of these nothing is known of what they did.
        self.blind = 0

    def take(self, schema: TableSchema, changes: Sequence[Change]) -> None:
        """Add changes of one shape, the newest last."""
        self.ops.update(change.op for change in changes)
        rows = [change for change in changes if change.after is not None and change.op in _LOOKED_AT]
        if not rows:
            return
        self.schema = schema
        partial = {position for change in rows for position in change.unset}
        for position, column in enumerate(schema.columns):
            known = self._column(column)
            seen = rows if position not in partial else [one for one in rows if position not in one.unset]
            known.see([one.after[position] for one in seen if one.after is not None])
        for change in rows:
            if change.op is Op.UPDATE:
                self._step(schema, change)

    def _column(self, column: Column) -> ColumnProfile:
        known = self.columns.get(column.name)
        if known is None:
            known = self.columns[column.name] = ColumnProfile(column)
        elif known.column.typed[1:] != column.typed[1:]:
            mixed = known.mixed or known.column.kind is not column.kind
            known.column, known.mixed = column, mixed
            if mixed:
                fresh = ColumnProfile(column, known.nulls, known.present, states=None, forms=(), mixed=True)
                fresh.fixed = fresh.growing = False
                known = self.columns[column.name] = fresh
        return known

    def _step(self, schema: TableSchema, change: Change) -> None:
        before, after = change.before, change.after
        if before is None or after is None:
            self.blind += 1
            return
        for position, column in enumerate(schema.columns):
            if position not in change.unset:
                self.columns[column.name].step(before[position], after[position])


_LOOKED_AT: tuple[Op, ...] = (Op.CREATE, Op.UPDATE, Op.READ)
