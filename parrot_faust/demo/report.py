"""What a demo run has shown, and whether it was right."""

from __future__ import annotations

from typing import Any

import msgspec
from rich.table import Table

from parrot_faust.demo.loosening import Loosening

STORES = ("kudu", "hbase")


class TableResult(msgspec.Struct):
    """Rows of a table that were compared, in each store, and how many differ. `held` keys were left out by rules."""

    source: int
    kudu: int
    hbase: int
    differences: int
    held: int = 0


class Report(msgspec.Struct):
    """The report as `--json` writes it."""

    equal: bool
    tables: dict[str, TableResult]
    changes: dict[str, Any]
    rules: list[dict[str, Any]]
    schema_changes: list[dict[str, Any]]
    visible_ms: dict[str, dict[str, float]]
    changes_per_second: float
    seconds: dict[str, float]
    problems: list[str]
    loosened: Loosening | None = None


def problems_of(report: Report, bad_record_kept: bool, worker_status: int | None) -> list[str]:
    """What is not as it must be; empty when the demo has shown what it promises."""
    problems = []
    if not report.equal:
        different = ", ".join(name for name, table in report.tables.items() if table.differences)
        problems.append(f"the stores differ from the source in {different}")
    changes = report.changes
    for sink in STORES:
        total = changes["applied"][sink] + sum(
            changes[name] for name in ("quarantined", "dropped", "dead_lettered", "tombstones")
        )
        if total != changes["captured"]:
            problems.append(f"{changes['captured']} changes were captured, {total} are accounted for in {sink}")
    for sink in STORES:
        if not any(change["sink"] == sink and change["change"] == "AddColumn" for change in report.schema_changes):
            problems.append(f"the added column did not reach {sink}")
    if not bad_record_kept:
        problems.append("the undecodable record is not among the dead letters")
    if report.loosened is None or not report.loosened.outcomes.get("applied"):
        problems.append("the row that a loosened rule lets pass did not get through")
    if worker_status != 0:
        problems.append(f"the worker ended with status {worker_status}")
    return problems


def tables_of(report: Report) -> list[Table]:
    """The report for people."""
    rows = Table("table", "source", "in Kudu", "in HBase", "held by rules", "differences", box=None, header_style="dim")
    for name, table in report.tables.items():
        differences = f"[red]{table.differences}[/]" if table.differences else "[green]0[/]"
        rows.add_row(name, f"{table.source:,}", f"{table.kudu:,}", f"{table.hbase:,}", f"{table.held:,}", differences)
    changes = report.changes
    counts = Table("changes", "", box=None, header_style="dim")
    counts.add_row("captured", f"{changes['captured']:,}")
    for sink in STORES:
        counts.add_row(f"applied to {sink}", f"{changes['applied'][sink]:,}")
    for name in ("quarantined", "dropped", "dead_lettered", "tombstones"):
        counts.add_row(name.replace("_", "-"), f"{changes[name]:,}")
    counts.add_row("changes a second", f"{report.changes_per_second:,.0f}")
    for sink in STORES:
        visible = report.visible_ms[sink]
        counts.add_row(f"commit to visible in {sink}", f"p50 {visible['p50']:.0f} ms, p99 {visible['p99']:.0f} ms")
    if (loosened := report.loosened) is not None:
        counts.add_row("a rule loosened live", f"{loosened.rule}, in force after {loosened.in_force_ms} ms")
        outcomes = ", ".join(f"{count} {word}" for word, count in sorted(loosened.outcomes.items()))
        counts.add_row("what it held, sent again", outcomes)
    return [rows, counts]
