"""A command that is told to end takes with it what it has started: a real one, with a real worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

WITHIN_S = 60.0
#: `parrot bench takeover` up to where its worker starts, whose broker does not answer: so it waits for that.
BENCH = """
import sys
from pathlib import Path
from parrot_faust.bench.pipeline import Bench
from parrot_faust.cli import bench, main
from parrot_faust.distribution import Local

def measure(local, rounds, say):
    try:
        with Bench(local, Path.cwd(), "avro", ["kudu"], 1).working(say):
            raise AssertionError("no broker was to answer")
    finally:
        Path("unwound").touch()

bench.running = lambda *_: Local.here()
bench.measure_takeover = measure
sys.argv = ["parrot", "bench", "takeover"]
main()
"""


def worker_of(bench: psutil.Process) -> psutil.Process:
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        for child in bench.children():
            if "faust" in child.cmdline():
                return child
        time.sleep(0.05)
    raise AssertionError("the bench has started no worker")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_bench_that_is_cut_off_ends_its_worker(tmp_path: Path, number: signal.Signals, status: int) -> None:
    environment = {**os.environ, "PARROT_STATE": str(tmp_path / "state"), "PARROT_CACHE": str(tmp_path / "cache")}
    with subprocess.Popen(
        [sys.executable, "-c", BENCH], cwd=tmp_path, env=environment, stderr=subprocess.PIPE
    ) as bench:
        worker = worker_of(psutil.Process(bench.pid))
        family = [worker, *worker.children(recursive=True)]
        bench.send_signal(number)
        _, said = bench.communicate(timeout=WITHIN_S)
    assert bench.returncode == status, said.decode()
    assert b"Traceback" not in said
    assert (tmp_path / "unwound").exists()
    assert psutil.wait_procs(family, timeout=WITHIN_S)[1] == []


def test_what_nohup_has_ignored_stays_ignored() -> None:
    code = (
        "import signal, sys\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from parrot_faust.cli import main\n"
        "sys.argv = ['parrot', '--version']\n"
        "main()\n"
        "assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN\n"
        "assert callable(signal.getsignal(signal.SIGTERM))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=WITHIN_S)
