"""The table of expectations in `docs/rules.md`, made of the vocabulary. Write it anew after one has changed::

python -m parrot_faust.quality.reference
"""

from __future__ import annotations

import sys
from pathlib import Path

from parrot_faust.quality.expectations import EXPECTATIONS, Expectation, Scope, short_name
from parrot_faust.quality.refused import NOT_HERE

BEGIN, END = "<!-- expectations -->", "<!-- end of expectations -->"
_HOW = {
    Scope.ROW: "gate",
    Scope.CHANGE: "gate, on updates",
    Scope.WINDOW: "window",
    Scope.SHAPE: "table's shape",
}


def table() -> str:
    """The supported expectations and the refused ones, as Markdown."""
    lines = ["| name | judged | arguments |", "|---|---|---|"]
    lines += [f"| `{short_name(name)}` | {_HOW[one.scope]} | {_arguments(one)} |" for name, one in EXPECTATIONS.items()]
    lines += ["", "Refused by name:", "", "| name | because |", "|---|---|"]
    lines += [f"| `{name}` | {reason} |" for name, reason in sorted(NOT_HERE.items())]
    return "\n".join(lines)


def _arguments(one: Expectation) -> str:
    needed = {*one.needed()} - {"column"}
    named = [f"`{name}`" if name in needed else f"[`{name}`]" for name in one.named() if name != "column"]
    return ", ".join(named)


def replaced(text: str) -> str:
    """The document with the table of today."""
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


def main() -> None:
    """Write the table into the document."""
    file = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/rules.md")
    file.write_text(replaced(file.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
