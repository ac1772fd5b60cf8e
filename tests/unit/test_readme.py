"""What README shows of other pages is as it is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_alternatives_are_told_as_on_their_page() -> None:
    section = README.partition("## Beside the alternatives\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\|.*$", section, re.MULTILINE)
    assert len(rows) > 5
    whole = (ROOT / "docs" / "alternatives.md").read_text(encoding="utf-8").splitlines()
    assert [row for row in rows if row not in whole] == []


def test_what_readme_leads_to_is_there() -> None:
    found = re.findall(r"\]\(([^)#]+)|(?:src|srcset)=\"([^\"]+)\"", README)
    paths = [link or picture for link, picture in found]
    assert len(paths) > 20
    assert [path for path in paths if "://" not in path and not (ROOT / path).exists()] == []
