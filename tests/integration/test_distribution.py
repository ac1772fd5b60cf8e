"""The local distribution, with servers of its own in folders of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from checkouts import Checkout, kill, listeners, shared_cache, until

from parrot_faust.distribution import ALL, Addresses, Local
from parrot_faust.distribution.components import COMPONENTS
from parrot_faust.distribution.fetch import Cache, Silent
from parrot_faust.distribution.lock import artefacts
from parrot_faust.errors import DistributionError

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def cache() -> Iterator[Path]:
    folder = shared_cache()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def new(tmp_path: Path, cache: Path) -> Iterator[Callable[[str], Checkout]]:
    """Makes checkouts; whatever runs in them at the end is ended."""
    made: list[Checkout] = []

    def make(name: str) -> Checkout:
        made.append(Checkout(tmp_path / name, cache))
        return made[-1]

    yield make
    for checkout in made:
        checkout.end()


@pytest.fixture
def checkout(new: Callable[[str], Checkout]) -> Checkout:
    return new("one")


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Checkout]:
    """A checkout in which PostgreSQL runs, for tests that leave it as it is."""
    checkout = Checkout(tmp_path_factory.mktemp("serving"), cache)
    checkout.local.up(["postgres"])
    yield checkout
    checkout.local.down()
    checkout.end()


def answers(checkout: Checkout) -> bool:
    """Whether its PostgreSQL takes the generated password, and no other."""
    parameters = checkout.local.addresses().postgres
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(**{**parameters, "password": "guessed"})
    with psycopg.connect(**parameters) as connection:
        return connection.execute("show wal_level").fetchone() == ("logical",)


def test_two_checkouts_run_side_by_side(new: Callable[[str], Checkout]) -> None:
    one, other = new("one"), new("other")
    for command in [checkout.begin("up", "postgres") for checkout in (one, other)]:
        printed, _ = command.communicate()
        assert command.returncode == 0, printed
    assert answers(one)
    assert answers(other)
    addresses = [checkout.local.addresses() for checkout in (one, other)]
    assert addresses[0].postgres["port"] != addresses[1].postgres["port"]
    assert addresses[0].postgres["password"] != addresses[1].postgres["password"]
    assert one.parrot("down").stdout == "ended: postgres\n"
    assert one.processes() == []
    assert answers(other)
    assert other.parrot("down").stdout == "ended: postgres\n"
    assert other.processes() == []


def is_loopback(host: str) -> bool:
    address = ip_address(host)
    # Java listens on sockets of IPv6, at IPv4's addresses mapped into it.
    return bool((getattr(address, "ipv4_mapped", None) or address).is_loopback)


def test_everything_listens_on_loopback_only(local: Local, distribution: Addresses) -> None:
    checkout = Checkout(local.folder, local.cache)
    records = checkout.state.processes
    assert set(records) == {process for component in COMPONENTS.values() for process in component.processes}
    for name, record in records.items():
        found = set(listeners(psutil.Process(record.pid)))
        assert found, f"{name} listens nowhere"
        outside = {address for address in found if not is_loopback(address[0])}
        assert not outside, f"{name} can be reached from outside: {outside}"


def test_status_of_the_whole_distribution_is_what_the_system_says(local: Local, distribution: Addresses) -> None:
    checkout = Checkout(local.folder, local.cache)
    status = checkout.status()
    assert list(status) == list(ALL)
    for name, one in status.items():
        first = psutil.Process(one["pid"])
        assert one["healthy"] is True
        assert one["version"] == COMPONENTS[name].version
        assert one["pid"] == checkout.state.processes[COMPONENTS[name].processes[0]].pid
        assert one["uptime"] == pytest.approx(time.time() - first.create_time(), abs=10)
        assert one["memory"] >= first.memory_info().rss / 2
        host, port = one["address"].removeprefix("http://").split("/")[0].split(":")
        socket.create_connection((host, int(port)), timeout=30).close()


def command_lines_have(checkout: Checkout, words: str) -> bool:
    for process in checkout.processes():
        try:
            if words in " ".join(process.cmdline()):
                return True
        except psutil.NoSuchProcess:
            continue
    return False


@pytest.mark.parametrize("then", ["up", "down"])
@pytest.mark.parametrize("moment", ["initdb", "StorageTool", "kafka.Kafka"])
def test_a_command_killed_amid_up_leaves_what_the_next_one_puts_right(
    checkout: Checkout, moment: str, then: str
) -> None:
    command = checkout.begin("up", "postgres", "kafka")
    try:
        until(lambda: command_lines_have(checkout, moment) or command.poll() is not None, f"{moment} was running")
        assert command.poll() is None, "it ended by itself"
    except AssertionError as error:
        raise AssertionError(f"{error}\n{kill(command)}\n{checkout.state}") from error
    kill(command)
    assert command.returncode == -signal.SIGKILL
    if then == "up":
        again = checkout.parrot("up", "postgres", "kafka")
        assert again.returncode == 0, again.stderr
        status = checkout.status()
        assert status["postgres"]["healthy"]
        assert status["kafka"]["healthy"]
        assert answers(checkout)
    assert checkout.parrot("down").returncode == 0
    assert [process.cmdline() for process in checkout.processes()] == []


def test_ctrl_c_amid_up_is_said_plainly_and_the_next_up_continues(checkout: Checkout) -> None:
    command = checkout.begin("up", "postgres", "kafka")
    until(lambda: command_lines_have(checkout, "kafka.Kafka"), "kafka was starting")
    printed = kill(command, signal.SIGINT)
    assert command.returncode == 130
    assert printed.splitlines()[-1] == "interrupted; the same command may be given again"
    started = checkout.state.processes["kafka"]
    again = checkout.parrot("up", "postgres", "kafka")
    assert again.returncode == 0, again.stderr
    assert checkout.state.processes["kafka"] == started
    checkout.parrot("down")
    assert checkout.processes() == []


def test_a_killed_server_is_seen_and_started_again_with_its_data(checkout: Checkout) -> None:
    checkout.local.up(["postgres"])
    with psycopg.connect(**checkout.local.addresses().postgres) as connection:
        connection.execute("create table kept as select 7 as seven")
    before = checkout.status()["postgres"]
    os.kill(before["pid"], signal.SIGKILL)
    until(lambda: not psutil.pid_exists(before["pid"]) or not checkout.local.running(), "it had ended")
    dead = checkout.status()["postgres"]
    assert (dead["healthy"], dead["pid"], dead["memory"], dead["uptime"]) == (False, None, 0, 0.0)
    assert checkout.parrot("up", "postgres").returncode == 0
    after = checkout.status()["postgres"]
    assert after["healthy"]
    assert after["pid"] != before["pid"]
    assert after["address"] == before["address"]
    with psycopg.connect(**checkout.local.addresses().postgres) as connection:
        assert connection.execute("select seven from kept").fetchone() == (7,)
    checkout.local.down()
    assert checkout.processes() == []


def test_a_schema_keeps_its_id_when_the_registry_is_killed_and_started_again(checkout: Checkout) -> None:
    def call(path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{checkout.local.addresses().registry}{path}",
            json.dumps(body).encode() if body else None,
            {"Content-Type": "application/vnd.schemaregistry.v1+json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def register(name: str) -> int:
        schema = json.dumps({"type": "record", "name": name, "fields": []})
        return int(call(f"/subjects/{name}/versions", {"schema": schema})["id"])

    checkout.local.up(["registry"])
    first, second = register("first"), register("second")
    os.kill(checkout.status()["registry"]["pid"], signal.SIGKILL)
    checkout.local.up(["registry"])
    assert json.loads(call(f"/schemas/ids/{second}")["schema"])["name"] == "second"
    assert len({first, second, register("third")}) == 3
    checkout.local.down()
    assert checkout.processes() == []


def test_a_second_up_fetches_and_restarts_nothing(serving: Checkout) -> None:
    def seen() -> dict[Path, int]:
        folder = serving.cache.resolve() / "artefacts"
        return {path: path.stat().st_mtime_ns for path in folder.resolve().rglob("*") if path.is_file()}

    records, files = serving.state.processes, seen()
    # Through this proxy nothing can be reached: a fetch would fail.
    again = serving.parrot("up", "postgres", http_proxy="http://127.0.0.1:9", https_proxy="http://127.0.0.1:9")
    assert again.returncode == 0, again.stderr
    assert "postgres   was up after" in again.stderr
    assert serving.state.processes == records
    assert len(files) > 100
    assert seen() == files


def test_a_server_that_does_not_answer_in_time_is_an_error_with_the_end_of_its_log(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.local.up(["postgres"])
    os.kill(checkout.state.processes["postgres"].pid, signal.SIGSTOP)
    monkeypatch.setitem(COMPONENTS, "postgres", replace(COMPONENTS["postgres"], timeout_s=2.0))
    assert [one.healthy for one in checkout.local.status() if one.name == "postgres"] == [False]
    with pytest.raises(DistributionError) as error:
        checkout.local.up(["postgres"])
    assert "postgres was not ready within 2 s" in str(error.value)
    assert "database system is ready to accept connections" in str(error.value)
    os.kill(checkout.state.processes["postgres"].pid, signal.SIGCONT)
    until(lambda: checkout.status()["postgres"]["healthy"], "it answered again")
    checkout.local.down()
    assert checkout.processes() == []


def test_a_server_that_cant_start_is_an_error_with_its_own_words(checkout: Checkout) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", checkout.local.addresses().postgres["port"]))
        taken.listen()
        answer = checkout.parrot("up", "postgres")
    assert answer.returncode == 1
    assert "postgres ended while it was starting" in answer.stderr
    assert "could not bind IPv4 address" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert checkout.parrot("up", "postgres").returncode == 0
    checkout.parrot("down")


def test_starting_a_broker_prints_no_errors_and_needs_no_java_of_the_machine(checkout: Checkout) -> None:
    answer = checkout.parrot("up", "kafka", "--quiet", PATH="/nowhere", JAVA_HOME="")
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    (kafka,) = checkout.processes()
    assert Path(kafka.exe()).is_relative_to(checkout.local.cache / "trees")
    checkout.parrot("down")
    assert checkout.processes() == []


def test_the_password_is_nowhere_but_in_its_file(serving: Checkout) -> None:
    commands = (["up", "postgres"], ["status"], ["status", "--json"], ["logs", "postgres"])
    printed = [serving.parrot(*words) for words in commands]
    password = serving.state.secret("postgres")
    assert "ready to accept connections" in printed[-1].stdout
    for answer in printed:
        assert answer.returncode == 0
        assert password not in answer.stdout + answer.stderr
    for process in serving.processes():
        assert password not in " ".join(process.cmdline())
        assert password not in json.dumps(process.environ())
    files = [path for path in serving.folder.rglob("*") if path.is_file()]
    assert [path for path in files if password.encode() in path.read_bytes()] == [serving.folder / "secrets/postgres"]


def test_what_the_registry_sends_is_verified_for_real(tmp_path: Path) -> None:
    smallest = min((one for one in artefacts() if not one.is_python), key=lambda one: one.size)
    cache = Cache(tmp_path)
    assert cache.ensure([smallest], Silent()) == [smallest]
    assert cache.path(smallest).stat().st_size == smallest.size
    forged = replace(smallest, sha256="0" * 64)
    with pytest.raises(DistributionError, match=rf"{smallest.coordinate} arrived with SHA-256 {smallest.sha256}"):
        cache.ensure([forged], Silent())
    assert not cache.path(forged).exists()
