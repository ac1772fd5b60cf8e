"""Importing costs nothing, the app is built on first use, and what is wrong is said in one line."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from faust.types.tuples import TP

from parrot_faust import parts
from parrot_faust.application import ParrotApp, configured_app, create_app
from parrot_faust.errors import SettingsError
from parrot_faust.own_packages import refuse_others
from parrot_faust.own_topics import changelogs
from parrot_faust.settings import Settings, load

SETTINGS = """
app: unit
source: {topics: 'shop[.].*'}
sinks: {kudu: {masters: ['127.0.0.1:1']}, hbase: {thrift: '127.0.0.1:2', thrift2: '127.0.0.1:3'}}
tables: {shop.public.orders: {sinks: [kudu]}}
"""
#: Ends the program at the first socket that is connected or bound, and the first thread or worker process started.
#: (A library asks the program `file` what kind of interpreter this is; that is no part of ours.)
GUARD = """
import multiprocessing.process, socket, sys, threading
def refuse(name):
    def refused(*arguments, **more):
        sys.exit(f"{name} was called")
    return refused
for name in ("connect", "connect_ex", "bind"):
    setattr(socket.socket, name, refuse(name))
threading.Thread.start = refuse("Thread.start")
multiprocessing.process.BaseProcess.start = refuse("Process.start")
"""


def python(code: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PARROT_")}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=clean | environ, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parrot.yaml").write_text(SETTINGS)
    return tmp_path


@pytest.fixture
def settings(folder: Path) -> Settings:
    return load(folder / "parrot.yaml", {})


@pytest.fixture
def app(settings: Settings) -> ParrotApp:
    return create_app(settings)


# -- importing -------------------------------------------------------------------------------------------------------


def test_importing_the_package_loads_nothing_heavy_and_starts_nothing(folder: Path) -> None:
    code = f"""{GUARD}
import parrot_faust
assert parrot_faust.__version__
heavy = {{"faust", "aiokafka", "aiohttp", "kudu", "happybase", "agents", "parrot_faust.application"}} & set(sys.modules)
sys.exit(f"loaded: {{heavy}}" if heavy else 0)
"""
    result = python(code, folder)
    assert (result.returncode, result.stderr) == (0, "")


def test_using_the_app_builds_it_once_and_connects_to_nothing(folder: Path) -> None:
    code = f"""{GUARD}
import parrot_faust
app = parrot_faust.app
assert parrot_faust.app is app
assert "faust" in sys.modules and "kudu" not in sys.modules
assert threading.active_count() == 1
print(app.conf.id, sorted(app.agents))
"""
    result = python(code, folder)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("unit ")
    for agent in ("changes", "dead_letters", "quality_rules", "schema_history", "kudu_writer", "hbase_writer"):
        assert agent in result.stdout


def test_a_name_that_the_package_does_not_have_is_an_attribute_error() -> None:
    import parrot_faust

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = parrot_faust.nothing


# -- what is wrong ---------------------------------------------------------------------------------------------------


def test_a_wrong_setting_ends_the_program_in_one_line(folder: Path) -> None:
    (folder / "parrot.yaml").write_text(SETTINGS + "snks: {}\n")
    result = python("import parrot_faust; parrot_faust.app", folder)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("parrot: parrot.yaml:")
    assert "did you mean sinks?" in result.stderr


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("parrot.yaml", SETTINGS.encode() + b"web: {port: 0}\n", "0 is no port"),
        ("parrot.yaml", b"\xff", "is not UTF-8"),
        ("quality_rules/a.yaml", b"table: t\ncolumns: {n: [be_purple]}\n", "be_purple"),
        ("quality_rules/a.yaml", b"\xff", "is not UTF-8"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_in_one_line_that_names_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, file: str, content: bytes, said: str
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.delenv("PARROT_CONFIG", raising=False)
    (folder / "quality_rules").mkdir()
    (folder / file).write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        configured_app.__wrapped__()
    message = str(ended.value)
    assert message.startswith(f"parrot: {file}")
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize("package", ["agents", "models"])
def test_a_package_of_another_distribution_that_comes_first_is_named_plainly(folder: Path, package: str) -> None:
    (folder / package).mkdir()
    (folder / package / "__init__.py").write_text("")
    result = python("import parrot_faust; parrot_faust.app", folder)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1, result.stderr
    assert f"`{package}` was found at {(folder / package).resolve()}" in result.stderr
    assert "another distribution" in result.stderr


def test_create_app_refuses_foreign_packages_too(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import agents

    refuse_others()
    spec: Any = agents.__spec__
    monkeypatch.setattr(spec, "origin", str(tmp_path / "agents" / "__init__.py"))
    with pytest.raises(SettingsError, match="another distribution"):
        create_app(settings)


# -- what is built ---------------------------------------------------------------------------------------------------


def test_a_table_goes_to_the_sinks_of_its_settings_and_others_to_all(app: ParrotApp) -> None:
    assert app.parts.sinks_of("shop.public.orders") == ("kudu",)
    assert app.parts.sinks_of("shop.public.customers") == ("kudu", "hbase")


def test_source_topics_are_taken_in_batches_and_the_projects_own_are_not_sources(app: ParrotApp) -> None:
    app.parts.sources = ["shop.public.orders"]
    groups = {topic: app.batch_group(topic) for topic in ("shop.public.orders", "unit.held", "unit.writes.kudu")}
    assert groups == {"shop.public.orders": "changes", "unit.held": "held", "unit.writes.kudu": "kudu"}
    for topic in ("unit.rules", "unit.schemas", "unit.sources", "unit-rules-changelog", "shop.public.unknown"):
        assert app.batch_group(topic) is None


async def test_only_matching_topics_that_carry_tables_are_sources(
    app: ParrotApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def topics() -> list[str]:
        return [
            "shop.b.t",
            "shop.a.t",
            "shop",
            "other.a.t",
            "unit.held",
            "shop.transaction",
            "__debezium-heartbeat.shop",
        ]

    monkeypatch.setattr(app.parts.admin, "topics", topics)
    assert await app.parts.lookout.topics() == ["shop.a.t", "shop.b.t"]


def test_the_view_is_there_before_the_group_is_joined(app: ParrotApp) -> None:
    view = app.parts.snapshot()
    assert {name: (sink["state"], sink["lag_chunks"]) for name, sink in view["sinks"].items()} == {
        "kudu": ("ok", 0),
        "hbase": ("ok", 0),
    }
    assert (view["app"], view["worker"], view["topics"]) == ("unit", os.getpid(), [])


class Taken(list[Any]):
    """A stream that has these batches."""

    async def __aiter__(self) -> Any:  # type: ignore[override]
        for item in list.__iter__(self):
            yield item


async def test_an_error_that_nobody_foresaw_stops_the_worker(
    app: ParrotApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fatal: list[BaseException] = []
    monkeypatch.setattr(app.parts, "fatal", fatal.append)
    busy: list[int] = []

    async def take(batch: Any) -> None:
        busy.append(app.parts.busy)
        if batch == 2:
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        await app.parts.run("changes", Taken([1, 2, 3]), take)
    assert [str(error) for error in fatal] == ["a bug"]
    assert (busy, app.parts.busy) == ([1, 1], 0)
    assert "stops so that nothing is lost" in caplog.text


async def test_chunks_wait_also_for_a_store_that_has_been_away_from_the_start(
    app: ParrotApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, others = TP("unit.writes.kudu", 1), TP("unit.held", 0)
    consumer = app.consumer
    monkeypatch.setattr(consumer, "assignment", lambda: {ours, others})
    monkeypatch.setattr(consumer, "highwater", lambda _: 30)
    first = consumer.ledger.open(ours, 10, 19)
    consumer.ledger.open(others, 0, 9)
    lag = lambda: [app.parts.snapshot()["sinks"][sink]["lag_chunks"] for sink in ("kudu", "hbase")]  # noqa: E731
    assert lag() == [20, 0]
    consumer.ledger.settle(first)
    assert lag() == [10, 0]


async def test_a_worker_ends_though_nobody_answers_its_last_commit(
    app: ParrotApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Dead:
        """A consumer whose thread has crashed."""

        def stop_flow(self) -> None:
            pass

        async def commit(self) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr(parts, "LAST_COMMIT_S", 0.05)
    monkeypatch.setattr(app, "consumer", Dead())
    async with asyncio.timeout(10):
        await app.parts.finish()
    assert "could not be committed" in caplog.text


def test_the_tables_changelogs_are_made_before_the_group_is_joined(app: ParrotApp) -> None:
    plans = {plan.name: plan for plan in changelogs(app.tables.values())}
    assert set(plans) == {f"unit-{table}-changelog" for table in ("rules", "schemas", "windows", "breakers")}
    assert all(plan.config["cleanup.policy"] == "compact" and plan.partitions >= 1 for plan in plans.values())
    assert plans["unit-windows-changelog"].config["max.message.bytes"] == str(16 << 20)
