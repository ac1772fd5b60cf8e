"""The table of expectations in `docs/rules.md`, made of the vocabulary and of what was compared with Great
Expectations (`docs/agreement.json`). Write it anew after one has changed::

python -m parrot_faust.quality.reference
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parrot_faust.quality.expectations import EXPECTATIONS, Expectation, Scope, short_name
from parrot_faust.quality.refused import NOT_HERE

BEGIN, END = "<!-- expectations -->", "<!-- end of expectations -->"
_HOW = {
    Scope.ROW: "gate",
    Scope.CHANGE: "gate, on updates",
    Scope.WINDOW: "window",
    Scope.SHAPE: "table's shape",
}
#: What Great Expectations has and no run compares, and why.
_NOT_COMPARED = {"expect_column_type_to_be": "not compared: there it is the frame's own type"}


def table(agreement: Mapping[str, Any]) -> str:
    """The supported expectations and the refused ones, as Markdown. `agreement` is what a run has compared."""
    compared = agreement["expectations"]
    lines = [*_summary(agreement), "", "| name | judged | arguments | verdicts that agreed |", "|---|---|---|---|"]
    lines += [
        f"| `{short_name(name)}` | {_HOW[one.scope]} | {_arguments(one)} | {_agreed(name, compared)} |"
        for name, one in EXPECTATIONS.items()
    ]
    lines += ["", "Refused by name:", "", "| name | because |", "|---|---|"]
    lines += [f"| `{name}` | {reason} |" for name, reason in sorted(NOT_HERE.items())]
    return "\n".join(lines)


def _summary(agreement: Mapping[str, Any]) -> list[str]:
    counts = agreement["expectations"].values()
    verdicts, rows, left = (sum(one[word] for one in counts) for word in ("verdicts", "rows", "left_out"))
    return [
        f"Compared with Great Expectations {agreement['version']} (pandas engine) in one run of the test named above,",
        f"{agreement['suites']:,} generated suites over frames of {agreement['rows_of_a_frame']} rows of odd values:",
        f"{verdicts:,} of {verdicts:,} verdicts of expectations agreed, and {rows:,} of {rows:,} of single rows.",
        f"{left:,} more were left out, because there Great Expectations raises by mistake. The last column counts both",
        'by name; "own" is what Great Expectations does not have.',
    ]


def _agreed(name: str, compared: Mapping[str, Any]) -> str:
    """How often an expectation was judged alike: as a whole, and where it is about rows, row by row."""
    if name in _NOT_COMPARED:
        return _NOT_COMPARED[name]
    if name not in compared:
        return "own"
    one = compared[name]
    rows = f"; {one['rows']:,} rows" if one["rows"] else ""
    return f"{one['verdicts']:,}{rows}"


def _arguments(one: Expectation) -> str:
    needed = {*one.needed()} - {"column"}
    named = [f"`{name}`" if name in needed else f"[`{name}`]" for name in one.named() if name != "column"]
    return ", ".join(named)


def replaced(text: str, agreement: Mapping[str, Any]) -> str:
    """The document with the table of today."""
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n{table(agreement)}\n{END}{rest.partition(END)[2]}"


def main() -> None:
    """Write the table into the document."""
    file = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/rules.md")
    agreement = json.loads(file.with_name("agreement.json").read_text(encoding="utf-8"))
    file.write_text(replaced(file.read_text(encoding="utf-8"), agreement), encoding="utf-8")


if __name__ == "__main__":
    main()
