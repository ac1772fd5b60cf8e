"""What a fault's run has shown: a row of the table, an entry of the JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.table import Table

ENOUGH_CHANGES = 1_000  # P4: with fewer nothing was tried
LAG_LIMIT_S = 60.0  # P5


@dataclass
class Result:
    """One fault, tried. `lag_s` is the longest time from healing to lag 0; `problems` is empty when all was kept."""

    number: int
    title: str
    planned: int
    seed: int
    fired: int = 0
    changes: int = 0
    lag_s: float = 0.0
    rows: int = 0
    differences: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every promise was kept and the fault was really there (P4)."""
        return not self.problems and not self.shortfalls()

    def shortfalls(self) -> list[str]:
        """Why this run shows nothing, whatever else it found."""
        found = []
        if self.fired < self.planned:
            found.append(f"P4: fired {self.fired} times of {self.planned} planned")
        if self.changes < ENOUGH_CHANGES:
            found.append(f"P4: only {self.changes} changes passed")
        if not self.rows:
            found.append("P4: no row was compared")
        return found

    def plain(self) -> dict[str, Any]:
        """The entry of the JSON report."""
        verdict = "passed" if self.passed else "failed"
        return asdict(self) | {"verdict": verdict, "problems": [*self.problems, *self.shortfalls()]}


def table_of(results: Sequence[Result]) -> Table:
    """All results as a table for people."""
    table = Table(title="faults", title_justify="left")
    table.add_column("#", justify="right")
    table.add_column("fault", overflow="fold", ratio=1)
    for name in ("fired", "changes", "lag 0 after", "rows", "differ", "took"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for result in results:
        table.add_row(
            str(result.number),
            result.title,
            f"{result.fired}/{result.planned}",
            f"{result.changes:,}",
            f"{result.lag_s:.1f} s",
            f"{result.rows:,}",
            str(result.differences),
            f"{result.seconds:.0f} s",
            "[green]passed[/]" if result.passed else "[red]FAILED[/]",
        )
    return table
