from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from parrot_faust.distribution import Local, local
from parrot_faust.distribution.components import COMPONENTS, Component, Context
from parrot_faust.distribution.processes import Launch
from parrot_faust.errors import DistributionError

PATIENCE_S = 60.0  # only a failing test waits so long
SERVER = "import time; print('serving', flush=True); time.sleep(600)"
BROKEN = "print('no such file: server.conf'); raise SystemExit(1)"

Ready = Callable[[Context], bool]


def component(name: str, *needs: str, code: str = SERVER, ready: Ready = lambda _context: True) -> Component:
    """A component without artefacts, whose server is a line of Python."""
    return Component(
        name=name,
        version="1",
        bundles=(),
        processes=(name,),
        needs=needs,
        java=False,
        prepare=lambda _context: None,
        launches=lambda _context: [Launch(name, [sys.executable, "-c", code])],
        ready=ready,
        address=lambda _state: "127.0.0.1:1",
        timeout_s=PATIENCE_S,
    )


Make = Callable[..., Local]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes a distribution of these components; what it started is ended afterwards."""

    def of(*components: Component) -> Local:
        monkeypatch.setattr(local, "COMPONENTS", {one.name: one for one in components})
        return Local(tmp_path / "state", tmp_path / "cache")

    yield of
    Local(tmp_path / "state", tmp_path / "cache").down(list(local.COMPONENTS))


@pytest.mark.parametrize(("system", "machine"), [("Darwin", "arm64"), ("Linux", "aarch64"), ("FreeBSD", "x86_64")])
def test_another_platform_is_told_in_one_line_to_use_docker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, system: str, machine: str
) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    for command in (Local(tmp_path, tmp_path).up, Local(tmp_path, tmp_path).fetch):
        with pytest.raises(DistributionError) as error:
            command()
        assert "`docker compose up`" in str(error.value)
        assert f"{system} {machine}" in str(error.value)
        assert "\n" not in str(error.value)


def test_what_a_component_needs_is_started_before_it(make: Make) -> None:
    order: list[str] = []
    distribution = make(component("kafka"), component("connect", "kafka"), component("other"))
    distribution.up(["connect"], events=lambda name, what, _seconds: order.append(f"{name} {what}"))
    assert order == ["kafka starting", "kafka up", "connect starting", "connect up"]
    assert distribution.running() == {"kafka", "connect"}


def test_what_does_not_depend_on_each_other_starts_side_by_side(make: Make) -> None:
    together = threading.Barrier(2, timeout=PATIENCE_S)

    def meets(_context: Context) -> bool:
        together.wait()
        return True

    make(component("one", ready=meets), component("two", ready=meets)).up(["one", "two"])


def test_an_unknown_component_is_named_with_those_there_are(make: Make) -> None:
    with pytest.raises(DistributionError, match="no component 'oracle'; there are postgres, kafka"):
        make(component("postgres"), component("kafka")).up(["oracle"])


def test_what_runs_is_neither_started_nor_prepared_again(make: Make) -> None:
    prepared: list[str] = []
    one = replace(component("one"), prepare=lambda _context: prepared.append("one"))
    distribution = make(one)
    distribution.up(["one"])
    first = distribution.status()[0].pid
    heard: list[str] = []
    distribution.up(["one"], events=lambda _name, what, _seconds: heard.append(what))
    assert distribution.status()[0].pid == first
    assert prepared == ["one"]
    assert heard == ["was up"]


def test_a_server_that_is_never_ready_is_an_error_with_the_end_of_its_log(make: Make) -> None:
    def never(_context: Context) -> bool:
        raise ConnectionRefusedError("connection refused")

    slow = replace(component("slow", ready=never), timeout_s=1.0)
    distribution = make(slow)
    with pytest.raises(DistributionError) as error:
        distribution.up(["slow"])
    assert "slow was not ready within 1 s (ConnectionRefusedError: connection refused)" in str(error.value)
    assert "serving" in str(error.value)
    assert distribution.running() == {"slow"}  # it stays, for a look at its log


def test_a_server_that_ends_at_once_is_an_error_with_its_log(make: Make) -> None:
    with pytest.raises(DistributionError, match=r"bad ended while it was starting\n(.|\n)*no such file: server.conf"):
        make(component("bad", code=BROKEN, ready=lambda _context: False)).up(["bad"])


def test_when_one_fails_the_others_are_not_waited_for(make: Make) -> None:
    distribution = make(
        component("bad", code=BROKEN, ready=lambda _context: False),
        replace(component("slow", ready=lambda _context: False), timeout_s=2 * PATIENCE_S),
    )
    began = time.monotonic()
    with pytest.raises(DistributionError, match="bad ended while it was starting"):
        distribution.up(["bad", "slow"])
    assert time.monotonic() - began < PATIENCE_S
    assert distribution.running() == {"slow"}


def test_down_ends_what_needs_another_before_that(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution = make(component("kafka"), component("connect", "kafka"), component("other"))
    distribution.up(["kafka", "connect", "other"])
    ended = distribution.down(["kafka", "connect", "other"])
    assert sorted(ended) == ["connect", "kafka", "other"]
    assert ended.index("connect") < ended.index("kafka")
    assert distribution.running() == set()
    assert distribution.down(["kafka", "connect", "other"]) == []


def test_a_component_that_does_not_answer_is_not_healthy(make: Make) -> None:
    answers = threading.Event()
    answers.set()

    def asked(_context: Context) -> bool:
        if not answers.is_set():
            raise TimeoutError("no answer")
        return True

    distribution = make(component("one", ready=asked), component("two"))
    distribution.up(["one"])
    one, two = distribution.status()
    assert (one.healthy, two.healthy, two.pid, two.memory, two.uptime) == (True, False, None, 0, 0.0)
    assert one.memory > 1_000_000
    assert 0 <= one.uptime < 60
    answers.clear()
    assert not distribution.status()[0].healthy
    assert distribution.status()[0].pid == one.pid


def test_every_component_listens_on_loopback_only_by_its_address(tmp_path: Path) -> None:
    addresses = Local(tmp_path / "state", tmp_path / "cache").addresses()
    every = [addresses.kafka, addresses.hbase_thrift, addresses.hbase_thrift2, *addresses.kudu_masters]
    every += [url.split("//")[1] for url in (addresses.registry, addresses.registry_native, addresses.connect)]
    assert {address.split(":")[0] for address in every} == {"127.0.0.1"}
    assert addresses.postgres["host"] == "127.0.0.1"


def test_a_broker_that_does_not_listen_is_asked_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from parrot_faust.distribution.fetch import Cache
    from parrot_faust.distribution.state import State

    context = Context(State.load(tmp_path), Cache(tmp_path), None)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", context.state.port("kafka")))  # bound, and nobody listens
        with pytest.raises(OSError, match="refused"):
            COMPONENTS["kafka"].ready(context)
    assert caplog.records == []
