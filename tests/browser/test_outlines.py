"""The pictures in docs/images show pages as they are: their outlines are those of the running demo's pages."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import screenshots
from outlines import FILE, IMAGES, NOTHING, outline, read, same, written
from pictures import PICTURES, Picture
from visiting import Visitor

KEPT = read(FILE.read_text(encoding="utf-8"))
PAGE = [
    "title Tables",
    "h1 Tables",
    "h2 Tables",
    "field Find it",
    "columns table | state",
    "h2 Stores",
    "columns store",
]


@pytest.mark.parametrize("picture", PICTURES, ids=[each.name for each in PICTURES])
def test_a_picture_shows_the_page_as_it_is(visit: Callable[..., Visitor], picture: Picture) -> None:
    shown = outline(visit().open(picture.path))
    assert same(shown, KEPT[picture.name]), f"run make screenshots: {picture.path} is another than {picture.name}.png"


def test_every_picture_is_there_and_none_is_left_over() -> None:
    named = {each.name for each in PICTURES}
    assert {path.stem for path in IMAGES.glob("*.png")} == named == set(KEPT)
    assert sum(path.stat().st_size for path in IMAGES.iterdir()) < 2_000_000


def test_the_command_that_makes_them_starts() -> None:
    """By itself, without what pytest has found for the tests."""
    command = [sys.executable, str(Path(screenshots.__file__)), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_an_outline_is_read_as_it_was_written() -> None:
    assert read(written({"a": PAGE, "b": ["title B"]})) == {"a": PAGE, "b": ["title B"]}


def with_line(place: int, *lines: str) -> list[str]:
    return [*PAGE[:place], *lines, *PAGE[place + 1 :]]


@pytest.mark.parametrize(
    "other",
    [
        with_line(1, "h1 Lists"),
        with_line(2),
        with_line(3, "field Find"),
        with_line(4, "columns state | table"),
        with_line(4, NOTHING, "count rows"),
        with_line(6),
        [*PAGE, "h2 More"],
    ],
    ids=["heading", "no heading", "field", "columns", "nothing but more", "no columns", "section"],
)
def test_another_page_is_told(other: list[str]) -> None:
    assert not same(PAGE, other)
    assert not same(other, PAGE)


def test_what_has_no_data_now_may_have_had_some() -> None:
    assert same(PAGE, with_line(4, NOTHING))
    assert same(with_line(6, NOTHING), PAGE)
