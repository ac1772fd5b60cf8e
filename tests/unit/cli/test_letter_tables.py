"""How dead letters look on a terminal: nothing in them is taken for markup, and bytes are shown as they are."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from rich.console import Console

from models import CutPart, DeadLetter, Fate, Place, Resolution, Stage
from parrot_faust.cli.letter_tables import group_table, letter_table, letter_view, outcome_table, shown
from parrot_faust.delivery.resolutions import Resolutions
from parrot_faust.letters.kept import Filing, Kept, collapse, groups

LETTER = DeadLetter(
    "shop.public.orders",
    0,
    17,
    b'{"id": 1}',
    b"[red]x[/red]",
    Stage.WRITE,
    "ValueRefused",
    "column [bold]note[/bold]: too large",
    "kudu",
    headers=(("trace", b"\xff"),),
)


def kept(resolutions: Resolutions | None = None, **more: Any) -> Kept:
    filing = Filing(Place("app.dead.t", 0, 3), msgspec.structs.replace(LETTER, **more), 1_700_000_000_000, 5_000)
    return collapse([filing], resolutions or Resolutions())[0]


def text(renderable: Any) -> str:
    console = Console(width=160, record=True, file=None, force_terminal=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_tables_show_texts_as_they_are() -> None:
    letter = kept()
    assert "ValueRefused" in text(group_table(groups([letter])))
    assert "shop.public.orders/0/17" in text(letter_table([(letter, "[i]1[/i]")]))
    assert "column [bold]note[/bold]" in text(letter_table([(letter, "[i]1[/i]")]))
    assert "[i]1[/i]" in text(letter_table([(letter, "[i]1[/i]")]))


def test_a_letter_is_shown_with_all_that_is_known_of_it() -> None:
    resolutions = Resolutions()
    resolutions.add(Resolution(Place("app.dead.t", 0, 3), Fate.FAILED, "r", error="RowTooLarge", message="too long"))
    view = text(letter_view(kept(resolutions, cut=(CutPart("value", 9, "abc"),)), "1", "[red]x[/red]"))
    for part in ("shop.public.orders/0/17", "app.dead.t/0/3", "RowTooLarge", "too long", "at first", "SHA-256 abc"):
        assert part in view
    assert "[red]x[/red]" in view
    assert "its head" in view
    assert "trace=0x ff" in view
    gone = text(letter_view(kept(carried=False), "", ""))
    assert "gone before it could be kept" in gone


def test_what_is_left_open_is_named_with_its_reason() -> None:
    resolutions = Resolutions()
    resolutions.add(Resolution(Place("app.dead.t", 0, 3), Fate.FORWARDED, "r", sinks=("kudu",)))
    shown_text = text(outcome_table({"forwarded": 1}, [kept(resolutions)]))
    assert "waiting for kudu" in shown_text
    assert "left open" in shown_text


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (None, "null"),
        (b"", ""),
        ("né {\n\t1}".encode(), "né {\n\t1}"),
        (b"\x00\xff", "0x 00 ff"),
        (b"\x1b[31m", "0x 1b 5b 33 31 6d"),
        ("cut: €".encode()[:-1], "cut: "),
    ],
)
def test_bytes_are_text_where_they_are_text_and_never_steer_the_terminal(data: bytes | None, expected: str) -> None:
    assert shown(data, None) == expected


def test_what_is_long_is_cut() -> None:
    assert shown(b"x" * 100, 10) == "x" * 9 + "…"
    assert shown(b"\x00" * 1_000, None).endswith(" …")
