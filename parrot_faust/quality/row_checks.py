"""What several columns of a row need to pass, and what a change may do to a column: checks of several values."""

from __future__ import annotations

import operator
from decimal import Decimal
from functools import reduce
from typing import Any

from models import Kind
from parrot_faust.quality.column_checks import Check, Kinds, Kwargs
from parrot_faust.quality.conditions import alike
from parrot_faust.quality.values import MOMENTS, comparable, exactly, is_null, moment_of


def pair_equal(_: Kwargs, kinds: Kinds) -> Check:
    """Both hold the same; a null is equal to nothing."""
    alike(kinds[0], kinds[1])
    return lambda a, b: a is not None and bool(a == b)


def pair_greater(kwargs: Kwargs, kinds: Kinds) -> Check:
    """The first is greater than the second, or equal where `or_equal` says so; a null is neither."""
    alike(kinds[0], kinds[1])
    if kwargs.get("or_equal"):
        return lambda a, b: not (is_null(a) or is_null(b)) and bool(a >= b)
    return lambda a, b: not (is_null(a) or is_null(b)) and bool(a > b)


def pair_in_set(kwargs: Kwargs, kinds: Kinds) -> Check:
    """Both together are one of the pairs; a null is written as null."""
    pairs = frozenset(
        tuple(_member(value, kind) for value, kind in zip(pair, kinds, strict=True))
        for pair in kwargs["value_pairs_set"]
    )
    return lambda a, b: (None if is_null(a) else a, None if is_null(b) else b) in pairs


def _member(value: Any, kind: Kind | None) -> Any:
    return moment_of(value, kind) if kind in MOMENTS and value is not None else value


def sum_equal(kwargs: Kwargs, kinds: Kinds) -> Check:
    """The values add up to `sum_total`; with a null they do not. Decimals are compared with it as it is written."""
    if wrong := [kind for kind in kinds if kind in MOMENTS | {Kind.STRING, Kind.BYTES}]:
        raise ValueError(f"a {wrong[0]} can't be added")
    total, written = float(kwargs["sum_total"]), exactly(kwargs["sum_total"])

    def adds_up(*values: Any) -> bool:
        if any(map(is_null, values)):
            return False
        found = reduce(operator.add, values)
        return bool(found == (written if isinstance(found, Decimal) else total))

    return adds_up


def all_equal(_: Kwargs, kinds: Kinds) -> Check:
    """All hold the same, or all are null."""
    for kind in kinds[1:]:
        alike(kinds[0], kind)

    def same(first: Any, *others: Any) -> bool:
        if is_null(first):
            return all(is_null(other) for other in others)
        return all(not is_null(other) and bool(first == other) for other in others)

    return same


def all_different(_: Kwargs, kinds: Kinds) -> Check:
    """No two hold the same."""
    count = len(kinds)
    return lambda *values: len({_NAN if value != value else value for value in values}) == count


_NAN = object()


# -- changes: the value before, and the value after -----------------------------------------------------------------


def transition(kwargs: Kwargs, kinds: Kinds) -> Check:
    """The value may stay, or become one of those that `allow` names for it. From null it may become anything."""
    kind = kinds[0]
    allow = kwargs["allow"]
    allowed: dict[Any, frozenset[Any]] = {
        _state(before, kind): frozenset(_state(after, kind) for after in afters)
        for before, afters in (allow.items() if isinstance(allow, dict) else allow)
    }

    def may(before: Any, after: Any) -> bool:
        before, after = None if is_null(before) else before, None if is_null(after) else after
        if before is None:
            return after is None or None not in allowed or after in allowed[None]
        return bool(before == after) or after in allowed.get(before, ())

    return may


def _state(value: Any, kind: Kind | None) -> Any:
    return value if value is None or kind is None else comparable(value, kind)


def immutable(_: Kwargs, _kinds: Kinds) -> Check:
    """The value stays what it was."""
    return lambda before, after: bool(before == after) or (is_null(before) and is_null(after))


def monotonic(kwargs: Kwargs, kinds: Kinds) -> Check:
    """The value never gets smaller (greater with `decreasing`); with `strict` it must change. A null has no order."""
    if kinds[0] is Kind.BYTES:
        raise ValueError("bytes have no order here")
    orders = {
        (False, False): operator.le,
        (False, True): operator.lt,
        (True, False): operator.ge,
        (True, True): operator.gt,
    }
    in_order = orders[bool(kwargs.get("decreasing")), bool(kwargs.get("strict"))]
    return lambda before, after: is_null(before) or (not is_null(after) and bool(in_order(before, after)))
