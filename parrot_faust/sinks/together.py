"""Making the tables of many shapes at once: a store's master goes about several, and each takes it a while."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple

from models import AppliedDdl, TableSchema
from parrot_faust.errors import SinkUnavailable, TableRefused

AT_ONCE = 8


class Made(NamedTuple):
    """What was done for each shape, and by fingerprint why the store gave no answer for those that it gave none for."""

    done: list[tuple[TableSchema, Sequence[AppliedDdl]]]
    failed: dict[str, SinkUnavailable]


def together(
    schemas: Iterable[TableSchema],
    *,
    target: Callable[[TableSchema], str],
    seen: Callable[[TableSchema], bool],
    ensure: Callable[[TableSchema], Sequence[AppliedDdl]],
) -> Made:
    """Call `ensure` for the first shape of each table of the store, several at once, unless it was seen before.

    It must allow for that with shapes of several tables. Later shapes of a table are left to whoever ensures them
    after the rows of the first: a column may go with them. So is a table that is refused: the refusal is its rows'.
    """
    first: dict[str, TableSchema] = {}
    for schema in schemas:
        with suppress(TableRefused):  # for its name
            first.setdefault(target(schema), schema)
    wanted = [schema for schema in first.values() if not seen(schema)]
    made = Made([], {})
    if len(wanted) < 2:
        return made
    with ThreadPoolExecutor(min(AT_ONCE, len(wanted))) as pool:
        answers = [(schema, pool.submit(ensure, schema)) for schema in wanted]
    for schema, answer in answers:
        error = answer.exception()
        if error is None:
            made.done.append((schema, answer.result()))
        elif isinstance(error, SinkUnavailable):
            made.failed[schema.fingerprint] = error
        elif not isinstance(error, TableRefused):
            raise error
    return made
