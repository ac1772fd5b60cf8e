"""Writing reduced rows so that a row which the store refuses takes nothing else with it.

A run of rows is written as the last operation of each key. When the store refuses such a row, earlier operations of its
key were folded into it and are not in the store either. Then the operations of that key, and of no other, are written
again in halves, in their order, until those that the store refuses by themselves are found. A write without a refusal
costs nothing of this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models import AppliedDdl, Row, RowFailure, RowOp, WriteResult
from parrot_faust.delivery.reduction import reduce

#: Writes rows, at most one of each key, and says what became of each.
Send = Callable[[Sequence[Row]], WriteResult]

#: Told of each row that is refused by itself, as soon as it is known.
Refused = Callable[[int, RowFailure], None]


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a run: rows not named in `failures`, each by its position in the run, are durable or folded into a
    later one that is.
    """

    failures: list[tuple[int, RowFailure]]
    ddl: list[AppliedDdl]


def write_reduced(rows: Sequence[Row], key_positions: tuple[int, ...], send: Send, refused: Refused) -> Written:
    """Write `rows` as if one by one, those left out that the store refuses. What `send` raises goes up.

    While rows fail that may succeed when they are written again, nothing is narrowed down: all is written again anyway.
    """
    reduced = reduce(rows, key_positions)
    result = send(reduced.rows)
    failures = [(reduced.positions[failure.index], failure) for failure in result.failures]
    ddl = list(result.ddl)
    if any(failure.transient for _, failure in failures) or not failures:
        return Written(failures, ddl)
    found: list[tuple[int, RowFailure]] = []
    stacks: list[list[list[int]]] = [[] for _ in failures]
    runs = _of_keys(rows, key_positions, [position for position, _ in failures])
    for run, stack, (_, failure) in zip(runs, stacks, failures, strict=True):
        _narrow(run, failure, stack, found, refused)
    while stacks := [stack for stack in stacks if stack]:
        # One write for all keys: the next run of each.
        parts = [stack.pop() for stack in stacks]
        merged = [reduce([rows[position] for position in part], key_positions).rows[0] for part in parts]
        result = send(merged)
        ddl += result.ddl
        for failure in result.failures:
            if failure.transient:
                return Written([*found, (parts[failure.index][-1], failure)], ddl)
            _narrow(parts[failure.index], failure, stacks[failure.index], found, refused)
    return Written(sorted(found, key=lambda pair: pair[0]), ddl)


def _narrow(
    run: list[int], failure: RowFailure, stack: list[list[int]], found: list[tuple[int, RowFailure]], refused: Refused
) -> None:
    """Take a refused run apart: its halves are next, the earlier one first; a single row is what was looked for."""
    if len(run) == 1:
        found.append((run[0], failure))
        refused(run[0], failure)
        return
    half = len(run) // 2
    stack += [run[half:], run[:half]]


def _of_keys(rows: Sequence[Row], key_positions: tuple[int, ...], lasts: Sequence[int]) -> list[list[int]]:
    """The positions of all operations of each key whose last one stands at a position of `lasts`."""
    runs: dict[tuple[object, ...], list[int]] = {_key(rows[last], key_positions): [] for last in lasts}
    for position, row in enumerate(rows):
        run = runs.get(_key(row, key_positions))
        if run is not None:
            run.append(position)
    return list(runs.values())


def _key(row: Row, key_positions: tuple[int, ...]) -> tuple[object, ...]:
    return row.values if row.op == RowOp.DELETE else tuple(row.values[index] for index in key_positions)
