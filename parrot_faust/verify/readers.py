"""Each store is read in a process of its own, side by side with the others.

Reading is work for a processor, Kudu's client holds the interpreter's lock and may abort, and none of it may disturb
who asked. A process serves one request at a time and tells how many rows it has read meanwhile.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any, Protocol

from parrot_faust.errors import ParrotError, SinkUnavailable, SourceUnavailable
from parrot_faust.verify import hashing
from parrot_faust.verify.hashing import Batch
from parrot_faust.verify.plan import TablePlan
from parrot_faust.verify.scope import Scope

PROGRESS_S = 0.1
END_S = 5.0

#: Key -> row.
Rows = dict[tuple[Any, ...], tuple[Any, ...]]
#: Hears how many rows more were read.
Progress = Callable[[int], None]


class Store(Protocol):
    """What the process reads from."""

    def unlike(self, plan: TablePlan, /) -> dict[str, str]: ...
    def scan(self, plan: TablePlan, scope: Scope) -> Any: ...
    def fetch(self, plan: TablePlan, keys: Sequence[tuple[Any, ...]]) -> Rows: ...
    def close(self) -> None: ...


class TooMany(ParrotError):
    """More rows than may be held were in the chosen buckets: the table has grown meanwhile."""


class Unreadable(ParrotError):
    """A store could not be read; of the error in its process only the text travels."""


class Reader:
    """A store's process, seen from outside. Use it from one thread at a time, or it makes the others wait."""

    def __init__(self, name: str, make: Callable[..., Store], *arguments: Any) -> None:
        self.name = name
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, arguments), daemon=True)
        self._process.start()
        theirs.close()
        self._lock = threading.Lock()

    def unlike(self, plan: TablePlan) -> dict[str, str]:
        """Columns that are stored in another type than the documented one, and which."""
        answer: dict[str, str] = self._ask("unlike", plan)
        return answer

    def sums(self, plan: TablePlan, scope: Scope, buckets: int, progress: Progress) -> list[int]:
        """The sums of all rows in scope; after them those of rows that are too old for Kudu, if any may be."""
        answer: list[int] = self._ask("sums", plan, scope, buckets, progress=progress)
        return answer

    def digests(
        self, plan: TablePlan, scope: Scope, chosen: bytes | None, limit: int, progress: Progress
    ) -> dict[bytes, bytes]:
        """Encoded key -> digest of the rows in the chosen buckets. Raise TooMany beyond `limit` rows."""
        answer: dict[bytes, bytes] = self._ask("digests", plan, scope, chosen, limit, progress=progress)
        return answer

    def fetch(self, plan: TablePlan, keys: Sequence[tuple[Any, ...]]) -> Rows:
        """The rows of these keys that exist."""
        answer: Rows = self._ask("fetch", plan, keys)
        return answer

    def close(self) -> None:
        """End the process, also in the middle of what it was asked: who waits for it gets an error."""
        if not self._lock.acquire(blocking=False):
            self._process.kill()
            self._process.join(END_S)
            return
        self._pipe.close()
        self._process.join(END_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(END_S)

    def _ask(self, what: str, *arguments: Any, progress: Progress | None = None) -> Any:
        with self._lock:
            try:
                self._pipe.send((what, arguments))
                while True:
                    kind, answer = self._pipe.recv()
                    if kind == "rows":
                        if progress is not None:
                            progress(answer)
                    elif kind == "many":
                        raise TooMany(answer)
                    elif kind == "error":
                        raise Unreadable(answer)
                    else:
                        return answer
            except (EOFError, OSError):
                raise self._gone() from None

    def _gone(self) -> ParrotError:
        text = f"the process that reads it has ended (status {self._process.exitcode})"
        return SourceUnavailable(text) if self.name == "source" else SinkUnavailable(self.name, text)


def _serve(pipe: Connection, make: Callable[..., Store], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the other side closes the pipe
    store: Store | None = None
    while True:
        try:
            what, values = pipe.recv()
        except (EOFError, OSError):
            break
        try:
            if store is None:
                store = make(*arguments)
            answer = ("done", _ANSWERS[what](store, pipe, *values))
        except TooMany as error:
            answer = ("many", str(error))
        except ParrotError as error:
            answer = ("error", str(error))
            if store is not None:
                store.close()
                store = None
        try:
            pipe.send(answer)
        except OSError:
            break
    if store is not None:
        store.close()


class _Counter:
    """Tells the other side of rows, ten times a second at most."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._rows, self._told = pipe, 0, time.monotonic()

    def add(self, batch: Batch) -> None:
        self._rows += len(batch[1])
        if self._rows and time.monotonic() - self._told >= PROGRESS_S:
            self.tell()

    def tell(self) -> None:
        self._pipe.send(("rows", self._rows))
        self._rows, self._told = 0, time.monotonic()


def _unlike(store: Store, _pipe: Connection, plan: TablePlan) -> dict[str, str]:
    return store.unlike(plan)


def _sums(store: Store, pipe: Connection, plan: TablePlan, scope: Scope, buckets: int) -> list[int]:
    found, counter = [0] * buckets, _Counter(pipe)
    old = [0] * (buckets if plan.aging is not None else 0)
    for batch in store.scan(plan, scope):
        if plan.aging is None:
            hashing.add(found, batch)
        else:
            fresh, aged = hashing.split(batch, plan.aging.has)
            hashing.add(found, fresh)
            hashing.add(old, aged)
        counter.add(batch)
    counter.tell()
    return found + old


def _digests(
    store: Store, pipe: Connection, plan: TablePlan, scope: Scope, chosen: bytes | None, limit: int
) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    counter = _Counter(pipe)
    for batch in store.scan(plan, scope):
        found.update(hashing.digests(batch, chosen))
        counter.add(batch)
        if len(found) > limit:
            raise TooMany(f"{plan.topic} has more than {limit} rows to look at at once")
    counter.tell()
    return found


def _fetch(store: Store, _pipe: Connection, plan: TablePlan, keys: Sequence[tuple[Any, ...]]) -> Rows:
    return store.fetch(plan, keys)


_ANSWERS: dict[str, Callable[..., Any]] = {
    "unlike": _unlike,
    "sums": _sums,
    "digests": _digests,
    "fetch": _fetch,
}
