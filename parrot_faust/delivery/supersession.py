"""Whether a record that was held back has been replaced since: a newer record of its key came after it.

Keys are compared by their bytes: records of one key are in one partition, and a producer writes a key in one way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

#: Says of the record at an offset whether it replaces nothing for a letter of this sink: it is held back itself.
Excused = Callable[[int, str], bool]


def nobody(_offset: int, _sink: str) -> bool:
    """No record is excused."""
    return False


class Watch:
    """Watches held records of one source partition while newer ones are looked at, in any order.

    `held` gives offset, key and sink of each. A tombstone only confirms the delete before it, unless
    `tombstones_delete`, as in flattened topics. A later record that is held back itself replaces nothing: what came
    before it would have been applied as well.
    """

    def __init__(
        self, held: Iterable[tuple[int, bytes, str]], *, tombstones_delete: bool, excused: Excused = nobody
    ) -> None:
        self._held: dict[bytes, list[tuple[int, str]]] = defaultdict(list)
        self._tombstones_delete, self._excused = tombstones_delete, excused
        #: By offset and sink of a held record, the offset of one that has replaced it.
        self.superseded: dict[tuple[int, str], int] = {}
        for offset, key, sink in held:
            self.add(offset, key, sink)

    def add(self, offset: int, key: bytes, sink: str) -> None:
        """Watch one more."""
        self._held[key].append((offset, sink))

    def see(self, offset: int, key: bytes | None, value: bytes | None) -> None:
        """Look at a record of the partition."""
        if key is None or key not in self._held or (value is None and not self._tombstones_delete):
            return
        for held, sink in self._held[key]:
            if held < offset and not self._excused(offset, sink):
                self.superseded.setdefault((held, sink), offset)
