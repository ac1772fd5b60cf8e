"""`parrot bench`: measurements on the running local distribution."""

from __future__ import annotations

from importlib.util import find_spec

import click
from rich.console import Console

from parrot_faust.bench.backpressure import measure_backpressure
from parrot_faust.bench.pipeline import PipelineReport, measure_pipeline
from parrot_faust.bench.rules import MOST_COMPILE_MS, MOST_US, measure_rules
from parrot_faust.bench.schema import MOST_SHARE, SchemaReport, measure_schema, steady
from parrot_faust.bench.tables import FEW, TablesReport, measure_tables
from parrot_faust.bench.takeover import measure_takeover
from parrot_faust.bench.transport import TransportReport, measure_transport
from parrot_faust.bench.verify import VerifyReport, measure_verify
from parrot_faust.cli import terminal
from parrot_faust.cli.bench_web import web
from parrot_faust.cli.conventions import Group, json_option
from parrot_faust.cli.measured import mark, running
from parrot_faust.cli.progress import Waiting
from parrot_faust.distribution import Local
from parrot_faust.errors import DistributionError

SCHEMA_CHANGES = 20_000  # some seconds
LABELS = {
    "faust": "Faust's own events, default settings",
    "getmany": "aiokafka getmany",
    "batches": "batch transport",
}


@click.group(cls=Group)
def bench() -> None:
    """Measure on the running local distribution. Figures are of this machine, at this moment."""


bench.add_command(web)


def address_of_kafka() -> str:
    """The running broker's address. Raise DistributionError when it is down."""
    local = Local.here()
    if "kafka" not in local.running():
        raise DistributionError("Kafka is not running; start it with `parrot up kafka`")
    return local.addresses().kafka


@bench.command()
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="How often each path is measured.")
@click.option("--records", type=click.IntRange(10_000), default=400_000, show_default=True, help="Read by a round.")
@click.option(
    "--faust-records",
    type=click.IntRange(5_000),
    default=15_000,
    show_default=True,
    help="Read by a round on Faust's own path, which is slow.",
)
@json_option("the figures")
def transport(rounds: int, records: int, faust_records: int, as_json: bool) -> None:
    """Compare the batch transport with Faust's own events and with aiokafka: 500-byte records, one partition."""
    address = address_of_kafka()
    with Waiting(f"writing {records:,} records") as wait:

        def say(number: int, path: str) -> None:
            wait.say(f"round {number + 1} of {rounds}: {LABELS[path]}")

        report = measure_transport(address, rounds, max(records, faust_records), faust_records, say)
    if as_json:
        terminal.print_json(report)
    else:
        show(report, terminal.result())


@bench.command()
@click.option("--changes", type=click.IntRange(10_000), default=200_000, show_default=True, help="Changes to capture.")
@click.option(
    "--format",
    "forms",
    type=click.Choice(["avro", "json", "json-schema"]),
    multiple=True,
    default=["avro", "json"],
    show_default=True,
    help="How changes travel; may be given more than once.",
)
@click.option(
    "--sink",
    "sinks",
    type=click.Choice(["kudu", "hbase"]),
    multiple=True,
    default=["kudu"],
    show_default=True,
    help="Where they go; may be given more than once.",
)
@click.option("--rounds", type=click.IntRange(1), default=1, show_default=True, help="How often each is measured.")
@json_option("a list of the rounds")
def pipeline(changes: int, forms: tuple[str, ...], sinks: tuple[str, ...], rounds: int, as_json: bool) -> None:
    """Measure one worker from Debezium's topic to the stores: a table of ten columns, ten rules."""
    local = running("postgres", "kafka", "registry", "connect", *sinks)
    reports = []
    with Waiting("what knowing a table's shape costs") as wait:
        us = steady(SCHEMA_CHANGES).schema
        for number in range(rounds):
            for form in forms:

                def say(text: str, label: str = f"round {number + 1} of {rounds}, {form}") -> None:
                    wait.say(f"{label}: {text}")

                reports.append(measure_pipeline(local, form, list(sinks), changes, say).with_shapes(us))
    if as_json:
        terminal.print_json(reports)
    else:
        show_pipeline(reports, terminal.result())


@bench.command()
@click.option("--rows", type=click.IntRange(1_000), default=1_000_000, show_default=True, help="Rows to compare.")
@click.option("--rounds", type=click.IntRange(1), default=1, show_default=True, help="How often they are compared.")
@json_option("a list of the rounds")
def verify(rows: int, rounds: int, as_json: bool) -> None:
    """Measure how fast a table of four columns is compared with both stores, all equal."""
    local = Local.here()
    if missing := [name for name in ("postgres", "kudu", "hbase") if name not in local.running()]:
        raise DistributionError(f"{', '.join(missing)} not running; start with `parrot up`")
    with Waiting("measuring") as wait:
        reports = measure_verify(local, rows, rounds, wait.say)
    if as_json:
        terminal.print_json(reports)
    else:
        show_verify(reports, terminal.result())


def show_verify(reports: list[VerifyReport], console: Console) -> None:
    """Print a line a round."""
    stores = sorted(reports[0].store_seconds)
    table = terminal.Table("rows", "seconds", "rows/s", "target", *stores, "memory")
    for report in reports:
        table.add_row(
            f"{report.rows:,}",
            f"{report.seconds:.1f}",
            f"{report.rows_per_second:,}",
            f"{'[green]✓[/]' if report.met else '[red]✗[/]'} {report.target:,}",
            *(f"{report.store_seconds[store]:.1f} s" for store in stores),
            f"{report.memory / 1e6:.0f} MB",
        )
    console.print(table)
    console.print(f"four columns, each row in both stores; {reports[0].machine}", style="dim")


@bench.command(name="rules")
@click.option("--rows", type=click.IntRange(1_000), default=50_000, show_default=True, help="Rows checked by a run.")
@click.option(
    "--great-expectations/--no-great-expectations", default=True, help="Measure it as well, where it is installed."
)
@json_option("the figures")
def rules_(rows: int, great_expectations: bool, as_json: bool) -> None:
    """Compare ways to check a row against ten rules that it passes. Needs nothing that runs."""
    with Waiting("measuring") as wait:
        report = measure_rules(
            rows,
            great_expectations=great_expectations and find_spec("great_expectations") is not None,
            say=wait.say,
        )
    if as_json:
        terminal.print_json(report)
        return
    table = terminal.Table("ten rules, a row that passes", "µs a row", "rows/s", "against ours")
    ours = report.us["generated function"]
    for way, us in report.us.items():
        table.add_row(way, f"{us:,.2f}", f"{1e6 / us:,.0f}", f"{us / ours:,.1f} ×")
    console = terminal.result()
    console.print(table)
    compiling = ", ".join(f"{count} rules {ms:g} ms" for count, ms in report.compile_ms.items())
    console.print(f"compiling: {compiling}")
    mark = "[green]✓[/]" if report.met else "[red]✗[/]"
    console.print(f"{mark} at most {MOST_US:g} µs a row, and {MOST_COMPILE_MS:g} ms for 100 rules on 50 columns")
    console.print(report.machine, style="dim")


@bench.command()
@click.option("--changes", type=click.IntRange(10_000), default=100_000, show_default=True, help="Changes to capture.")
@click.option("--delay", type=click.FloatRange(0.0), default=0.5, show_default=True, help="Seconds HBase is slowed by.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="How often each is measured.")
@json_option("the figures")
def backpressure(changes: int, delay: float, rounds: int, as_json: bool) -> None:
    """Measure what an HBase that is slow costs Kudu: every answer of it is held up on its way."""
    local = running("postgres", "kafka", "registry", "connect", "kudu", "hbase")
    with Waiting("measuring") as wait:
        report = measure_backpressure(local, changes, delay, rounds, wait.say)
    if as_json:
        terminal.print_json(report)
        return
    console = terminal.result()
    table = terminal.Table("Kudu, changes/s", *(f"round {number + 1}" for number in range(rounds)))
    table.add_row("alone", *(f"{rate:,.0f}" for rate in report.alone))
    table.add_row("beside a slow HBase", *(f"{rate:,.0f}" for rate in report.beside))
    console.print(table)
    console.print(
        f"{mark(report.met)} {report.ratio:.2f} × of alone (wanted {report.target:g} ×); HBase was "
        f"{report.behind:.0%} behind by then; joined its group again {report.rejoined} times; worker's memory "
        f"{report.memory[0] / 1e6:.0f} and {report.memory[1] / 1e6:.0f} MB"
    )
    console.print(report.machine, style="dim")


@bench.command()
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="How often a worker is killed.")
@json_option("the figures")
def takeover(rounds: int, as_json: bool) -> None:
    """Measure how long a killed worker's partitions stand still until another has them: default settings."""
    local = running("postgres", "kafka", "registry", "connect", "kudu")
    with Waiting("measuring") as wait:
        report = measure_takeover(local, rounds, wait.say)
    if as_json:
        terminal.print_json(report)
        return
    console = terminal.result()
    each = ", ".join(f"{seconds:.1f} s" for seconds in report.seconds)
    console.print(f"{mark(report.met)} taken over within {report.longest:.1f} s (wanted {report.target:g} s): {each}")
    console.print(report.machine, style="dim")


@bench.command(name="schema")
@click.option("--changes", type=click.IntRange(1_000), default=50_000, show_default=True, help="Changes of a run.")
@json_option("the figures")
def schema_(changes: int, as_json: bool) -> None:
    """Measure what knowing a table's shape costs a change, of the agent `changes`. Needs nothing that runs."""
    with Waiting("measuring") as wait:
        report = measure_schema(changes, wait.say)
    if as_json:
        terminal.print_json(report)
    else:
        show_schema(report, terminal.result())


def show_schema(report: SchemaReport, console: Console) -> None:
    """Print a line a case, and what its cost is made of."""
    parts = list(next(iter(report.costs.values())).parts)
    table = terminal.Table("a table", "µs a change", "of it shapes", "share", *parts)
    for name, cost in report.costs.items():
        each = (f"{cost.parts[part]:.3f}" for part in parts)
        table.add_row(name, f"{cost.whole:.2f}", f"{cost.schema:.3f}", f"{cost.share:.2%}", *each)
    console.print(table)
    console.print(f"`parrot bench pipeline` has its share of a worker and its writers; {report.machine}", style="dim")


@bench.command()
@click.option("--tables", "count", type=click.IntRange(FEW + 1), default=500, show_default=True, help="How many.")
@click.option(
    "--sink",
    "sinks",
    type=click.Choice(["kudu", "hbase"]),
    multiple=True,
    default=["kudu", "hbase"],
    show_default=True,
    help="Where they go; may be given more than once.",
)
@click.option(
    "--buckets",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Hash partitions of each table in Kudu, where a tablet server is to have 2,000 tablets at most.",
)
@json_option("the figures")
def tables(count: int, sinks: tuple[str, ...], buckets: int, as_json: bool) -> None:
    """Measure a worker's start on many new tables, one row each, and the memory that a table takes."""
    local = running("kafka", *sinks)
    with Waiting("measuring") as wait:
        report = measure_tables(local, list(sinks), count, buckets, wait.say)
    if as_json:
        terminal.print_json(report)
    else:
        show_tables(report, terminal.result())


def show_tables(report: TablesReport, console: Console) -> None:
    """Print how long it took, how far it was when, and the memory of each process."""
    stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in report.stages.items())
    console.print(
        f"{mark(report.met)} {report.tables:,} new tables have their first row in {' and '.join(report.sinks)} after "
        f"{report.seconds:.1f} s (wanted {report.target:g} s): {stages}"
    )
    console.print(f"started again, the tables being there: {report.again:.1f} s")
    table = terminal.Table("memory", f"{report.tables:,} tables", "each beyond the first few")
    for name, size in report.memory.items():
        table.add_row(name, f"{size / 1e6:.0f} MB", f"{report.per_table[name] / 1e3:.0f} kB")
    console.print(table)
    console.print(f"{report.buckets} hash partitions in Kudu; {report.machine}", style="dim")


def show_pipeline(reports: list[PipelineReport], console: Console) -> None:
    """Print a line a run, and below it what 100,000 changes cost each process."""
    table = terminal.Table("format", "changes/s", "target", "loop at most", "worker's memory")
    for report in reports:
        table.add_row(
            report.form,
            f"{report.changes_per_second:,}",
            f"{'[green]✓[/]' if report.met else '[red]✗[/]'} {report.target:,}",
            f"{report.loop_own_ms:.0f} ms late",
            f"{report.memory / 1e6:.0f} MB",
        )
    console.print(table)
    costs = terminal.Table("CPU seconds for 100,000 changes", *(report.form for report in reports))
    for name in reports[0].cpu_s_per_100k:
        costs.add_row(name, *(f"{report.cpu_s_per_100k[name]:.2f}" for report in reports))
    console.print(costs)
    first = reports[0]
    shares = ", ".join(f"{report.schema_share:.2%}" for report in reports)
    below = all(report.schema_share < MOST_SHARE for report in reports)
    console.print(
        f"{mark(below)} knowing the table's shape takes {shares} of the worker's and writers' CPU (wanted less than "
        f"{MOST_SHARE:.0%})",
        highlight=False,
    )
    console.print(
        f"{first.changes:,} changes of ten columns, ten rules, into {' and '.join(first.sinks)}; {first.machine}",
        style="dim",
        highlight=False,
    )


def show(report: TransportReport, console: Console) -> None:
    """Print the figures as a table, with the targets and whether they are met."""
    rounds = [f"round {number + 1}" for number in range(len(report.rounds))]
    table = terminal.Table("records a second", *rounds, "median", "batch transport is", "target")
    for path, label in LABELS.items():
        ratio, target = report.ratios.get(path), report.targets.get(path)
        met = ratio is not None and target is not None and ratio >= target
        table.add_row(
            label,
            *(f"{rates[path]:,.0f}" for rates in report.rounds),
            f"{report.medians[path]:,.0f}",
            f"{ratio:.2f} ×" if ratio is not None else "",
            f"{'[green]✓[/]' if met else '[red]✗[/]'} {target:g} ×" if target is not None else "",
        )
    console.print(table)
    console.print(f"{report.record_bytes}-byte records, one partition, {report.machine}", style="dim")
