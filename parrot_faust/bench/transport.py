"""The batch transport against Faust's own event path and against aiokafka alone, in one run."""

from __future__ import annotations

import asyncio
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from parrot_faust.bench.load import filled_topic
from parrot_faust.bench.paths import PATHS
from parrot_faust.errors import DistributionError

RECORD_BYTES = 500
#: What the project promises: so many times the rate of the other path.
TARGETS = {"faust": 40.0, "getmany": 0.9}
MEASURE_TIMEOUT_S = 300.0

#: Told which round begins, and on which path.
Say = Callable[[int, str], None]


@dataclass(frozen=True, slots=True)
class TransportReport:
    """Records a second by path: each round's, and the medians. `ratios` are the batch transport's to the others."""

    records: dict[str, int]
    record_bytes: int
    rounds: list[dict[str, float]]
    medians: dict[str, float]
    ratios: dict[str, float]
    targets: dict[str, float]
    met: bool
    machine: str


def measure_transport(address: str, rounds: int, records: int, faust_records: int, say: Say) -> TransportReport:
    """Measure every path once a round, one after the other, each in a fresh process; the broker is the same.

    `faust_records` is what Faust's own path reads: it is slow, and its rate does not depend on how much it reads.
    """
    counts = {path: faust_records if path == "faust" else records for path in PATHS}
    return asyncio.run(_measure(address, rounds, counts, say))


async def _measure(address: str, rounds: int, counts: dict[str, int], say: Say) -> TransportReport:
    results: list[dict[str, float]] = []
    async with filled_topic(address, max(counts.values()), RECORD_BYTES) as topic:
        for number in range(rounds):
            rates: dict[str, float] = {}
            for path, count in counts.items():
                say(number, path)
                rates[path] = await asyncio.to_thread(_in_a_process, path, address, topic, count)
            results.append(rates)
    return report_of(results, counts)


def _in_a_process(path: str, address: str, topic: str, records: int) -> float:
    command = [sys.executable, "-m", "parrot_faust.bench.paths", path, address, topic, str(records)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=MEASURE_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise DistributionError(f"{path}: {records} records did not arrive in {MEASURE_TIMEOUT_S:.0f} s") from None
    except subprocess.CalledProcessError as error:
        raise DistributionError(f"{path} could not be measured:\n{error.stderr.strip()[-2_000:]}") from None
    return float(done.stdout.split()[-1])


def report_of(rounds: list[dict[str, float]], records: dict[str, int]) -> TransportReport:
    """Medians, ratios of the medians, and whether the targets are met."""
    medians = {path: median(rates[path] for rates in rounds) for path in PATHS}
    ratios = {path: medians["batches"] / medians[path] for path in TARGETS}
    return TransportReport(
        records=records,
        record_bytes=RECORD_BYTES,
        rounds=rounds,
        medians=medians,
        ratios=ratios,
        targets=TARGETS,
        met=all(ratios[path] >= target for path, target in TARGETS.items()),
        machine=machine(),
    )


def machine() -> str:
    """What a figure was measured on."""
    return f"{os.cpu_count()} CPUs, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
