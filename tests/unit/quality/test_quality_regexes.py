"""Patterns: Python's verdicts, in linear time, and what has none is refused."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from rule_tables import change, compiled, passes

from parrot_faust.errors import RuleError
from parrot_faust.quality import load
from parrot_faust.quality.regexes import MAX_LENGTH, Bounded, explodes, searcher, translated

ALPHABET = "aAbzZ019_-. @\n\r\t\v\x1c\x1f\x85\xa0\u2003\u3000åÅßſøñÀЖ中文٣१²Ⅷ½́😀\x00\x7f"
PATTERNS = [
    r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$",
    r"^[A-Z]{3}-[0-9]{4,}$",
    r"\d",
    r"^\D*$",
    r"\w+\s\w",
    r"^\W$",
    r"^\S+$",
    r"[\d_]",
    r"[^\d_]",
    r"[\W\d]",
    r"[^\W\d_]",
    r"[\s\S]",
    r"^[\D]$",
    r"^.$",
    r"(?s)^.$",
    r"(?m)^a$",
    r"(?m)a$\nb",
    r"(?m:^)a",
    r"a$",
    r"\Aa\Z",
    r"^$",
    r"(?i)å",
    r"(?i)[a-z]",
    r"(?i:a)b",
    r"(?i)a(?-i:b)",
    r"(?a)\w\b",
    r"(?a)\bz\B",
    r"(?a:\w)\w",
    r"a|b$|\d",
    r"(a|(?:b))+?z*",
    r"(?P<name>a)b?",
    r"a{2}|b{0,3}c|z{,2}0",
    r"[]a]",
    r"[^]a]",
    r"[a\-z]",
    r"[[a]",
    r"[a&&b]",
    r"\.\-\@",
    r"\x41|\u00e5|\U0001F600|\N{LATIN SMALL LETTER SHARP S}|\101|\0",
    r"(?x) a  b # a comment",
    r"a(?#comment)b",
    r"\n|\t|\r|\v|\f|\a",
    r"å{1,2}",
    r"",
    r"|",
    r"()",
    r"[^\n]a",
]


def texts() -> list[str]:
    pairs = [a + b for a in ALPHABET for b in ALPHABET]
    return [
        "",
        *ALPHABET,
        *pairs,
        "ola@example.com",
        "ABC-1234",
        "aab",
        "abc",
        "aba\n",
        "a\nb",
        "a b",
        "zab",
        "ba",
        "ab ",
    ]


@pytest.mark.filterwarnings("ignore:Possible:FutureWarning")
@pytest.mark.parametrize("pattern", PATTERNS)
def test_verdicts_are_those_of_python(pattern: str) -> None:
    found, expected = searcher(pattern), re.compile(pattern).search
    apart = [text for text in texts() if found(text) is not (expected(text) is not None)]
    assert apart == []


@pytest.mark.parametrize("category", [r"\d", r"\D", r"\w", r"\W", r"\s", r"\S"])
def test_classes_hold_exactly_pythons_characters(category: str) -> None:
    found, expected = searcher(f"^{category}$"), re.compile(f"^{category}$").match
    characters = [chr(code) for code in range(0x30000) if not 0xD800 <= code < 0xE000]
    assert [c for c in characters if found(c) is not (expected(c) is not None)] == []


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (r"(a{500}){500}", "invalid repetition size"),
        (r"\w{1,900}", "too large"),
        ("a" * (MAX_LENGTH + 1), f"at most {MAX_LENGTH} characters"),
        ("(" * 499 + ")" * 499, ""),
        (r"[", "is no regular expression: unterminated character set"),
        (r"*a", "is no regular expression: nothing to repeat"),
        (r"\p{L}", "is no regular expression: bad escape"),
        (r"\z", "is no regular expression: bad escape"),
        (r"a{99999999999}", "is no regular expression"),
    ],
)
def test_a_pattern_that_can_not_be_used_is_refused_at_load_with_the_reason(pattern: str, reason: str) -> None:
    text = "table: t\ncolumns:\n  string:\n    - not_be_null\n    - match_regex: '{}'\n"
    with pytest.raises(RuleError) as refused:
        load(text.format(pattern), "t.yaml")
    assert reason in str(refused.value)
    assert (refused.value.file, refused.value.line) == ("t.yaml", 5)
    with pytest.raises(RuleError):
        load(text.format(pattern).replace("match", "not_match"), "t.yaml")


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"(a)\1", "aa", "a"),
        (r"(?P<x>a)(?P=x)", "aa", "a"),
        (r"^(a)?(?(1)b|c)$", "ab", "ac"),
        (r"a(?=b)", "ab", "ac"),
        (r"a(?!b)", "ac", "ab"),
        (r"(?<=a)b", "ab", "cb"),
        (r"(?<!a)b", "cb", "ab"),
        (r"(?>a+)b", "aab", "aa"),
        (r"a++b", "aab", "aa"),
        (r"\bword", "a word", "aword"),
        (r"a{1001}", "a" * 1001, "a" * 1000),
    ],
)
def test_what_has_no_linear_form_runs_on_an_engine_with_a_budget(pattern: str, good: str, bad: str) -> None:
    found = searcher(pattern)
    assert isinstance(found, Bounded)
    assert (found(good), found(bad)) == (True, False)


@pytest.mark.parametrize("pattern", [r"(?=a)(a|aa)+$(?!b)"])
def test_a_row_over_the_budget_fails_with_that_reason_and_many_of_them_cost_little(pattern: str) -> None:
    rules = compiled(f"string: [{{match_regex: '{pattern}'}}]\n  int64: [not_be_null]")
    rows = [change(string="a" * 60 + "!", int64=1) for _ in range(100)]
    began = time.process_time()
    assert rules.scan(rows) == [(n, 1) for n in range(100)]
    assert time.process_time() - began < 5  # without a budget the first of them takes years
    [failure] = rules.explain(rows[0], 1)
    assert failure.reason == "time limit"
    assert rules.scan([change(string="aa", int64=1)]) == [], "and what is within it is judged as ever"


@pytest.mark.parametrize("pattern", [r"^(a+)+$", r"(a|aa)+$", r"^(\w+\s?)*$", r"(.*)*x", r"(\d+)*"])
def test_a_pattern_that_is_known_to_explode_is_known(pattern: str) -> None:
    assert explodes(pattern)


@pytest.mark.parametrize(
    "pattern", [r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$", r"^([A-Z]{3}-)+[0-9]{4,}$", r"(a|ab)*c", r"^(\w+,)*$"]
)
def test_a_usual_pattern_is_not_said_to_explode(pattern: str) -> None:
    assert not explodes(pattern)


HOSTILE = [
    (r"^(a+)+$", "a" * 100_000 + "!"),
    (r"^(a|aa)+$", "a" * 100_000 + "!"),
    (r"^(a|a)*$", "a" * 100_000 + "!"),
    (r"(.*)*=(.*)*;", "x" * 100_000),
    (r"^(\w+\s?)*$", "word " * 20_000 + "!"),
    (r"^([a-zA-Z0-9])(([\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}([a-z]{2,3})$", "a" * 100_000),
    (r"\s+$", " " * 100_000 + "x"),
    (r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$", "a@" + ".aa" * 30_000 + "!"),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "text"), HOSTILE)
def test_no_pattern_takes_more_than_linear_time(pattern: str, text: str) -> None:
    found = searcher(pattern)
    began = time.process_time()
    assert not found(text)
    assert time.process_time() - began < 5  # linear is milliseconds; Python's engine needs from minutes to forever


def test_the_hostile_patterns_do_hang_an_engine_that_backtracks() -> None:
    found = re.compile(HOSTILE[0][0]).search

    def seconds(length: int) -> float:
        began = time.process_time()
        found("a" * length + "!")
        return time.process_time() - began

    assert seconds(22) > 4 * seconds(16)  # 64 times as much work for 6 characters


def test_a_worker_goes_on_through_a_hostile_rule() -> None:
    rules = compiled("string: [{match_regex: '^(a+)+$'}]")
    assert not rules.suspended
    assert not passes("string: [{match_regex: '^(a+)+$'}]", string="a" * 50_000 + "!")
    assert passes("string: [{match_regex: '^(a+)+$'}]", string="a" * 50_000)


def test_half_a_character_fails_rather_than_matches() -> None:
    assert not passes("string: [{match_regex: 'a'}]", string="a\ud800")
    assert not passes("string: [{not_match_regex: 'b'}]", string="a\ud800")


def test_one_pattern_serves_many_threads() -> None:
    found: Callable[[str], bool] = searcher(r"^\w{2,10}$")
    words = ["ab", "å" * 10, "a", "x" * 11] * 500
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(found, words)) == [True, True, False, False] * 500


def test_what_is_not_a_letter_or_digit_never_means_anything_to_the_other_engine() -> None:
    assert translated(r"[[:alpha:]]") == r"[\x{5b}\x{3a}alph]\x{5d}"  # a set of signs, and no class of POSIX
    assert translated(r"\.\+") == r"\x{2e}\x{2b}"
