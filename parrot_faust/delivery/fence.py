"""Refusing what a worker that was frozen and thawed has sent after another had taken over its partitions."""

from __future__ import annotations

from dataclasses import dataclass

from models import ChunkHeader


@dataclass(slots=True)
class _Seen:
    generation: int
    version: int


class Fence:
    """Knows the newest chunk of each source partition and admits no older one from an older generation.

    A chunk is refused only if its group generation is older than one seen from that source partition and its versions
    were already covered. Such rows have all been written, in order, by the worker that took over; their offsets say
    nothing, because a topic that was made anew begins them again. Anything else is admitted: a generation that began
    again (a new group) brings newer versions, and a replay within a generation is followed by all that came after it.

    A chunk of dead letters that are sent again is older than its neighbours by nature: it is refused if a newer
    generation was seen, which may have sent newer rows of its keys, and leaves no trace otherwise.

    What was seen is of one reading of a writes partition: who reads again from the commit, be it the same worker,
    begins a new fence, or chunks that were seen and not written would be refused when they come again. What goes on is
    a single number: the newest generation among the chunks that were written before the committed offset. An older
    one's chunk that comes after those was sent when its generation had ended, so its source offsets were not committed,
    and the newer generation sends its rows again.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], _Seen] = {}
        self.refused = 0

    def admits(self, header: ChunkHeader, floor: int = 0) -> bool:
        """Say whether the chunk may be written, and remember it if so. `floor` is what the former writer has left."""
        if header.generation < floor:
            self.refused += 1
            return False
        key = (header.table, header.partition)
        seen = self._seen.get(key)
        if header.letters:
            admitted = seen is None or header.generation >= seen.generation
            self.refused += not admitted
            return admitted
        if seen is None:
            self._seen[key] = _Seen(header.generation, header.last_version)
            return True
        stale = header.generation < seen.generation
        if stale and header.last_version <= seen.version:
            self.refused += 1
            return False
        seen.generation = max(seen.generation, header.generation)
        seen.version = max(seen.version, header.last_version)
        return True
