"""Asking the workers to send letters again, and waiting until each is answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from uuid import uuid4

from models import Asked, Edit, Fate, Place, RedriveRequest
from parrot_faust.letters.box import Box, Progress, silent
from parrot_faust.letters.kept import Kept
from parrot_faust.letters.planning import plan

LETTERS_A_REQUEST = 300  # some 50 kB a message
ROUNDS = 3  # a letter that was overtaken while it was asked for is looked at anew so often
POLL_S = 0.3

#: Told how many of the letters asked for are answered.
Answered = Callable[[int, int], None]


def nobody(_done: int, _of: int) -> None:
    """Tell nobody."""


async def redrive(
    box: Box,
    chosen: Sequence[Kept],
    held: Sequence[Kept],
    *,
    patience_s: float,
    progress: Progress = silent,
    answered: Answered = nobody,
    edit: Edit | None = None,
) -> None:
    """Send the chosen letters again; what became of them is then in the box's resolutions.

    `held` are all letters that are open, of both kinds. Returns when each is answered and every sink has, or when
    nothing has been answered for `patience_s` seconds. `edit` are values that all of them are to have.
    """
    left = list(chosen)
    for _ in range(ROUNDS):
        request = uuid4().hex
        made = await plan(box, left, held, request, progress, edit)
        if made.decided:
            await box.write(made.decided)
        if not made.asked:
            return
        await box.ask(list(requests(request, made.asked)))
        await _wait(box, [asked.letter for asked in made.asked], request, patience_s, answered)
        left = [kept for kept in left if box.resolutions.of(kept.filing.place).fate is Fate.OVERTAKEN]
        if not left:
            return


def requests(request: str, asked: Sequence[Asked]) -> Iterator[RedriveRequest]:
    """Messages of a bounded size, each with letters in the order of their offsets."""
    ordered = sorted(asked, key=lambda each: each.source)
    for begin in range(0, len(ordered), LETTERS_A_REQUEST):
        yield RedriveRequest(request, tuple(ordered[begin : begin + LETTERS_A_REQUEST]))


async def _wait(box: Box, letters: Iterable[Place], request: str, patience_s: float, answered: Answered) -> None:
    waiting = set(letters)
    total, seen = len(waiting), len(waiting)
    since = time.monotonic()
    while waiting and time.monotonic() - since < patience_s:
        await asyncio.sleep(POLL_S)
        await box.refresh()
        steps = 0
        for place in list(waiting):
            standing = box.resolutions.of(place)
            if standing.closed or (standing.request == request and standing.fate is not Fate.FORWARDED):
                waiting.discard(place)
            elif standing.request == request:
                steps += 1
        if len(waiting) * 2 - steps < seen:  # an answer of a worker is progress, and so is one of a sink
            since = time.monotonic()
        seen = len(waiting) * 2 - steps
        answered(total - len(waiting), total)
