"""What `parrot bench tables` writes, and what it says of a table's memory."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from models import Op
from parrot_faust.bench.tables import FEW, Tables, grown, insert
from parrot_faust.choices import sink_specs, source_topics
from parrot_faust.cli import cli
from parrot_faust.codec import Decoder
from parrot_faust.names import Names
from parrot_faust.settings import load
from parrot_faust.sinks.factory import target_of


@dataclass
class Record:
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()


def test_what_is_written_is_read_as_inserts_of_one_shape() -> None:
    records = []
    for offset, row in enumerate((1, 2)):
        value, key = insert("wide1.public.t7", row)
        records.append(Record(offset, key, value))
    decoded = Decoder(format="json").decode("wide1.public.t7", records)
    assert not decoded.failures
    (segment,) = decoded.segments
    assert (segment.schema.key, segment.schema.relation) == (("id",), "t7")
    assert [(change.op, change.key) for change in segment.changes] == [(Op.CREATE, (1,)), (Op.CREATE, (2,))]


ADDRESSES = SimpleNamespace(kafka="h:1", kudu_masters=("h:2",), hbase_thrift="h:3", hbase_thrift2="h:4")


def bench(folder: Path, sinks: list[str], tables: int = 3) -> Tables:
    local: Any = SimpleNamespace(addresses=lambda: ADDRESSES)
    return Tables(local, folder, sinks, tables, 1)


@pytest.mark.parametrize("sinks", [["kudu"], ["kudu", "hbase"]])
def test_its_settings_mean_its_topics_and_its_tables_in_the_stores(tmp_path: Path, sinks: list[str]) -> None:
    made = bench(tmp_path, sinks)
    file = tmp_path / "parrot.yaml"
    file.write_text(made._settings(1), encoding="utf-8")
    settings = load(file)
    assert source_topics(settings, Names(settings.app), [*made._topics, "other.public.t1"]) == made._topics
    value, key = insert(made._topics[0], 1)
    shape = Decoder(format="json").decode(made._topics[0], [Record(0, key, value)]).segments[0].schema
    assert {spec.kind: target_of(spec, shape) for spec in sink_specs(settings)} == dict.fromkeys(
        sinks, made._targets[0]
    )


def test_each_stage_is_noted_when_the_last_table_has_reached_it(tmp_path: Path) -> None:
    class Worker:
        """Has sent on all rows at the second look, and one in the store more at each."""

        log = tmp_path / "worker.log"
        looks = 0

        def stats(self) -> dict[str, Any]:
            self.looks += 1
            return {
                "memory": 1_000,
                "sources": {f"t{number}": {"forwarded": int(self.looks > 1)} for number in range(3)},
                "sinks": {
                    "kudu": {
                        "pid": os.getpid(),
                        "tables": {f"t{number}": {"applied": int(self.looks > number)} for number in range(3)},
                    }
                },
            }

    worker: Any = Worker()
    stages: dict[str, float] = {"ready": 0.0}
    memory = bench(tmp_path, ["kudu"])._follow(worker, time.perf_counter(), stages, 1, lambda _: None)
    assert worker.looks == 3
    assert list(stages) == ["ready", "sent on", "kudu"]
    assert memory["worker"] == 1_000
    assert memory["kudu writer"] > 1_000_000


def test_memory_of_a_table_is_that_of_those_beyond_the_few() -> None:
    assert grown(1_000, 11_000, FEW + 100) == 100


def test_without_a_running_distribution_the_command_says_how_to_start_it(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARROT_STATE", str(tmp_path))
    outcome = CliRunner().invoke(cli, ["bench", "tables", "--sink", "kudu"])
    assert outcome.exit_code == 1
    assert "kafka, kudu not running" in outcome.stderr
