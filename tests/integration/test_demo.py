"""The demo as a user runs it, what can be looked at afterwards, and that every command in the README is run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from parrot_faust.distribution import Local

TOP = Path(__file__).resolve().parents[2]
PARROT = Path(sys.executable).with_name("parrot")
TABLES = [f"shop.public.{table}" for table in ("customers", "products", "orders", "order_lines")]
STORES = ("kudu", "hbase")

#: The README's commands, and what holds them. `make test` is what runs this file, `make demo` runs `parrot demo`.
README_COMMANDS = {
    "git clone <this repository> parrot-faust && cd parrot-faust": "the reader's own",
    "make demo": "test_make_hands_arguments_to_the_demo",
    "make test": "CI",
    ".venv/bin/parrot demo --once --json report.json": "the fixture demo",
    ".venv/bin/parrot up": "tests/integration/test_distribution.py",
    ".venv/bin/parrot status": "test_readme_commands_run",
    ".venv/bin/parrot sql 'select * from orders order by id limit 5'": "test_readme_commands_run",
    ".venv/bin/parrot rows kudu public.orders --limit 5": "test_readme_commands_run",
    ".venv/bin/parrot rows hbase public.orders --limit 5": "test_readme_commands_run",
    ".venv/bin/parrot deadletters list": "tests/integration/test_dead_letters.py",
    ".venv/bin/parrot deadletters replay --reason UnknownSchema --dry-run": "tests/integration/test_dead_letters.py",
    ".venv/bin/parrot down": "tests/integration/test_distribution.py",
    ".venv/bin/parrot init --local --postgres postgresql://me@localhost/mydb --prefix mine": (
        "tests/integration/test_init.py"
    ),
    "export PARROT_SOURCE_PASSWORD=secret": "tests/integration/test_init.py",
    ".venv/bin/parrot connector create mine connector.json": "tests/integration/test_init.py",
    ".venv/bin/parrot check": "tests/integration/test_init.py",
    ".venv/bin/faust -A parrot_faust worker": "tests/integration/test_pipeline.py",
    ".venv/bin/parrot verify": "tests/integration/test_verify.py",
    ".venv/bin/parrot verify --repair": "tests/integration/test_verify.py",
    ".venv/bin/parrot bench verify": "tests/integration/test_verify.py",
    ".venv/bin/parrot bench transport": "tests/integration/test_bench_transport.py",
    ".venv/bin/parrot bench schema": "tests/unit/bench/test_schema_bench.py",
    ".venv/bin/parrot bench pipeline": "test_the_pipeline_s_bench_applies_everything_it_measures",
}


def parrot(local: Local, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PARROT_STATE": str(local.folder)}
    return subprocess.run([PARROT, *arguments], env=environment, capture_output=True, text=True, timeout=400)


@pytest.fixture(scope="module")
def demo(local: Local, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    file = tmp_path_factory.mktemp("demo") / "report.json"
    done = parrot(local, "demo", "--once", "--changes", "2500", "--json", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(file.read_text()), done.stdout


def test_the_demo_ends_with_source_kudu_and_hbase_equal(demo: tuple[dict[str, Any], str]) -> None:
    report, text = demo
    assert report["equal"] is True
    assert sorted(report["tables"]) == sorted(TABLES)
    for table in report["tables"].values():
        assert table["source"] == table["kudu"] == table["hbase"] > 0
        assert table["differences"] == 0
    assert "every change is accounted for" in text


def test_every_captured_change_is_accounted_for_once(demo: tuple[dict[str, Any], str]) -> None:
    changes = demo[0]["changes"]
    assert changes["captured"] > 2500
    held_back = sum(changes[name] for name in ("quarantined", "dropped", "dead_lettered", "tombstones"))
    for sink in STORES:
        assert changes["applied"][sink] + held_back == changes["captured"]
    assert changes["dead_lettered"] == 1
    assert min(changes["quarantined"], changes["dropped"], changes["tombstones"]) > 0
    assert sum(rule["failed"] for rule in demo[0]["rules"]) >= changes["quarantined"] + changes["dropped"]


def test_the_added_column_reached_both_stores(demo: tuple[dict[str, Any], str]) -> None:
    added = [change for change in demo[0]["schema_changes"] if change["change"] == "AddColumn"]
    assert {change["sink"] for change in added if change["table"] == "shop.public.orders"} >= set(STORES)
    assert all(demo[0]["visible_ms"][sink]["p50"] > 0 for sink in STORES)


def test_a_rule_was_loosened_live_and_what_it_held_was_let_through(
    local: Local, demo: tuple[dict[str, Any], str]
) -> None:
    loosened = demo[0]["loosened"]
    assert loosened["version"] != loosened["before"]
    assert loosened["outcomes"]["applied"] == 1
    assert "a rule loosened live" in demo[1]
    for store in STORES:
        (row,) = json.loads(parrot(local, "rows", store, "public.orders", "--key", "1000000001", "--json").stdout)
        assert float(row["total"]) == 250_000


@pytest.mark.parametrize(
    ("table", "key", "told"),
    [("orders", ["id"], "customer_id"), ("order_lines", ["order_id", "line_no"], "product_id")],
)
def test_rows_agree_with_the_source(
    local: Local, demo: tuple[dict[str, Any], str], table: str, key: list[str], told: str
) -> None:
    """Every row of the stores, by its key and a column that no rule of the demo ever holds back."""

    def by_key(text: str) -> dict[tuple[Any, ...], Any]:
        return {tuple(row[name] for name in key): row[told] for row in json.loads(text)}

    asked = parrot(local, "sql", f"select * from {table}", "--json")
    assert asked.returncode == 0, asked.stderr
    source = by_key(asked.stdout)
    for store in STORES:
        shown = parrot(local, "rows", store, f"public.{table}", "--limit", "100000", "--json")
        assert shown.returncode == 0, shown.stderr
        found = by_key(shown.stdout)
        assert len(found) >= demo[0]["tables"][f"shop.public.{table}"]["source"]
        assert found == {identity: source[identity] for identity in found}


def test_a_single_row_is_found_by_its_key(local: Local, demo: tuple[dict[str, Any], str]) -> None:
    (order,) = json.loads(
        parrot(local, "sql", "select id, customer_id from orders order by id limit 1", "--json").stdout
    )
    for store in STORES:
        found = json.loads(parrot(local, "rows", store, "public.orders", "--key", str(order["id"]), "--json").stdout)
        assert [(row["id"], row["customer_id"]) for row in found] == [(order["id"], order["customer_id"])]


def test_a_table_that_is_not_there_is_said_plainly(local: Local, demo: tuple[dict[str, Any], str]) -> None:
    done = parrot(local, "rows", "kudu", "public.nothing")
    assert done.returncode == 1
    assert "nothing" in done.stderr
    assert "Traceback" not in done.stderr


def plain(output: str) -> list[str]:
    """The report's lines without numbers and the width of columns; of rows sent again only that some were applied."""
    lines = [re.sub(r"\d[\d,.]*", "0", " ".join(line.split())) for line in output.splitlines()]
    lines = [re.sub(r"(?<=sent again 0 applied).*", "", line) for line in lines]
    return lines[next(place for place, line in enumerate(lines) if line.startswith("table source")) :]


def test_the_readme_shows_what_the_demo_prints(demo: tuple[dict[str, Any], str]) -> None:
    text = (TOP / "README.md").read_text(encoding="utf-8")
    (shown,) = (block for block in re.findall(r"(?:^    .*\n)+", text, re.MULTILINE) if "table  " in block)
    assert plain(shown) == plain(demo[1])


def test_make_hands_arguments_to_the_demo() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "demo", "ARGS=--changes 5"], cwd=TOP, capture_output=True, text=True, check=True
    )
    assert ".venv/bin/parrot demo --changes 5" in done.stdout


def readme_commands() -> list[str]:
    blocks = re.findall(
        r"^```sh\n(.*?)^```$", (TOP / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def test_every_command_in_the_readme_is_run_somewhere() -> None:
    assert set(readme_commands()) == set(README_COMMANDS)


@pytest.mark.parametrize(
    "command", [name for name, held in README_COMMANDS.items() if held == "test_readme_commands_run"]
)
def test_readme_commands_run(local: Local, demo: tuple[dict[str, Any], str], command: str) -> None:
    environment = {**os.environ, "PARROT_STATE": str(local.folder)}
    done = subprocess.run(command, shell=True, cwd=TOP, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 5


def test_the_pipeline_s_bench_applies_everything_it_measures(local: Local) -> None:
    done = parrot(local, "bench", "pipeline", "--changes", "10000", "--format", "avro", "--json")
    assert done.returncode == 0, done.stderr
    (report,) = json.loads(done.stdout)
    assert 0 < report["changes"] <= 10_000
    assert report["cpu_s_per_100k"]["worker"] > 0
    assert report["cpu_s_per_100k"]["kudu writer"] > 0
