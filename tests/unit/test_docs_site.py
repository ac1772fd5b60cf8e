"""The documentation as a site: it builds strictly, every page is in it, and nothing in it comes from another host."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: What a browser loads by itself, and the attribute that names it; a link is followed by a person only.
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}


class _Loads(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if (name := LOADED.get(tag)) and (value := dict(attrs).get(name)):
            self.found.add(value)


def build(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder), *options]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_in_the_site(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    assert len(pages) > 10
    assert {path.relative_to(site) for path in site.rglob("*.html")} - {Path("404.html")} == pages


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    for page in site.rglob("*.html"):
        reader = _Loads()
        reader.feed(page.read_text(encoding="utf-8"))
        assert len(reader.found) > 2, page
        assert [address for address in reader.found if urlsplit(address).netloc] == [], page
    for style in site.rglob("*.css"):
        addresses = re.findall(r"url\(([^)]*)\)", style.read_text(encoding="utf-8"))
        assert [address for address in addresses if urlsplit(address.strip("\"'")).netloc] == [], style


def test_tables_and_lists_are_rendered_as_such(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = re.sub(r"<pre.*?</pre>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert re.findall(r"^(?:<p>)?(?:\| |- ).*", text, re.MULTILINE) == [], page


@pytest.mark.parametrize("link", ["[x](no-such-page.md)", "[x](index.md#no-such-heading)", "[x](/rules.md)"])
def test_a_link_to_nowhere_is_refused(tmp_path: Path, link: str) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text(f"# Home\n\n{link}\n", encoding="utf-8")
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("nav:\n  - ")[0]
    (tmp_path / "mkdocs.yml").write_text(settings, encoding="utf-8")
    refused = build(tmp_path / "site", "--config-file", str(tmp_path / "mkdocs.yml"))
    assert refused.returncode == 1
    assert "Aborted with 1 warnings in strict mode" in refused.stderr + refused.stdout


class _Pictures(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.said: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "img" and "images/" in (found.get("src") or ""):
            self.said[Path(urlsplit(found["src"] or "").path).name] = found.get("alt") or ""


def test_every_picture_is_shown_and_says_in_words_what_is_on_it(site: Path) -> None:
    reader = _Pictures()
    for page in site.rglob("*.html"):
        reader.feed(page.read_text(encoding="utf-8"))
    assert {*reader.said} == {path.name for path in (ROOT / "docs" / "images").glob("*.png")}
    assert [name for name, words in reader.said.items() if len(words) < 20] == []
    assert not list(site.rglob("outlines.txt"))
