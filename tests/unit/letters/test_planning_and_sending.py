"""Which letters are asked for, and when the waiting ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from models import Asked, DeadLetter, Edit, Fate, Place, RedriveRequest, Resolution, Stage
from parrot_faust.delivery.resolutions import Resolutions
from parrot_faust.letters import sending
from parrot_faust.letters.kept import Filing, Kept, collapse
from parrot_faust.letters.planning import GONE, KEYLESS, OWN, plan
from parrot_faust.letters.sending import LETTERS_A_REQUEST, redrive, requests
from parrot_faust.names import Names

NAMES = Names("app")
TOPIC = "shop.public.orders"
BOX = NAMES.dead(TOPIC)
KEY, OTHER = b'{"id": 1}', b'{"id": 2}'


@dataclass
class Record:
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 5


@dataclass
class Source:
    format: str = "auto"


@dataclass
class Settings:
    source: Source = field(default_factory=Source)


@dataclass
class FakeBox:
    """A box whose source topic is a list, and whose workers answer as told."""

    records: list[Record]
    begin: int = 0
    settings: Settings = field(default_factory=Settings)
    names: Names = NAMES
    resolutions: Resolutions = field(default_factory=Resolutions)
    asked: list[RedriveRequest] = field(default_factory=list)
    written: list[Resolution] = field(default_factory=list)
    answers: list[list[tuple[Fate, str]]] = field(default_factory=list)

    @property
    def reader(self) -> Any:
        return self

    async def bounds(self, _topic: str, _partition: int) -> tuple[int, int]:
        return self.begin, len(self.records)

    async def scan(self, _topic: str, _partition: int, first: int, end: int) -> AsyncIterator[Sequence[Record]]:
        for record in self.records[max(first, self.begin) : end]:
            yield [record]

    async def write(self, resolutions: Sequence[Resolution]) -> None:
        self.written += resolutions
        for each in resolutions:
            self.resolutions.add(each)

    async def ask(self, made: Sequence[RedriveRequest]) -> None:
        self.asked += made

    async def refresh(self) -> None:
        """The next answer: what each letter that was asked for last becomes, from which sink."""
        if self.answers:
            for fate, sink in self.answers.pop(0):
                for asked in self.asked[-1].asked:
                    sinks = ("kudu",) if fate is Fate.FORWARDED else ()
                    self.resolutions.add(Resolution(asked.letter, fate, self.asked[-1].id, sink=sink, sinks=sinks))


def letter(offset: int, at: int, **more: Any) -> Filing:
    made = DeadLetter(TOPIC, 0, offset, KEY, b"x", Stage.DECODE, "DecodeError", "no event", timestamp_ms=5)
    return Filing(Place(BOX, 0, at), msgspec.structs.replace(made, **more), 1_000, 1)


def kept(*filings: Filing) -> list[Kept]:
    return collapse(filings, Resolutions())


async def planned(box: FakeBox, chosen: list[Kept], held: list[Kept] | None = None) -> tuple[list[int], dict[int, Any]]:
    made = await plan(box, chosen, chosen if held is None else held, "r")  # type: ignore[arg-type]
    return [asked.source.offset for asked in made.asked], {
        each.letter.offset: (each.fate, each.message) for each in made.decided
    }


def change(offset: int, key: bytes | None = KEY, value: bytes | None = b"{}") -> Record:
    return Record(offset, key, value)


async def test_a_letter_is_asked_for_unless_a_newer_record_of_its_key_came() -> None:
    box = FakeBox([change(0), change(1, OTHER), change(2), change(3, OTHER, None)])
    asked, decided = await planned(box, kept(letter(0, 0), letter(1, 1, key=OTHER)))
    assert asked == [1], "a tombstone replaces nothing"
    assert decided[0][0] is Fate.SUPERSEDED
    assert "offset 2" in decided[0][1]
    made = await plan(box, kept(letter(1, 1)), [], "r")  # type: ignore[arg-type]
    assert made.asked == [Asked(Place(BOX, 0, 1), Place(TOPIC, 0, 1), 4)]


async def test_corrected_values_are_asked_for_with_every_letter() -> None:
    box, edit = FakeBox([change(0), change(1, OTHER)]), Edit({"n": "1"}, "me", 5)
    made = await plan(box, kept(letter(0, 0), letter(1, 1, key=OTHER)), [], "r", edit=edit)  # type: ignore[arg-type]
    assert [asked.edit for asked in made.asked] == [edit, edit]


async def test_a_newer_record_that_is_an_open_letter_itself_replaces_nothing_whether_or_not_it_is_chosen() -> None:
    box = FakeBox([change(0), change(1)])
    older, newer = kept(letter(0, 0), letter(1, 1))
    assert (await planned(box, [older], [older, newer]))[0] == [0]
    assert (await planned(box, [older, newer], [older, newer]))[0] == [0, 1]
    assert (await planned(box, [older], [older]))[1][0][0] is Fate.SUPERSEDED


async def test_a_newer_letter_of_one_sink_is_newer_for_the_others() -> None:
    box = FakeBox([change(0), change(1)])
    both, hbase, kudu = kept(letter(0, 0), letter(0, 1, sink="kudu"), letter(0, 2, sink="hbase"))
    newer = kept(letter(1, 3, sink="kudu"))
    made = await plan(box, [both, kudu, hbase], [both, kudu, hbase, *newer], "r")  # type: ignore[arg-type]
    assert [asked.letter for asked in made.asked] == [kudu.filing.place]
    assert {each.letter for each in made.decided} == {both.filing.place, hbase.filing.place}


async def test_a_tombstone_is_a_delete_in_flattened_topics() -> None:
    box = FakeBox([change(0), change(1, KEY, None)], settings=Settings(Source("flattened")))
    assert (await planned(box, kept(letter(0, 0))))[1][0][0] is Fate.SUPERSEDED


@pytest.mark.parametrize(
    ("record", "begin", "more", "fate", "message"),
    [
        (change(0, None), 0, {}, Fate.REFUSED, KEYLESS),
        (change(0), 1, {}, Fate.UNCERTAIN, GONE),
        (Record(0, KEY, b"{}", timestamp=6), 0, {}, Fate.UNCERTAIN, GONE),  # the topic was made anew
        (change(0), 0, {"topic": NAMES.held}, Fate.REFUSED, OWN),
        (change(0), 0, {"topic": NAMES.writes("kudu")}, Fate.REFUSED, OWN),
    ],
)
async def test_what_nobody_can_tell_is_said_and_not_asked_for(
    record: Record, begin: int, more: dict[str, Any], fate: Fate, message: str
) -> None:
    box = FakeBox([record, change(1, OTHER)], begin=begin)
    assert await planned(box, kept(letter(0, 0, **more))) == ([], {0: (fate, message)})


async def test_a_letter_without_a_time_is_known_by_its_address_alone() -> None:
    assert (await planned(FakeBox([change(0)]), kept(letter(0, 0, timestamp_ms=0))))[0] == [0]


def test_requests_are_bounded_and_in_the_order_of_offsets() -> None:
    asked = [Asked(Place(BOX, 0, n), Place(TOPIC, 0, n), 9) for n in reversed(range(2 * LETTERS_A_REQUEST + 1))]
    made = list(requests("r", asked))
    assert [len(each.asked) for each in made] == [LETTERS_A_REQUEST, LETTERS_A_REQUEST, 1]
    assert [each.source.offset for request in made for each in request.asked] == list(range(len(asked)))
    assert all(len(msgspec.json.encode(each)) < 900_000 for each in made)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "POLL_S", 0.0)


async def sent(box: FakeBox, patience_s: float = 5.0) -> Fate | None:
    chosen = kept(letter(0, 0))
    await redrive(box, chosen, chosen, patience_s=patience_s)  # type: ignore[arg-type]
    return box.resolutions.of(Place(BOX, 0, 0)).fate


async def test_waiting_ends_when_the_sinks_have_answered() -> None:
    box = FakeBox([change(0)], answers=[[(Fate.FORWARDED, "")], [], [(Fate.APPLIED, "kudu")]])
    assert await sent(box) is Fate.APPLIED
    assert box.answers == []
    assert len(box.asked) == 1


async def test_waiting_ends_when_nothing_is_answered_for_so_long() -> None:
    assert await sent(FakeBox([change(0)]), patience_s=0.05) is None
    assert await sent(FakeBox([change(0)], answers=[[(Fate.FORWARDED, "")]]), patience_s=0.05) is Fate.FORWARDED


async def test_a_letter_that_was_overtaken_is_looked_at_anew() -> None:
    box = FakeBox([change(0)], answers=[[(Fate.OVERTAKEN, "")], [(Fate.FAILED, "")]])
    assert await sent(box) is Fate.FAILED
    assert len({request.id for request in box.asked}) == 2
    box = FakeBox([change(0)], answers=[[(Fate.OVERTAKEN, "")]] * 5)
    assert await sent(box) is Fate.OVERTAKEN
    assert len(box.asked) == sending.ROUNDS


async def test_what_is_decided_is_written_and_nothing_is_asked() -> None:
    box = FakeBox([change(0), change(1)])
    assert await sent_one_of_two(box) is Fate.SUPERSEDED
    assert not box.asked
    assert [each.fate for each in box.written] == [Fate.SUPERSEDED]


async def sent_one_of_two(box: FakeBox) -> Fate | None:
    chosen = kept(letter(0, 0))
    await redrive(box, chosen, chosen, patience_s=1.0)  # type: ignore[arg-type]
    return box.resolutions.of(Place(BOX, 0, 0)).fate
