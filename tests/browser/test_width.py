"""On a screen as most have it nothing that pages say is cut off."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from visiting import Visitor

#: What is wider than its frame, once every table of the first page has been verified.
CUT_OFF = """() => {
  for (const cell of document.querySelectorAll('th'))
    if (cell.innerText === 'verified') for (const line of cell.closest('table').tBodies[0].rows)
      line.cells[cell.cellIndex].innerHTML = '<span class=good>explained</span> <i>22 min ago</i>';
  return [...document.querySelectorAll('.wide')].filter(frame => frame.scrollWidth > frame.clientWidth)
    .map(frame => `${frame.querySelector('thead').innerText}: ${frame.scrollWidth} > ${frame.clientWidth}`);
}"""


def test_no_table_of_the_first_page_is_wider_than_its_frame(visit: Callable[..., Visitor]) -> None:
    page = visit(viewport={"width": 1280, "height": 800}).open("/")
    assert page.locator("th").nth(8).inner_text() == "verified"
    assert page.evaluate(CUT_OFF) == []


@pytest.mark.parametrize("path", ["/quality", "/schema", "/errors", "/agents", "/cluster"])
def test_no_table_of_another_page_is(visit: Callable[..., Visitor], path: str) -> None:
    assert visit(viewport={"width": 1280, "height": 800}).open(path).evaluate(CUT_OFF) == []
