"""Values that the stores lack go to the first change of the key that passes, also when records are read again."""

from __future__ import annotations

import random

import pytest

from parrot_faust.delivery.images import Images, Span

KEY = (1,)


def test_a_held_value_goes_to_the_next_change_that_passes_and_to_no_later_one() -> None:
    images = Images()
    assert images.hold(KEY, 10, {"body": "long"}, [])
    assert images.passing(KEY, 12) == {"body": "long"}
    assert images.passing(KEY, 13) is None


def test_a_held_change_that_left_the_value_out_keeps_what_an_earlier_held_one_brought() -> None:
    images = Images()
    images.hold(KEY, 10, {"body": "long", "name": "a"}, [])
    images.hold(KEY, 11, {"name": "b"}, ["body"])
    assert images.passing(KEY, 12) == {"body": "long", "name": "b"}


def test_a_held_change_whose_value_is_null_now_gives_no_old_one() -> None:
    images = Images()
    images.hold(KEY, 10, {"body": "long"}, [])
    images.hold(KEY, 11, {}, [])
    assert images.passing(KEY, 12) == {}


def test_what_the_store_has_is_not_kept() -> None:
    images = Images()
    assert not images.hold(KEY, 10, {}, ["body"])
    assert images.passing(KEY, 11) is None
    assert not images


def test_rows_are_kept_apart() -> None:
    images = Images()
    images.hold((1,), 10, {"body": "one"}, [])
    images.hold((2,), 11, {"body": "two"}, [])
    assert images.passing((2,), 12) == {"body": "two"}
    assert images.passing((1,), 13) == {"body": "one"}


def test_what_passed_is_let_go_once_its_offset_is_committed_and_not_before() -> None:
    images = Images()
    images.hold(KEY, 10, {"body": "long"}, [])
    images.passing(KEY, 12)
    images.forget(KEY, 12)
    assert images.spans(KEY) == [Span(10, {"body": "long"}, 12)]
    images.forget(KEY, 13)
    assert not images.spans(KEY)
    images.hold(KEY, 20, {"body": "new"}, [])
    images.forget(KEY, 99)
    assert images.passing(KEY, 100) == {"body": "new"}


@pytest.mark.parametrize("seed", range(200))
def test_reading_again_from_anywhere_that_is_not_committed_gives_the_same_values(seed: int) -> None:
    """A store that keeps what it has where a value is left out ends as the source, less the rows that are held."""
    chance = random.Random(seed)
    log, value = [], {}
    for offset in range(60):
        key = (chance.randrange(3),)
        fresh = key not in value or chance.random() < 0.4
        if fresh:
            value[key] = f"v{offset}"
        log.append((offset, key, value[key] if fresh else None, chance.random() < 0.4))
    store: dict[tuple[int, ...], str | None] = {}
    images, committed, offset, steps = Images(), 0, 0, 0
    while offset < len(log):
        steps += 1
        _, key, brought, held = log[offset]
        if held:
            images.hold(key, offset, {"body": brought} if brought else {}, [] if brought else ["body"])
        else:
            lacking = images.passing(key, offset) or {}
            if brought or "body" in lacking:
                store[key] = brought or lacking["body"]
        images.forget(key, committed)
        offset += 1
        if steps < 400 and chance.random() < 0.15:
            kept = {
                known: [Span(one.held, dict(one.values), one.passed) for one in images.spans(known)] for known in value
            }
            committed = chance.randrange(committed, offset + 1)
            offset = committed
            images = Images({known: spans for known, spans in kept.items() if spans})
            images.rewind(offset)
    latest_passed = {key: at for at, key, _, held in log if not held}
    for key, at in latest_passed.items():
        wanted = [brought for earlier, one, brought, _ in log if one == key and brought and earlier <= at][-1]
        assert store[key] == wanted, key


def test_what_is_lacking_can_be_seen_without_passing() -> None:
    images = Images()
    assert images.lacking(KEY) is None
    images.hold(KEY, 10, {"body": 5_000}, [])
    assert images.lacking(KEY) == {"body": 5_000}
    assert images.passing(KEY, 12) == {"body": 5_000}
    assert images.lacking(KEY) is None


def test_a_long_history_of_one_key_is_shortened_to_what_is_lacking_now() -> None:
    images = Images()
    for offset in range(10, 15):
        images.hold(KEY, offset, {"body": f"text {offset}"}, [])
    assert len(images.spans(KEY)) == 5
    images.shorten(KEY)
    assert [span.held for span in images.spans(KEY)] == [14]
    assert images.passing(KEY, 15) == {"body": "text 14"}
    images.shorten((2,))
    assert images.spans((2,)) == []
