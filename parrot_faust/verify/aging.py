"""Rows that Kudu keeps no longer: older than the range partitions that the settings have it keep. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from parrot_faust.creation import KuduRange
from parrot_faust.verify.plan import Aging, ColumnPlan
from parrot_faust.verify.stored import Logical

_EPOCH = date(1970, 1, 1)


def aging(wanted: KuduRange | None, key: Sequence[ColumnPlan], now: datetime) -> Aging | None:
    """Which rows of a table are too old for Kudu at a moment; None where the settings keep them all."""
    if wanted is None or wanted.keep is None:
        return None
    for place, column in enumerate(key):
        if column.name == wanted.column and column.logical in (Logical.DATE, Logical.MOMENT):
            first = _first_kept(wanted.every, wanted.keep, now.astimezone(UTC))
            days = (first.date() - _EPOCH).days
            before = days if column.logical is Logical.DATE else (days * 24 + first.hour) * 3_600_000_000
            told = f"{column.name} before {first:%Y-%m-%d}" + (f"T{first:%H}" if wanted.every == "1 hour" else "")
            return Aging(place, before, f"{told}: ranges of {wanted.every}, of which {wanted.keep} are kept")
    return None


def _first_kept(every: str, keep: int, now: datetime) -> datetime:
    """When the oldest range begins that is kept. Nothing is too old where there is no such year."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        if every == "1 hour":
            return midnight.replace(hour=now.hour) - timedelta(hours=keep)
        if every == "1 day":
            return midnight - timedelta(days=keep)
        months = now.year * 12 + (now.month - 1 if every == "1 month" else 0) - keep * (1 if every == "1 month" else 12)
        return midnight.replace(year=months // 12, month=months % 12 + 1, day=1)
    except (OverflowError, ValueError):
        return datetime(1, 1, 1, tzinfo=UTC)
