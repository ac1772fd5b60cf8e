"""How things stand with a letter follows from what the workers and the sinks have said."""

from __future__ import annotations

import pytest

from models import Fate, Place, Resolution
from parrot_faust.delivery.resolutions import Resolutions, encode

LETTER = Place("app.dead.shop.public.orders", 0, 7)
SENT = Resolution(LETTER, Fate.FORWARDED, "r2", sinks=("kudu", "hbase"))


def said(*resolutions: Resolution) -> Resolutions:
    made = Resolutions()
    for each in resolutions:
        assert made.see(encode(each)) == each
    return made


def sink(name: str, fate: Fate = Fate.APPLIED, request: str = "r2") -> Resolution:
    return Resolution(LETTER, fate, request, sink=name, error="ValueRefused" if fate is Fate.FAILED else "")


def test_a_letter_that_nobody_asked_for_is_open() -> None:
    standing = Resolutions().of(LETTER)
    assert (standing.fate, standing.open, standing.closed) == (None, True, False)


@pytest.mark.parametrize("fate", [fate for fate in Fate if fate not in (Fate.FORWARDED, Fate.APPLIED)])
def test_what_the_worker_says_counts(fate: Fate) -> None:
    standing = said(Resolution(LETTER, fate, "r1", error="E", message="m")).of(LETTER)
    assert (standing.fate, standing.error, standing.message) == (fate, "E", "m")
    assert standing.closed is (fate in {Fate.SUPERSEDED, Fate.QUARANTINED, Fate.DROPPED, Fate.EMPTY, Fate.DISCARDED})
    assert standing.open is not standing.closed


def test_a_letter_is_applied_when_every_sink_it_went_to_has_it() -> None:
    made = said(SENT)
    assert (made.of(LETTER).fate, made.of(LETTER).waiting) == (Fate.FORWARDED, ("hbase", "kudu"))
    assert not made.of(LETTER).open
    assert not made.of(LETTER).closed
    made.add(sink("hbase"))
    assert made.of(LETTER).waiting == ("kudu",)
    made.add(sink("kudu"))
    assert (made.of(LETTER).fate, made.of(LETTER).closed) == (Fate.APPLIED, True)


def test_one_sink_that_refuses_it_leaves_it_open_with_that_reason() -> None:
    standing = said(SENT, sink("hbase"), sink("kudu", Fate.FAILED)).of(LETTER)
    assert (standing.fate, standing.open, standing.error) == (Fate.FAILED, True, "ValueRefused")


def test_what_a_sink_said_to_an_earlier_request_says_nothing_of_this_one() -> None:
    made = said(sink("kudu", request="r1"), sink("hbase", request="r1"), SENT)
    assert made.of(LETTER).fate is Fate.FORWARDED


def test_a_sink_that_answers_before_the_worker_has_said_so_counts_too() -> None:
    made = said(sink("kudu"), sink("hbase"))
    assert made.of(LETTER).open
    made.add(SENT)
    assert made.of(LETTER).closed


def test_keys_tell_letters_and_sinks_apart() -> None:
    other = Resolution(Place(LETTER.topic, 0, 8), Fate.FORWARDED, "r2")
    assert len({SENT.key, sink("kudu").key, sink("hbase").key, other.key}) == 4
    assert said(SENT, other).of(other.letter).fate is Fate.APPLIED, "it went to no sink, so none has to answer"


@pytest.mark.parametrize("value", [None, b"", b"{}", b"\xff"])
def test_what_is_no_resolution_is_left_out(value: bytes | None) -> None:
    assert Resolutions().see(value) is None


@pytest.mark.parametrize("text", ["", "x", "a/b", "a/b/c", "/1/2", "t/1/-2", "t/1/"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - not enough parts, or not of the right kind
        Place.of(text)


def test_an_address_is_read_as_it_is_written() -> None:
    assert Place.of(str(LETTER)) == LETTER
