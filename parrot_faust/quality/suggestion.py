"""A rule file made of what was seen of a table: it holds for all of that, and shows no value of a masked column."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from models import Kind, Op
from parrot_faust.quality.expectations import short_name
from parrot_faust.quality.profile import MOST_STATES, NUMBERS, WHOLE, ColumnProfile, Profile
from parrot_faust.quality.values import TYPES
from parrot_faust.quality.writing import flow, text

LEAST = 50  # values of which it is worth saying what they have in common
OF_EACH = 4  # a column has a few states when each came so often, on average
LONGEST_TEXT = 10_000  # characters: beyond it a limit of the length says nothing
_HUGE = Decimal("1e300")  # a bound must be a number that a float can hold
_STEPS = (1, 2, 5, 10)
_DIGITS = 15  # a number with more is written with an exponent
_OPS = {Op.CREATE: "created", Op.UPDATE: "updated", Op.READ: "read by a snapshot", Op.DELETE: "deleted"}
_TYPE_OF: dict[Kind, str] = {kind: name for name, kinds in reversed(TYPES.items()) for kind in kinds}


class _Line(NamedTuple):
    check: str
    note: str = ""


def suggestion(
    table: str, profile: Profile, masked: frozenset[str] = frozenset(), seen: str = "", least: int = LEAST
) -> str:
    """The text of a rule file. `seen` says which events; fewer than `least` values tell nothing in common.

    Raise ValueError where no row was seen.
    """
    if profile.schema is None:
        raise ValueError("no event that carries a row was seen")
    key = profile.schema.key
    lines = [*_head(table, profile, seen), "columns:"]
    columns = [profile.columns[one.name] for one in profile.schema.columns if one.name]
    for one in columns:
        name = one.column.name
        checks = list(_checks(one, name in key, name in masked, least))
        if checks:
            lines.append(f"  {text(name)}:{_note(_about(one, name in key, name in masked))}")
            lines += [f"    - {check}{_note(note)}" for check, note in checks]
    return "\n".join([*lines, *_changes(columns, key, profile, least)]) + "\n"


def _head(table: str, profile: Profile, seen: str) -> Iterator[str]:
    counts = ", ".join(f"{profile.ops[op]:,} {word}" for op, word in _OPS.items() if profile.ops[op])
    yield f"# Proposed from events of {table}{seen and f', {seen}'}: {counts}."
    yield "# It holds for all of them. Take away what is chance, widen what is too narrow, and try it:"
    yield "# parrot rules backtest FILE --from-beginning"
    yield "version: 1"
    yield f"table: {text(table)}"
    yield "defaults: {severity: warning, action: warn}  # warn lets rows pass; quarantine holds them back"


def _about(one: ColumnProfile, in_key: bool, hidden: bool) -> str:
    parts = [str(one.column.kind), *([one.column.semantic] if one.column.semantic else [])]
    parts += ["of several kinds"] if one.mixed else []
    parts += ["key"] if in_key else []
    parts += ["masked"] if hidden else []
    return f"{' '.join(parts)}; {one.present:,} values, {one.nulls:,} nulls"


def _note(words: str) -> str:
    return f"  # {words}" if words else ""


def _checks(one: ColumnProfile, in_key: bool, hidden: bool, least: int) -> Iterator[_Line]:
    kind = one.column.kind
    if one.present and not one.nulls:
        yield _Line("not_be_null")
    if one.mixed or not one.present:
        return
    yield _Line(f"be_of_type: {_TYPE_OF[kind]}")
    if one.column.semantic == "json" and one.json and kind is Kind.STRING:
        yield _Line("be_json_parseable")
        return
    enough = one.present >= least
    states, grows = one.states, in_key or bool(one.changed and one.growing and kind in NUMBERS)
    if states and enough and not grows and not hidden and len(states) * OF_EACH <= one.present:
        values = sorted(states) if len(states) <= MOST_STATES else []
        if _writable(values):
            yield _Line(f"be_in_set: {flow(values)}", f"{len(values)} different")
            return
    if kind is Kind.STRING and enough:
        yield from _texts(one, hidden)
    elif not hidden:
        yield from _range(one, grows)


def _texts(one: ColumnProfile, hidden: bool) -> Iterator[_Line]:
    if one.forms:
        form = one.forms[0]
        yield _Line(f"{short_name(form.expectation)}: {text(form.value)}", form.says)
        return
    most = _at_least(Decimal(max(one.longest, 1)))
    if hidden or most > LONGEST_TEXT:
        return
    low = {"min_value": 1} if one.shortest else {}
    yield _Line(
        f"value_lengths_to_be_between: {flow({**low, 'max_value': int(most)})}",
        f"{one.shortest:,} to {one.longest:,} characters",
    )


def _range(one: ColumnProfile, grows: bool) -> Iterator[_Line]:
    kind = one.column.kind
    if kind in NUMBERS:
        low, high = Decimal(one.low), Decimal(one.high)
        if not (low.is_finite() and high.is_finite() and low > -_HUGE and high < _HUGE):
            return
        bounds = [f"min_value: {_written(Decimal(0) if low >= 0 else -_at_least(-low), kind)}"]
        if high > 0 and not grows:  # as keys do, which are given out one after another
            bounds.append(f"max_value: {_written(_at_least(high), kind)}")
        elif high <= 0 and low < 0:
            bounds.append("max_value: 0")
        yield _Line(f"be_between: {{{', '.join(bounds)}}}", f"{_short(low)} to {_short(high)}")
    elif kind in (Kind.DATE, Kind.TIMESTAMP):
        years = [_year(value, kind) for value in (one.low, one.high)]
        if years[0]:
            seen = f"{years[0]} to {years[1]}" if years[1] else f"from {years[0]} on"
            yield _Line(f"be_between: {{min_value: '{years[0]:04d}-01-01'}}", seen)


def _changes(columns: list[ColumnProfile], key: tuple[str, ...], profile: Profile, least: int) -> Iterator[str]:
    if profile.blind:
        yield f"# What changes may do can't be told: {profile.blind:,} updates came without the row before."
        return
    fixed = [one for one in columns if one.fixed and one.updates and (one.column.name in key or one.updates >= least)]
    if fixed:
        yield "immutable:"
        for one in fixed:
            yield f"  - {text(one.column.name)}  # the same in {one.updates:,} updates"
    growing = [one for one in columns if one.changed and one.changed * OF_EACH >= least and one.growing]
    growing = [one for one in growing if one.column.kind in {*NUMBERS, Kind.DATE, Kind.TIMESTAMP} and not one.mixed]
    if growing:
        yield "monotonic:"
        for one in growing:
            strict = ", strict: true" if one.strictly else ""
            grew = f"grew in {one.changed:,} of {one.updates:,} updates"
            yield f"  - {{column: {text(one.column.name)}{strict}}}  # {grew}"


def _writable(values: list[Any]) -> bool:
    return bool(values) and not any(
        isinstance(one, str) and any("\ud800" <= letter <= "\udfff" for letter in one) for one in values
    )


def _at_least(number: Decimal) -> Decimal:
    """The next round number from a positive one on."""
    for step in _STEPS:
        found = Decimal(step).scaleb(number.adjusted())
        if found >= number:
            return found
    raise AssertionError(f"{number} has another order of magnitude than it says")


def _written(number: Decimal, kind: Kind) -> str:
    if kind in WHOLE or not number or -_DIGITS < number.adjusted() < _DIGITS:
        return f"{number:f}"
    digit = number.scaleb(-number.adjusted())
    return f"{int(digit)}.0e{number.adjusted():+d}"


def _short(number: Decimal) -> str:
    return f"{number:.6g}"


def _year(value: int, kind: Kind) -> int:
    """The year of a date or moment; 0 where it has none."""
    try:
        if kind is Kind.DATE:
            return (date(1970, 1, 1) + timedelta(days=value)).year
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)).year
    except OverflowError:
        return 0
