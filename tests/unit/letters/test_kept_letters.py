"""Choosing among letters, and counting them."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from models import DeadLetter, Edit, Fate, Place, Resolution, Stage
from parrot_faust.delivery.resolutions import Resolutions
from parrot_faust.errors import LetterError
from parrot_faust.letters.kept import (
    Filing,
    Kept,
    Wanted,
    collapse,
    counts,
    groups,
    key_texts,
    moment,
    restanding,
)

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
BOX = "app.dead.shop.public.orders"


def filing(at: int, offset: int = 5, **more: object) -> Filing:
    letter = DeadLetter("shop.public.orders", 0, offset, b'{"id": 1}', b"x", Stage.DECODE, "DecodeError", "no event")
    return Filing(Place(BOX, 0, at), msgspec.structs.replace(letter, **more), 1_000 + at, 1)


def kept(*filings: Filing, resolutions: Resolutions | None = None) -> list[Kept]:
    return collapse(filings, resolutions or Resolutions())


def test_a_record_that_was_filed_twice_is_one_letter_with_its_newest_reason() -> None:
    (letter,) = kept(filing(1), filing(4, error="UnknownSchema"), filing(2))
    assert (letter.times, letter.first_ms, letter.filing.place.offset, letter.reason) == (3, 1_001, 4, "UnknownSchema")


@pytest.mark.parametrize("more", [{"sink": "kudu"}, {"timestamp_ms": 9}, {"partition": 1}, {"topic": "other"}])
def test_records_of_other_sinks_times_or_places_are_other_letters(more: dict[str, object]) -> None:
    assert len(kept(filing(1), filing(2, **more))) == 2


def test_a_letter_filed_again_after_it_was_done_with_is_open_again() -> None:
    resolutions = Resolutions()
    resolutions.add(Resolution(Place(BOX, 0, 1), Fate.DISCARDED, "r"))
    assert kept(filing(1), resolutions=resolutions)[0].standing.closed
    assert kept(filing(1), filing(2), resolutions=resolutions)[0].standing.open


def test_the_newest_reason_counts_while_a_letter_is_open() -> None:
    resolutions = Resolutions()
    resolutions.add(Resolution(Place(BOX, 0, 1), Fate.FAILED, "r", error="RowTooLarge", message="too large"))
    resolutions.add(Resolution(Place(BOX, 0, 2), Fate.UNCERTAIN, "r", message="gone"))
    failed, unsure = kept(filing(1, 5), filing(2, 6), resolutions=resolutions)
    assert (failed.reason, failed.message, failed.state) == ("RowTooLarge", "too large", "failed")
    assert (unsure.reason, unsure.message, unsure.state) == ("DecodeError", "gone", "uncertain")


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        (Wanted(), True),
        (Wanted(topics=["shop.*"]), True),
        (Wanted(topics=["shop.public.order"]), False),
        (Wanted(topics=["other", "shop.public.orders"]), True),
        (Wanted(reasons=["decodeerror"]), True),
        (Wanted(reasons=["UnknownSchema"]), False),
        (Wanted(since_ms=1_001), True),
        (Wanted(since_ms=1_002), False),
        (Wanted(keys=["2", "1"]), True),
        (Wanted(keys=["2"]), False),
        (Wanted(places=[Place("shop.public.orders", 0, 5)]), True),
        (Wanted(places=[Place("shop.public.orders", 0, 6)]), False),
        (Wanted(topics=["shop.*"], reasons=["UnknownSchema"]), False),
    ],
)
def test_every_filter_that_is_given_must_match_by_any_of_its_values(wanted: Wanted, matches: bool) -> None:
    (letter,) = kept(filing(1))
    assert wanted.matches(letter, lambda _: {"1"}) is matches
    assert wanted.everything is (wanted == Wanted())


def test_groups_tell_topic_reason_stage_sink_and_state_apart() -> None:
    resolutions = Resolutions()
    resolutions.add(Resolution(Place(BOX, 0, 3), Fate.DISCARDED, "r"))
    letters = kept(filing(1, 5), filing(2, 6), filing(3, 7), filing(4, 8, sink="kudu"), resolutions=resolutions)
    assert [(each.count, each.state, each.sink, each.first_ms, each.last_ms) for each in groups(letters)] == [
        (2, "open", "", 1_001, 1_002),
        (1, "discarded", "", 1_003, 1_003),
        (1, "open", "kudu", 1_004, 1_004),
    ]
    assert counts(letters) == {"open": 3, "forwarded": 0, "closed": 1}
    resolutions.add(Resolution(Place(BOX, 0, 1), Fate.FORWARDED, "r", sinks=("kudu",)))
    assert counts(restanding(letters, resolutions)) == {"open": 2, "forwarded": 1, "closed": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10m", datetime(2026, 1, 31, 11, 50, tzinfo=UTC)),
        ("2h", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        (" 3d ", datetime(2026, 1, 28, 12, tzinfo=UTC)),
        ("2026-01-30T08:00", datetime(2026, 1, 30, 8, tzinfo=UTC)),
        ("2026-01-30", datetime(2026, 1, 30, tzinfo=UTC)),
        ("2026-01-30T08:00+02:00", datetime(2026, 1, 30, 6, tzinfo=UTC)),
    ],
)
def test_a_span_is_counted_back_and_a_time_is_taken_as_utc(text: str, expected: datetime) -> None:
    assert moment(text, NOW) == int(expected.timestamp() * 1000)


@pytest.mark.parametrize("text", ["", "m", "10", "10y", "-5m", "yesterday"])
def test_what_is_no_time_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(LetterError, match="10m"):
        moment(text, NOW)


def test_a_key_may_be_written_as_it_is_by_its_values_or_with_names() -> None:
    assert key_texts({"a": 1, "b": "x"}, b'{"a":1,"b":"x"}') == {'{"a":1,"b":"x"}', "1|x", "a=1,b=x"}
    assert key_texts({"id": 7}, b"\x00\xff") >= {"7", "id=7"}
    assert key_texts(None, None) == set()


def test_quarantined_letters_are_chosen_and_counted_by_rule() -> None:
    held = {"stage": Stage.CHECK, "error": "RuleFailed"}
    one, both = kept(filing(1, 1, rule="n.be_between", **held), filing(2, 2, rule="n.be_between,s.be_in_set", **held))
    assert [Wanted(rules=[rule]).matches(both, lambda _: ()) for rule in ("s.*", "n.be_between", "x")] == [1, 1, 0]
    assert not Wanted(rules=["s.be_in_set"]).matches(one, lambda _: ())
    assert not Wanted(rules=["x"]).everything
    assert {group.reason for group in groups([one, both])} == {"n.be_between", "n.be_between, s.be_in_set"}


def test_what_a_person_put_into_a_row_stays_known_after_the_sinks_have_answered() -> None:
    resolutions, edit, box = Resolutions(), Edit({"n": "1"}, "me", 5), Place(BOX, 0, 1)
    resolutions.add(Resolution(box, Fate.FORWARDED, "r", sinks=("kudu",), edit=edit))
    assert kept(filing(1), resolutions=resolutions)[0].standing.edit == edit
    resolutions.add(Resolution(box, Fate.APPLIED, "r", "kudu"))
    standing = kept(filing(1), resolutions=resolutions)[0].standing
    assert (standing.fate, standing.edit) == (Fate.APPLIED, edit)
