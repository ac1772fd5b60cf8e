"""Which rows of a table are compared. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import msgspec

from parrot_faust.errors import SettingsError
from parrot_faust.verify.plan import TablePlan
from parrot_faust.verify.stored import Logical

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Scope(msgspec.Struct, frozen=True):
    """`since` is the least value of the first key column, None for all. `sample` is a share of the source's rows, above
    0 and below 1, None for all of them.
    """

    since: Any = None
    sample: float | None = None


def since_value(plan: TablePlan, text: str) -> Any:
    """`text` as a value of the first key column. Raise SettingsError when it is none."""
    first = plan.key[0]
    try:
        if first.logical in (Logical.INT16, Logical.INT32, Logical.INT64):
            return int(text)
        if first.logical is Logical.TEXT:
            return text
        if first.logical is Logical.DATE:
            return date.fromisoformat(text).toordinal() - _EPOCH.date().toordinal()
        if first.logical is Logical.MOMENT:
            moment = datetime.fromisoformat(text)
            span = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
            return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds
    except ValueError:
        raise SettingsError(f"--since {text!r} is no {first.sql}, which {plan.topic}'s key begins with") from None
    raise SettingsError(f"--since can't be used for {plan.topic}: its key begins with {first.sql}")
