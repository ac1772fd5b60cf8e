"""Great Expectations as the judge: a frame of columns of objects, and what its pandas engine says of a suite."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when the package is imported

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd


@dataclass(frozen=True)
class Verdict:
    """What it says of one expectation: which rows are unexpected, or that it raised."""

    success: bool
    unexpected: frozenset[int]
    raised: str


class Oracle:
    """Validates suites on frames. One context for all: making one costs a second."""

    def __init__(self) -> None:
        self._context = gx.get_context(mode="ephemeral")
        self._context.enable_analytics(enable=False)
        self._context.variables.progress_bars = {"globally": False}
        self._count = 0

    def judge(self, columns: Mapping[str, Sequence[Any]], suite: Mapping[str, Any]) -> list[Verdict]:
        """Return a verdict for each expectation of the suite's JSON, in its order."""
        self._count += 1
        frame = pd.DataFrame({name: pd.Series(list(values), dtype=object) for name, values in columns.items()})
        source = self._context.data_sources.add_pandas(f"source{self._count}")
        asset = source.add_dataframe_asset("asset")
        batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
        verdicts = []
        made = gx.ExpectationSuite(name=f"suite{self._count}")
        for number, one in enumerate(suite["expectations"]):
            kind = getattr(gxe, "".join(part.title() for part in one["type"].split("_")))
            made.add_expectation(kind(**one["kwargs"], meta={"number": number}))
        result = batch.validate(made, result_format={"result_format": "COMPLETE"})
        for one in sorted(result.results, key=lambda one: one.expectation_config.meta["number"]):
            infos = [info for info in one.exception_info.values() if isinstance(info, dict)] or [one.exception_info]
            raised = next((str(info["exception_message"]) for info in infos if info.get("raised_exception")), "")
            found = one.result.get("unexpected_index_list") or []
            verdicts.append(Verdict(bool(one.success), frozenset(found), raised))
        self._context.data_sources.delete(f"source{self._count}")
        return verdicts
