"""Which source topics a worker reads, as they appear, are deleted, and are made again while it runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at the broker's topics has changed, each in order of name but `new`, as it was found."""

    new: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    back: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.new or self.lost or self.back)


@dataclass(slots=True)
class SourceTopics:
    """All topics that were ever found, and which of them are gone."""

    known: list[str] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)

    @property
    def live(self) -> list[str]:
        """The topics to subscribe to. One that is gone must not be among them: the consumer looks for a topic at once
        only when it is new to its subscription.
        """
        return [topic for topic in self.known if topic not in self.gone]

    def look(self, found: Sequence[str], unseen: Callable[[str], bool]) -> Seen:
        """Take in what the broker has now. `unseen` says whether the consumer, when it looked for a topic last, found
        none: it was deleted and made again between two looks of ours, and must be given up once to be looked for again.
        """
        there: Collection[str] = set(found)
        missing = {topic for topic in self.known if topic not in there}
        missing |= {topic for topic in self.live if topic in there and unseen(topic)}
        seen = Seen(
            tuple(topic for topic in found if topic not in self.known),
            tuple(sorted(missing - self.gone)),
            tuple(sorted(self.gone - missing)),
        )
        self.known += seen.new
        self.gone = missing
        return seen
