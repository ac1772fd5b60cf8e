"""A line is one line whatever it holds, has its fields, and shows no secret."""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import Any, NamedTuple

import pytest

from parrot_faust.logs import at, named, of_batch
from parrot_faust.logs.lines import JsonLines, TextLines, hider
from parrot_faust.secret import secrets_in
from parrot_faust.settings import Kafka, Sasl, Settings, Sinks, Source

SECRET = "correct-horse-battery"
TEXT, JSON = TextLines(hider([SECRET])), JsonLines(hider([SECRET]))


class Run(NamedTuple):
    topic: str
    partition: int
    first: int
    last: int


TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def record(message: str, *args: object, level: int = logging.WARNING, name: str = "parrot", **more: Any) -> Any:
    made = logging.LogRecord(name, level, "file.py", 1, message, args, more.pop("exc_info", None))
    vars(made).update(more.pop("extra", {}))
    return made


def test_a_line_for_people_is_time_level_message_and_fields() -> None:
    line = TEXT.format(record("row %d refused", 7, extra=at("shop.public.orders", 3, 41, sink="kudu", error="A B")))
    assert re.fullmatch(
        TIME + r' WARNING  row 7 refused topic=shop\.public\.orders partition=3 offset=41 sink=kudu error="A B"', line
    )


def test_a_line_for_programs_has_the_same_fields_with_their_types() -> None:
    line = json.loads(JSON.format(record("row %d refused", 7, extra=at("shop.public.orders", 3, 41))))
    assert re.fullmatch(TIME, line.pop("time"))
    assert line == {
        "level": "warning",
        "logger": "parrot",
        "message": "row 7 refused",
        "topic": "shop.public.orders",
        "partition": 3,
        "offset": 41,
    }


def test_a_batch_is_named_by_its_first_and_last_offset() -> None:
    line = json.loads(JSON.format(record("gone", extra=of_batch(Run("t", 2, 10, 19), sink="hbase"))))
    found = {name: line[name] for name in ("topic", "partition", "first_offset", "last_offset", "sink")}
    assert found == {"topic": "t", "partition": 2, "first_offset": 10, "last_offset": 19, "sink": "hbase"}


@pytest.mark.parametrize("hostile", ["a\nb", "a\rb", "a\u2028b", "\x1b[2J", "a\x00b", "\u202eb", "\udcff", 'q" x=1'])
def test_no_value_makes_a_second_line_or_steers_a_terminal(hostile: str) -> None:
    made = record("%s", hostile, extra=named(value=hostile))
    text = TEXT.format(made)
    assert all(character.isprintable() for character in text)
    text.encode()
    line = JSON.format(made)
    assert "\n" not in line
    assert json.loads(line)["message"].startswith(hostile[0].encode("utf-8", "backslashreplace").decode())


def test_a_field_can_not_pass_for_another_or_for_the_message() -> None:
    assert TEXT.format(record("m", extra=named(value="1 level=9"))).endswith(' m value="1 level=9"')
    assert json.loads(JSON.format(record("m", extra=named(message="x", level="y"))))["message"] == "m"


def test_the_trace_of_an_error_is_kept_below_its_line() -> None:
    try:
        raise ValueError(f"two\nlines {SECRET}")
    except ValueError:
        made = record("failed", level=logging.ERROR, exc_info=sys.exc_info())
    first, *below = TEXT.format(made).splitlines()
    assert first.endswith("ERROR    failed")
    assert below
    assert all(line.startswith("    ") for line in below)
    assert below[-1] == "    lines ***"
    trace = json.loads(JSON.format(made))["exception"]
    assert trace.endswith("ValueError: two\nlines ***")


def test_no_secret_of_the_settings_is_shown_wherever_it_comes_from() -> None:
    settings = Settings(
        source=Source(topics="t", registry="http://me:word-in-address@registry:8081", registry_password=SECRET),
        sinks=Sinks(),
        kafka=Kafka(sasl=Sasl(user="me", password="s3cret-of-kafka")),
    )
    secrets = set(secrets_in(settings))
    assert secrets == {"word-in-address", SECRET, "s3cret-of-kafka"}
    for lines in (TextLines(hider(secrets)), JsonLines(hider(secrets))):
        for secret in secrets:
            line = lines.format(record("refused: %s", f"<{secret}>", extra=named(error=f"of {secret}")))
            assert secret not in line
            assert line.count("***") == 2


def test_a_short_secret_does_not_blot_out_the_words_that_it_is_like() -> None:
    assert hider(["kudu"])("kudu is back") == "kudu is back"


def test_the_level_has_a_color_on_a_terminal_only() -> None:
    colored = TextLines(hider([]), color=True).format(record("m"))
    assert "\033[33mWARNING \033[0m m" in colored
    assert "\033" not in TEXT.format(record("m"))


def test_lines_of_others_say_whose_they_are() -> None:
    assert TEXT.format(record("m", name="faust.app")).endswith(" m logger=faust.app")
