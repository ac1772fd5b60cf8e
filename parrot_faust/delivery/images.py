"""Long values that the stores do not have, because the change that brought them was held back.

A source leaves out a long value that an update does not touch. The store then keeps what it has; but where a rule held
back the change that brought the value, it has nothing, or something older. So what held changes brought is kept, by
key, until a later change of the key passes: that one takes its missing values from here.

The state is a fold over the records of a source partition. What has passed is kept until its offset is committed, so
that `rewind` can go back to where reading begins again, and reading again comes to the same values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

Key = tuple[Any, ...]


class Span(msgspec.Struct, array_like=True):
    """Values by column that the stores lack, from the change at offset `held` until that at `passed`.

    A number stands for a value that is too large to be kept, and with which no row could be written: its bytes.
    """

    held: int
    values: dict[str, Any]
    passed: int | None = None


class Images:
    """The held values of one source partition."""

    def __init__(self, spans: Mapping[Key, Iterable[Span]] | None = None) -> None:
        self._spans: dict[Key, list[Span]] = {key: list(found) for key, found in (spans or {}).items()}

    def __bool__(self) -> bool:
        return bool(self._spans)

    def spans(self, key: Key) -> list[Span]:
        """What is to be kept for a key; empty when nothing is."""
        return self._spans.get(key, [])

    def rewind(self, first: int) -> None:
        """Go back to the state before the record at offset `first`."""
        for key in list(self._spans):
            kept = [span for span in self._spans[key] if span.held < first]
            for span in kept:
                if span.passed is not None and span.passed >= first:
                    span.passed = None
            self._keep(key, kept)

    def hold(self, key: Key, offset: int, brought: Mapping[str, Any], absent: Iterable[str]) -> bool:
        """Take in a change that was held back; True when there is something new to keep.

        `brought` are its values that a later change may leave out, `absent` the columns it left out itself.
        """
        before = self._active(key)
        values = {name: before.values[name] for name in absent if name in before.values} if before else {}
        values.update(brought)
        if before is not None:
            before.passed = offset
        if not values and before is None:
            return False
        self._spans.setdefault(key, []).append(Span(offset, values))
        return True

    def lacking(self, key: Key) -> Mapping[str, Any] | None:
        """The values that the stores lack of a row now, None when they lack none."""
        span = self._active(key)
        return None if span is None else span.values

    def passing(self, key: Key, offset: int) -> Mapping[str, Any] | None:
        """A change of the key passes: the values that the stores lack, None when they lack none."""
        span = self._active(key)
        if span is None:
            return None
        span.passed = offset
        return span.values

    def shorten(self, key: Key) -> None:
        """Let go of all but the newest span of a key: what is before it serves only for reading again."""
        self._keep(key, self.spans(key)[-1:])

    def forget(self, key: Key, committed: int) -> None:
        """Let go of what passed before the committed offset."""
        self._keep(key, [span for span in self.spans(key) if span.passed is None or span.passed >= committed])

    def _active(self, key: Key) -> Span | None:
        found = self._spans.get(key)
        return found[-1] if found and found[-1].passed is None else None

    def _keep(self, key: Key, spans: list[Span]) -> None:
        if spans:
            self._spans[key] = spans
        else:
            self._spans.pop(key, None)
