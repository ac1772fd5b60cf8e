"""What a slow store costs the other one: Kudu beside an HBase that is slow, against Kudu alone."""

from __future__ import annotations

import dataclasses
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from parrot_faust.bench.pipeline import Bench, PipelineReport, Say
from parrot_faust.bench.proxy import Proxy
from parrot_faust.bench.transport import machine
from parrot_faust.distribution import Addresses, Local

TARGET = 0.9  # of what Kudu takes alone
JOINED = "Successfully synced group"


@dataclass(frozen=True, slots=True)
class BackpressureReport:
    """Rates of Kudu in changes a second, by round, alone and beside a slow HBase. `behind` is the share of the changes
    that HBase had not applied when Kudu had all, `rejoined` how often the worker had to join its group again meanwhile,
    `memory` bytes of the worker at its greatest, alone and beside.
    """

    changes: int
    delay_s: float
    alone: list[float]
    beside: list[float]
    ratio: float
    target: float
    met: bool
    behind: float
    rejoined: int
    memory: tuple[int, int]
    machine: str


def measure_backpressure(local: Local, changes: int, delay_s: float, rounds: int, say: Say) -> BackpressureReport:
    """Capture `changes` once and apply them `rounds` times each way, in turns."""
    alone: list[PipelineReport] = []
    beside: list[PipelineReport] = []
    behind, rejoined = 1.0, 0
    addresses = local.addresses()
    proxies = [Proxy(addresses.hbase_thrift), Proxy(addresses.hbase_thrift2)]
    try:
        slow = _through(addresses, proxies)
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(local, Path(folder), "avro", ["kudu"], changes)
            with bench.captured(say) as total:
                for number in range(rounds):
                    alone.append(bench.case(f"alone{number}", ["kudu"], ["kudu"], addresses).apply(total, say))
                    for proxy in proxies:
                        proxy.delay(0.0)
                    case = bench.case(f"beside{number}", ["kudu", "hbase"], ["kudu"], slow)
                    with case.working(say) as worker:
                        for proxy in proxies:
                            proxy.delay(delay_s)
                        report = case.measure(worker, total, say)
                        beside.append(report)
                        behind = min(behind, _behind(worker.stats()))
                        rejoined += worker.log.read_text(errors="replace").count(JOINED) - 1
    finally:
        for proxy in proxies:
            proxy.close()
    rates = [report.changes_per_second for report in alone], [report.changes_per_second for report in beside]
    ratio = median(rates[1]) / median(rates[0])
    return BackpressureReport(
        changes=alone[0].changes,
        delay_s=delay_s,
        alone=rates[0],
        beside=rates[1],
        ratio=round(ratio, 3),
        target=TARGET,
        met=ratio >= TARGET,
        behind=round(behind, 3),
        rejoined=rejoined,
        memory=(max(report.memory for report in alone), max(report.memory for report in beside)),
        machine=machine(),
    )


def _behind(stats: dict[str, Any]) -> float:
    """The share of the changes that HBase has not applied yet."""
    forwarded: int = sum(source["forwarded"] for source in stats["sources"].values())
    applied: int = sum(table["applied"] for table in stats["sinks"]["hbase"]["tables"].values())
    return 1 - applied / forwarded


def _through(addresses: Addresses, proxies: list[Proxy]) -> Addresses:
    return dataclasses.replace(addresses, hbase_thrift=proxies[0].address, hbase_thrift2=proxies[1].address)
