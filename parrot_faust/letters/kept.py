"""Letters, how things stand with each, and choosing among them. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from models import DeadLetter, Place
from parrot_faust.delivery.resolutions import Resolutions, Standing
from parrot_faust.errors import LetterError

#: Bytes of a record that are kept in memory of each letter, enough to show its head.
SHOWN_BYTES = 2_000

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class Filing:
    """A letter as it stands in a topic, at `place`, since `at_ms`. Its value may be cut to a head; `size` is whole."""

    place: Place
    letter: DeadLetter
    at_ms: int
    size: int


@dataclass(frozen=True, slots=True)
class Kept:
    """One letter. A record that was read again before its offset was committed may have been filed `times` times."""

    filing: Filing
    standing: Standing
    first_ms: int
    times: int = 1

    @property
    def letter(self) -> DeadLetter:
        """Where it comes from and why it was held, as it was filed last."""
        return self.filing.letter

    @property
    def source(self) -> Place:
        """The address of the record at its source: what people call the letter by."""
        return Place(self.letter.topic, self.letter.partition, self.letter.offset)

    @property
    def reason(self) -> str:
        """The class of its newest error."""
        return self.standing.error if self.standing.open and self.standing.error else self.letter.error

    @property
    def rules(self) -> list[str]:
        """The rules that held it back."""
        return [name for name in self.letter.rule.split(",") if name]

    @property
    def message(self) -> str:
        """Its newest error, or why it could not be sent again."""
        return self.standing.message if self.standing.open and self.standing.message else self.letter.message

    @property
    def state(self) -> str:
        """A word for how things stand with it."""
        return self.standing.fate.value if self.standing.fate else "open"


def collapse(filings: Iterable[Filing], resolutions: Resolutions) -> list[Kept]:
    """The letters in these filings, in the order of their sources.

    Filings of one record of one source for one sink are one letter, and the newest counts. A topic that was made anew
    gives its offsets again: the record's own time tells them apart.
    """
    found: dict[tuple[str, Place, int, str], list[Filing]] = {}
    for filing in filings:
        letter = filing.letter
        source = Place(letter.topic, letter.partition, letter.offset)
        found.setdefault((filing.place.topic, source, letter.timestamp_ms, letter.sink), []).append(filing)
    letters = []
    for same in found.values():
        newest = max(same, key=lambda filing: filing.place)
        letters.append(
            Kept(newest, resolutions.of(newest.place), min(filing.at_ms for filing in same), len(same)),
        )
    return sorted(letters, key=lambda each: (each.source, each.letter.sink, each.filing.at_ms))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is chosen: each filter that is given must match, by any of its values.

    `topics` and `rules` may hold wildcards; `reasons` are classes of errors; `since_ms` is when a letter was filed at
    the earliest; `keys` are texts of which one must be the key's; `places` are addresses of records at their source.
    """

    topics: Sequence[str] = ()
    reasons: Sequence[str] = ()
    since_ms: int = 0
    keys: Sequence[str] = ()
    places: Sequence[Place] = ()
    rules: Sequence[str] = ()

    def matches(self, kept: Kept, key_texts: Callable[[Kept], Iterable[str]]) -> bool:
        """Whether a letter is chosen. `key_texts` gives the ways its key may be written."""
        return (
            (not self.places or kept.source in self.places)
            and (not self.topics or any(fnmatchcase(kept.letter.topic, topic) for topic in self.topics))
            and (not self.reasons or kept.reason.casefold() in {reason.casefold() for reason in self.reasons})
            and (not self.rules or any(fnmatchcase(one, rule) for rule in self.rules for one in kept.rules))
            and kept.filing.at_ms >= self.since_ms
            and (not self.keys or not set(self.keys).isdisjoint(key_texts(kept)))
        )

    @property
    def everything(self) -> bool:
        """Whether no filter is given."""
        return not (self.topics or self.reasons or self.since_ms or self.keys or self.places or self.rules)


@dataclass(frozen=True, slots=True)
class Group:
    """Letters alike: how many, and the first and last time one was filed."""

    topic: str
    reason: str
    stage: str
    sink: str
    state: str
    count: int
    first_ms: int
    last_ms: int


def groups(letters: Iterable[Kept]) -> list[Group]:
    """Letters by topic, reason (of quarantined ones the rules), stage, sink and state; the largest groups first."""
    found: dict[tuple[str, str, str, str, str], list[Kept]] = {}
    for kept in letters:
        letter = kept.letter
        reason = letter.rule.replace(",", ", ") if letter.quarantined and kept.reason == "RuleFailed" else kept.reason
        found.setdefault((letter.topic, reason, letter.stage.value, letter.sink, kept.state), []).append(kept)
    made = [
        Group(*name, len(same), min(each.first_ms for each in same), max(each.filing.at_ms for each in same))
        for name, same in found.items()
    ]
    return sorted(made, key=lambda group: (-group.count, group.topic, group.reason, group.sink))


def counts(letters: Iterable[Kept]) -> dict[str, int]:
    """How many letters are open, on their way, and done with."""
    made = {"open": 0, "forwarded": 0, "closed": 0}
    for kept in letters:
        standing = kept.standing
        made["closed" if standing.closed else "open" if standing.open else "forwarded"] += 1
    return made


def restanding(letters: Iterable[Kept], resolutions: Resolutions) -> list[Kept]:
    """The same letters as they stand by now."""
    return [Kept(each.filing, resolutions.of(each.filing.place), each.first_ms, each.times) for each in letters]


def moment(text: str, now: datetime) -> int:
    """Milliseconds since the epoch of a time span ago (10m, 2h, 3d) or an ISO time, in UTC unless it says otherwise.

    Raise LetterError for what is neither.
    """
    if span := re.fullmatch(r"(\d{1,6})\s*([smhdw])", text.strip()):
        return int((now - timedelta(**{_UNITS[span[2]]: int(span[1])})).timestamp() * 1000)
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise LetterError(
            f"--since {text!r} is neither a span such as 10m, 2h or 3d nor a time such as 2026-01-31T08:00"
        ) from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def key_texts(names_and_values: Mapping[str, object] | None, raw: bytes | None) -> set[str]:
    """The ways a key may be written: as it is, its values with | between them, name=value, and a value alone."""
    texts = set()
    if raw is not None:
        texts.add(raw.decode("utf-8", "replace"))
    if names_and_values:
        values = [str(value) for value in names_and_values.values()]
        texts.add("|".join(values))
        texts.add(",".join(f"{name}={value}" for name, value in names_and_values.items()))
    return texts
