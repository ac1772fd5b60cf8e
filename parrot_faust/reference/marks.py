"""Made parts of a page: Markdown tables, and the marks between which they stand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

_MARKED = re.compile(r"<!-- made (\w+) -->\n.*?<!-- end -->", re.DOTALL)


def filled(text: str, parts: Mapping[str, Callable[[], str]]) -> str:
    """`text` with every marked part as the code has it. Raise KeyError for a mark of no part."""
    return _MARKED.sub(lambda mark: f"<!-- made {mark[1]} -->\n\n{parts[mark[1]]()}\n\n<!-- end -->", text)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; bars in a cell are written so that they stay in it."""
    lines = [list(head)]
    lines += [["---"] * len(lines[0]), *map(list, rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)
