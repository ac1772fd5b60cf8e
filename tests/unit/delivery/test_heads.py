"""No record is too large to be kept, and none too odd for its reason to be written."""

from __future__ import annotations

from hashlib import sha256

import msgspec
import pytest

from models import CutPart, DeadLetter, Stage
from parrot_faust.delivery.heads import HEAD_BYTES, LARGEST_LETTER, TEXT_CHARACTERS, fit, head_form, weight

LETTER = DeadLetter("t", 0, 1, b"k", b"v", Stage.DECODE, "DecodeError", "no event")
LARGE = b"\x00\xff" * HEAD_BYTES


def test_a_letter_within_the_limit_is_left_whole() -> None:
    letter = msgspec.structs.replace(LETTER, value=LARGE, headers=(("h", b"x"), ("n", None)))
    assert fit(letter) == letter
    assert fit(letter, weight(letter)) == letter
    assert weight(letter) == 1 + len(LARGE) + 3


@pytest.mark.parametrize("part", ["key", "value"])
def test_a_part_that_is_too_large_keeps_its_head_its_size_and_its_hash(part: str) -> None:
    letter = msgspec.structs.replace(LETTER, **{part: LARGE})
    cut = fit(letter, len(LARGE))
    assert getattr(cut, part) == LARGE[:HEAD_BYTES]
    assert cut.cut == (CutPart(part, len(LARGE), sha256(LARGE).hexdigest()),)
    other = {"key": "value", "value": "key"}[part]
    assert getattr(cut, other) == getattr(letter, other)


def test_many_headers_are_left_out_and_said_to_be() -> None:
    letter = msgspec.structs.replace(LETTER, headers=tuple((f"h{number}", b"x" * 100) for number in range(1_000)))
    cut = fit(letter, 1_000)
    assert cut.headers == ()
    assert (cut.cut[0].part, cut.cut[0].size) == ("headers", weight(letter) - 2)


def test_a_head_form_is_small_and_making_it_again_changes_nothing() -> None:
    headers = (("h", LARGE),)
    letter = msgspec.structs.replace(LETTER, key=LARGE, value=LARGE, headers=headers)
    head = head_form(letter)
    assert weight(head) <= 2 * HEAD_BYTES
    assert head_form(head) == head
    assert {part.part for part in head.cut} == {"key", "value", "headers"}


def test_what_is_kept_whole_fits_a_message_of_the_held_topic() -> None:
    letter = msgspec.structs.replace(
        LETTER, value=bytes(LARGEST_LETTER - 1), message="m" * 10**6, error="e" * 10**6, rule="r" * 10**6
    )
    encoded = msgspec.msgpack.encode(fit(letter))
    assert LARGEST_LETTER < len(encoded) < 15 << 20


@pytest.mark.parametrize("text", ["lone \ud800 surrogate", "x" * 10**6, "\ud800" * 10**5, "né\x00"])
def test_a_reason_can_always_be_written_and_is_bounded(text: str) -> None:
    letter = fit(msgspec.structs.replace(LETTER, message=text))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(letter), type=DeadLetter) == letter
    assert len(letter.message) < TEXT_CHARACTERS + 40
    assert letter.message.startswith(text[:1].encode("utf-8", "backslashreplace").decode())
