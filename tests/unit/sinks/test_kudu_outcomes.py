from __future__ import annotations

import pytest

from parrot_faust.sinks.kudu.outcomes import Outcome, message, outcome, status_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Timed out: Failed to write batch of 3 ops", Outcome.AGAIN),
        ("Network error: connection refused", Outcome.AGAIN),
        ("Service unavailable: overloaded", Outcome.AGAIN),
        ("Not authorized: no", Outcome.AGAIN),
        ("something that Kudu never said before", Outcome.AGAIN),
        ("Not found: No tablet covering the requested range partition", Outcome.NEVER),
        ("Invalid argument: value too large", Outcome.NEVER),
    ],
)
def test_only_what_kudu_never_takes_is_given_up(text: str, expected: Outcome) -> None:
    assert outcome(text) is expected


class Shown:
    def __init__(self, shown: str) -> None:
        self.shown = shown

    def __repr__(self) -> str:
        return self.shown


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        ("KuduError('b'Not found: key not found'')", "Not found: key not found"),
        ("""KuduError('b"Invalid argument: column 's0'"')""", "Invalid argument: column 's0'"),
        ("KuduError('Not found: plain')", "Not found: plain"),
        ("<something else>", "<something else>"),
    ],
)
def test_status_is_read_out_of_what_the_client_shows(shown: str, text: str) -> None:
    assert status_text(Shown(shown)) == text


def test_message_of_an_exception_is_text() -> None:
    assert message(ValueError(b"Timed out: \xc3\xbc")) == "Timed out: ü"
    assert message(ValueError()) == "ValueError"
