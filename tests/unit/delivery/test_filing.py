"""What is filed can be read again, and what is not ours is told apart."""

from __future__ import annotations

import msgspec
import pytest

from models import CutPart, DeadLetter, Stage
from parrot_faust.delivery.filing import headers_of, letter_of, original_of

LETTER = DeadLetter(
    topic="shop.public.orders",
    partition=3,
    offset=17,
    key=b"k\x00",
    value=b"\xff\x00",
    stage=Stage.WRITE,
    error="ValueRefused",
    message="né à ŋ",
    sink="kudu",
    timestamp_ms=5,
    rule="n.max,m.min",
    rules_version="abc",
    headers=(("trace", b"\xff"), ("trace", None), ("", b"")),
    version=1_700_000_000_000_000,
    cut=(CutPart("value", 9, "ab"), CutPart("key", 8, "cd")),
    masked=("email", "note"),
    withheld=True,
)


def test_every_field_comes_back() -> None:
    assert letter_of(LETTER.key, LETTER.value, headers_of(LETTER)) == LETTER
    plain = DeadLetter("t", 0, 0, None, b"", Stage.DECODE, "DecodeError", "")
    assert letter_of(plain.key, plain.value, headers_of(plain)) == plain


def test_the_record_s_own_headers_come_first_and_keep_names_like_ours() -> None:
    another = DeadLetter("other", 1, 2, b"k", b"v", Stage.CHECK, "RuleFailed", "m", rule="r")
    letter = msgspec.structs.replace(LETTER, headers=tuple(headers_of(another)))
    assert headers_of(letter)[: len(letter.headers)] == list(letter.headers)
    assert letter_of(letter.key, letter.value, headers_of(letter)) == letter


def test_a_letter_whose_original_was_gone_says_so() -> None:
    gone = msgspec.structs.replace(LETTER, carried=False)
    assert ("parrot.original", b"gone") in headers_of(gone)
    assert letter_of(gone.key, gone.value, headers_of(gone)) == gone


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("trace", b"x")],
        [("parrot.topic", b"t")],
        [("parrot.topic", b"t"), ("parrot.partition", b"x"), ("parrot.offset", b"1"), ("parrot.stage", b"decode")],
        [("parrot.topic", b"t"), ("parrot.partition", b"1"), ("parrot.offset", b"1"), ("parrot.stage", b"other")],
    ],
)
def test_what_has_not_our_headers_is_no_letter(headers: list[tuple[str, bytes | None]]) -> None:
    assert letter_of(b"k", b"v", headers) is None


def test_what_is_read_again_takes_the_place_of_what_was_not_carried() -> None:
    asked = msgspec.structs.replace(LETTER, key=None, value=None, carried=False, headers=(), timestamp_ms=0)
    assert original_of(asked, LETTER.key, LETTER.value, LETTER.headers, 5) == LETTER
