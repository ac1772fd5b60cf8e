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
import signal, sys
from pathlib import Path
from parrot_faust.bench.pipeline import Bench
from parrot_faust.cli import bench, main
from parrot_faust.demo.worker import Worker
from parrot_faust.distribution import Local

signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where the tests run in the background
wait = Worker.wait
Worker.wait = lambda worker: (Path("waiting").touch(), wait(worker))

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


def worker_of(bench: psutil.Process, folder: Path) -> psutil.Process:
    deadline = time.monotonic() + WITHIN_S
    while not (folder / "waiting").exists():
        assert time.monotonic() < deadline, "the bench has started no worker"
        time.sleep(0.05)
    (worker,) = bench.children()
    assert "faust" in worker.cmdline()
    return worker


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_bench_that_is_cut_off_ends_its_worker(tmp_path: Path, number: signal.Signals, status: int) -> None:
    environment = {**os.environ, "PARROT_STATE": str(tmp_path / "state"), "PARROT_CACHE": str(tmp_path / "cache")}
    with subprocess.Popen(
        [sys.executable, "-c", BENCH], cwd=tmp_path, env=environment, stderr=subprocess.PIPE
    ) as bench:
        worker = worker_of(psutil.Process(bench.pid), tmp_path)
        family = [worker, *worker.children(recursive=True)]
        bench.send_signal(number)
        _, said = bench.communicate(timeout=WITHIN_S)
    _, left = psutil.wait_procs(family, timeout=WITHIN_S if bench.returncode == status else 0)
    for process in left:
        process.kill()
    assert bench.returncode == status, said.decode()
    assert b"Traceback" not in said
    assert (tmp_path / "unwound").exists()
    assert left == []


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
