"""`parrot bench schema`: it measures what it says, of changes that were all sent on."""

from __future__ import annotations

import asyncio
import json

import pytest
from click.testing import CliRunner

from parrot_faust.bench.pipeline import PipelineReport
from parrot_faust.bench.schema import BATCH, CASES, TOPIC, World, _batches
from parrot_faust.cli.bench import bench
from parrot_faust.errors import ParrotError


def test_it_measures_each_case_and_what_its_cost_is_of() -> None:
    result = CliRunner().invoke(bench, ["schema", "--changes", "1000", "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert set(report["costs"]) == set(CASES)
    for cost in report["costs"].values():
        assert cost["whole"] > 0
        assert cost["schema"] == pytest.approx(sum(cost["parts"].values()), abs=0.01)
        assert set(cost["parts"]) == {"its shape", "their place", "bringing rows there"}


@pytest.mark.parametrize(("case", "width"), [("as it was made", 10), ("a column dropped, two added", 11)])
def test_rows_are_brought_into_the_shape_that_the_case_has_in_the_stores(case: str, width: int) -> None:
    async def run() -> World:
        world = World(CASES[case])
        await world.take(_batches(BATCH)[0])
        with pytest.raises(ParrotError, match="nothing was measured"):
            world.check(2 * BATCH)
        return world

    world = asyncio.run(run())
    world.check(BATCH)
    places = world.book.places(world.shape, ("kudu", "hbase")) or {}
    assert {len(place.schema.columns) for place in places.values() if place} == {width}
    assert world.shape.table == TOPIC
    assert len(world.rows(3)) == 3


def test_the_share_is_of_the_worker_and_its_writers() -> None:
    cpu = {"worker": 2.0, "kudu writer": 1.0, "kafka": 9.0}
    report = PipelineReport("avro", ["kudu"], 1, 1.0, 1, cpu, 1, 1.0, 1, True, "a machine")
    assert report.with_shapes(0.3).schema_share == 0.01
