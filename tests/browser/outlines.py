"""What a page is made of, without its data: title, headings, columns, fields and buttons, in order, as lines of text.

The outlines of the pages that docs/images shows are kept beside the pictures, so that it is known when those are old.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from playwright.sync_api import Page

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
FILE = IMAGES / "outlines.txt"
NOTHING = "nothing to show"
COLUMNS = "columns"

#: Cells and articles hold data, and so do the links and buttons in them.
_READ = """() => {
  const lines = ['title ' + document.title];
  const said = node => (node.textContent || '').replace(/\\s+/g, ' ').trim();
  const kinds = {
    H1: node => 'h1 ' + said(node), H2: node => 'h2 ' + said(node), DT: node => 'fact ' + said(node),
    FIGCAPTION: node => 'chart ' + (node.firstChild ? said(node.firstChild) : ''),
    LABEL: node => 'field ' + said(node), BUTTON: node => 'button ' + said(node),
    THEAD: node => 'columns ' + [...node.querySelectorAll('th')].map(said).join(' | '),
    NAV: node => 'links ' + [...node.querySelectorAll('a')].map(said).join(' | '),
    P: node => node.classList.contains('empty') ? 'nothing to show' : '',
    DIV: node => node.classList.contains('card') ? 'count ' + said(node.lastElementChild) : '',
  };
  for (const node of document.body.querySelectorAll('*')) {
    if (node.closest('tbody, article')) continue;
    const line = kinds[node.tagName]?.(node);
    if (line) lines.push(line);
  }
  return lines;
}"""


def outline(page: Page) -> list[str]:
    """The outline of what a browser shows."""
    lines: list[str] = page.evaluate(_READ)
    return lines


def written(outlines: Mapping[str, list[str]]) -> str:
    """Outlines by the name of their picture, as the text of a file."""
    return "\n".join("\n".join([f"# {name}", *lines, ""]) for name, lines in outlines.items())


def read(text: str) -> dict[str, list[str]]:
    """What `written` has made."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("# "):
            lines = found.setdefault(line.removeprefix("# "), [])
        elif line:
            lines.append(line)
    return found


def same(one: list[str], other: list[str]) -> bool:
    """Whether two outlines are of the same page. What either has no data for has no columns there."""
    these, those = _sections(one), _sections(other)
    return len(these) == len(those) and all(_alike(*pair) for pair in zip(these, those, strict=True))


def _sections(lines: list[str]) -> list[list[str]]:
    """Lines from one heading to the next; a chart heads its own, because each may have nothing to show."""
    found: list[list[str]] = [[]]
    for line in lines:
        if line.startswith(("h1 ", "h2 ", "chart ")):
            found.append([])
        found[-1].append(line)
    return found


def _alike(one: list[str], other: list[str]) -> bool:
    ignored = (NOTHING, COLUMNS) if NOTHING in one or NOTHING in other else (NOTHING,)
    return [line for line in one if not line.startswith(ignored)] == [
        line for line in other if not line.startswith(ignored)
    ]
