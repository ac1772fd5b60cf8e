"""Which letters may be sent again: those that no newer record of their key has replaced.

Each source partition is read once, from the first letter's record to its end. The worker looks at what comes after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from models import Asked, Edit, Fate, Place, Resolution
from parrot_faust.delivery.supersession import Watch
from parrot_faust.letters.box import Box, Progress, silent
from parrot_faust.letters.kept import Kept

GONE = "the source topic no longer has it, so nobody can tell whether it was replaced"
KEYLESS = "it has no key, so nobody can tell whether it was replaced"
OWN = "it is a message of a topic of our own, and no record of a source"


@dataclass(slots=True)
class Plan:
    """What is to be asked of the workers, and what is decided already."""

    asked: list[Asked] = field(default_factory=list)
    decided: list[Resolution] = field(default_factory=list)


async def plan(
    box: Box,
    chosen: Sequence[Kept],
    held: Sequence[Kept],
    request: str,
    progress: Progress = silent,
    edit: Edit | None = None,
) -> Plan:
    """Look for newer records of the chosen letters' keys. `held` are all letters that are open, of both kinds.

    `edit` are the values that the chosen ones are to have.
    """
    made = Plan()
    by_source: dict[tuple[str, int], list[Kept]] = {}
    for kept in chosen:
        if box.names.owns(kept.letter.topic):
            made.decided.append(_fate(kept, Fate.REFUSED, request, OWN))
        else:
            by_source.setdefault((kept.letter.topic, kept.letter.partition), []).append(kept)
    open_sinks: dict[Place, set[str]] = {}
    for kept in held:
        open_sinks.setdefault(kept.source, set()).add(kept.letter.sink)
    for (topic, partition), letters in sorted(by_source.items()):
        await _plan_partition(made, box, topic, partition, letters, open_sinks, request, progress)
    if edit is not None:
        made.asked = [Asked(asked.letter, asked.source, asked.checked_to, edit) for asked in made.asked]
    return made


async def _plan_partition(
    made: Plan,
    box: Box,
    topic: str,
    partition: int,
    letters: Sequence[Kept],
    open_sinks: dict[Place, set[str]],
    request: str,
    progress: Progress,
) -> None:
    def excused(offset: int, sink: str) -> bool:
        sinks = open_sinks.get(Place(topic, partition, offset), set())
        return "" in sinks or (sink != "" and sink in sinks)

    watch = Watch((), tombstones_delete=box.settings.source.format == "flattened", excused=excused)
    by_offset: dict[int, list[Kept]] = {}
    for kept in letters:
        by_offset.setdefault(kept.letter.offset, []).append(kept)
    keys: dict[int, tuple[bytes | None, int]] = {}
    first = min(by_offset)
    _, end = await box.reader.bounds(topic, partition)
    async for records in box.reader.scan(topic, partition, first, end):
        for record in records:
            watch.see(record.offset, record.key, record.value)
            for kept in by_offset.get(record.offset, ()):
                keys[record.offset] = (record.key, record.timestamp)
                if record.key is not None:
                    watch.add(record.offset, record.key, kept.letter.sink)
        progress(f"{topic}[{partition}]", records[-1].offset + 1 - first, end - first)
    for kept in letters:
        letter = kept.letter
        key, at_ms = keys.get(letter.offset, (None, -1))
        if letter.offset not in keys or letter.timestamp_ms not in (0, at_ms):
            made.decided.append(_fate(kept, Fate.UNCERTAIN, request, GONE))
        elif key is None:
            made.decided.append(_fate(kept, Fate.REFUSED, request, KEYLESS))
        elif (newer := watch.superseded.get((letter.offset, letter.sink))) is not None:
            made.decided.append(_fate(kept, Fate.SUPERSEDED, request, f"replaced by the record at offset {newer}"))
        else:
            made.asked.append(Asked(kept.filing.place, kept.source, end))


def _fate(kept: Kept, fate: Fate, request: str, message: str) -> Resolution:
    return Resolution(kept.filing.place, fate, request, message=message)
