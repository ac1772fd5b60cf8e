"""The wheel of our own making, as anyone may use it: plain kudu-python, in a process without any help."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kudu_servers import Servers, running

from parrot_faust.distribution.fetch import default_cache
from parrot_faust.distribution.kudu_python import ensure_wheel
from parrot_faust.sinks.factory import SinkSpec
from parrot_faust.sinks.process import SinkProcess

pytestmark = pytest.mark.integration

TABLE = """
import sys, threading, time
import kudu
from kudu.client import Client, Partitioning
client = Client([sys.argv[1]], admin_timeout_ms=10_000, rpc_timeout_ms=5_000)
builder = kudu.schema_builder()
builder.add_column("id", kudu.int64, nullable=False)
builder.add_column("text", kudu.string)
builder.set_primary_keys(["id"])
if not client.table_exists("plain"):
    client.create_table("plain", builder.build(), Partitioning().add_hash_partitions(["id"], 2), n_replicas=1)
table = client.table("plain")
session = client.new_session("manual", timeout_ms=3_000)
"""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with running(tmp_path_factory.mktemp("kudu")) as started:
        yield started


def python(servers: Servers, code: str) -> str:
    """Run `code` after TABLE in a process of its own that knows nothing of Kudu; return what it printed."""
    hidden = {"SASL_PATH", "LD_LIBRARY_PATH", "KUDU_HOME"}
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    done = subprocess.run(
        [sys.executable, "-c", TABLE + code, servers.masters[0]],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_client_connects_without_any_environment(servers: Servers) -> None:
    code = """
session.apply(table.new_upsert((1, "a")))
session.flush()
print(table.scanner().open().read_all_tuples())
"""
    assert python(servers, code).strip() == "[(1, 'a')]"


def test_refused_operations_do_not_end_the_process(servers: Servers) -> None:
    code = """
for _ in range(1000):
    operation = table.new_upsert()
    operation["text"] = "no key"
    for _ in range(2):  # the second time it is gone already
        try:
            session.apply(operation)
        except kudu.KuduException:
            pass
        else:
            raise SystemExit("it was taken")
    del operation
print(len(session.get_pending_errors()[0]))
"""
    assert python(servers, code).strip() == "1000"


def test_other_threads_run_while_a_flush_waits(servers: Servers) -> None:
    code = """
ticks = []
done = threading.Event()
def tick():
    while not done.is_set():
        ticks.append(time.monotonic())
        time.sleep(0.01)
session.apply(table.new_upsert((2, "b")))
threading.Thread(target=tick).start()
before = time.monotonic()
try:
    session.flush()
except kudu.KuduException:
    pass
after = time.monotonic()
done.set()
during = [moment for moment in ticks if before < moment < after]
print("ran" if len(during) > 10 else f"stood still: {len(during)} ticks in {after - before:.1f} s")
"""
    # Freezing the server while the table is opened would stop the wrong call, so the process is told when to go on.
    waiting = TABLE + 'print("ready", flush=True)\nsys.stdin.readline()\n' + code
    with subprocess.Popen(
        [sys.executable, "-c", waiting, servers.masters[0]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with servers.frozen():
            process.stdin.write("go\n")
            process.stdin.flush()
            assert process.stdout.readline() == "ran\n"


def test_machine_with_kudus_own_files_builds_against_them(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import kudu

    from parrot_faust.distribution.kudu_python.compiling import OWN_HEADERS

    home = tmp_path / "kudu"
    home.mkdir()
    (home / "include").symlink_to(OWN_HEADERS)
    (home / "lib").symlink_to(Path(kudu.__file__).with_name("lib"))
    monkeypatch.setenv("KUDU_HOME", str(home))
    wheel = ensure_wheel(default_cache())
    try:
        target = tmp_path / "installed"
        subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(target)], check=True)
        assert not (target / "kudu" / "lib").exists()
        monkeypatch.setenv("PYTHONPATH", str(target))
        code = "import os; print(os.path.dirname(kudu.__file__)); print(client.table_exists('plain'))"
        assert python(servers, code).split() == [str(target / "kudu"), "True"]
    finally:
        wheel.unlink()  # it points into this test's folder and would serve nobody else


def loaded_by(pid: int | None) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


async def test_a_writer_process_has_loaded_the_client_before_its_first_call(servers: Servers) -> None:
    process = SinkProcess(SinkSpec("kudu", {"masters": list(servers.masters)}), "kudu")
    await process.start()
    try:
        assert "libkudu_client" in loaded_by(process.pid)
    finally:
        await process.stop()
