"""The inside of a sink's process: decodes chunks, reduces them, writes them, and answers with data."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

import msgspec

from models import AppliedDdl, Chunk, PlannedDdl, Row, RowFailure, TableSchema
from parrot_faust import failpoints
from parrot_faust.delivery.chunks import run_of
from parrot_faust.delivery.isolation import write_reduced
from parrot_faust.errors import LeaseExpired, SinkUnavailable, TableRefused
from parrot_faust.sinks.base import Sink
from parrot_faust.sinks.factory import SinkSpec, build, load

CALL_S = 5.0  # a store call's own limit, also when the lease would allow more
PR_SET_PDEATHSIG = 1

_decoder = msgspec.msgpack.Decoder(Chunk)
_sink: Sink | None = None
_spec: SinkSpec | None = None
_between_tables: Callable[[], None] = failpoints.at("host.between_tables")
_after_ddl: Callable[[], None] = failpoints.at("host.after_ddl")
#: Changes made to tables, by table and shape, that no answer has told of yet: the call that made them may have failed
#: afterwards.
_untold: dict[tuple[str, str], list[AppliedDdl]] = {}
#: Rows that the store has refused by themselves, by table, source partition, offset and version, of calls that were not
#: answered for another reason: each try then goes further than the one before.
_refused: dict[tuple[str, int, int, int], RowFailure] = {}


class ChunkFailure(msgspec.Struct, frozen=True, array_like=True):
    """A row that was not applied, by its offset in the source partition."""

    offset: int
    transient: bool
    error: str
    message: str


class ChunkResult(msgspec.Struct, frozen=True, array_like=True):
    """What became of a chunk: rows not named in `failures` are durable, or folded into a later one that is."""

    rows: int
    failures: tuple[ChunkFailure, ...] = ()
    ddl: tuple[AppliedDdl, ...] = ()


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """The answer to a call: results, or why there are none. Errors travel as data: theirs need not be picklable."""

    results: tuple[ChunkResult, ...] = ()
    unavailable: str = ""
    expired: bool = False


class Creations(msgspec.Struct, frozen=True):
    """What would have to be made, or why that is not known."""

    planned: list[PlannedDdl] = []
    unavailable: str = ""


class _Unmade(Exception):
    """A table could not be made, for a reason that may pass. A signal within this file."""

    def __init__(self, reason: SinkUnavailable) -> None:
        self.reason = reason
        super().__init__(str(reason))


def begin(spec: SinkSpec) -> None:
    """Prepare the process: it ends with its parent, and leaves Ctrl-C to it."""
    global _spec, _between_tables, _after_ddl
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _spec = spec
    _between_tables = failpoints.at(f"{spec.kind}_host.between_tables")
    _after_ddl = failpoints.at(f"{spec.kind}_host.after_ddl")


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)  # at once: what is half done has a deadline, and its batch was not settled


def identity() -> int:
    """The process's id, once its client is loaded: a call that had to do that first might not end within its lease."""
    if _spec is not None:
        load(_spec)
    return os.getpid()


def write(chunks: Sequence[bytes], lease: float) -> bytes:
    """Write chunks; return an encoded `Answer`."""
    return msgspec.msgpack.encode(_write([_decoder.decode(chunk) for chunk in chunks], lease))


def creations(schema: bytes) -> bytes:
    """The statements that would make the table of an encoded schema; none when it is there."""
    try:
        planned = _opened().plan(msgspec.msgpack.decode(schema, type=TableSchema))
    except SinkUnavailable as error:
        return msgspec.msgpack.encode(Creations(unavailable=str(error)))
    except TableRefused:  # it is there and does not fit, which its rows are told
        return msgspec.msgpack.encode(Creations())
    return msgspec.msgpack.encode(Creations([each for each in planned if each.change == "CreateTable"]))


def _write(chunks: list[Chunk], lease: float) -> Answer:
    results: list[ChunkResult] = []
    made = _made()
    missing: Mapping[str, SinkUnavailable] = {}
    try:
        sink = _opened()
        missing = _make_tables(sink, chunks, lease)
        for _, group in groupby(chunks, key=run_of):
            if results:
                _between_tables()
            results.extend(_write_group(sink, list(group), lease, missing))
    except _Unmade as unmade:
        return _unanswered(unmade.reason, made)
    except SinkUnavailable as error:
        return Answer(unavailable=str(error))
    except LeaseExpired:
        return _unanswered(next(iter(missing.values()), None), made)
    told = {(chunk.schema.table, chunk.schema.fingerprint) for chunk in chunks}
    if others := [change for of, changes in _untold.items() if of not in told for change in changes]:
        # Made for a batch that was taken away since: whoever has it now finds them there, and does not tell.
        results[0] = msgspec.structs.replace(results[0], ddl=(*results[0].ddl, *others))
    _untold.clear()
    _refused.clear()
    return Answer(tuple(results))


def _unanswered(reason: SinkUnavailable | None, made: int) -> Answer:
    """The answer where the time was over first. When it went into making tables the next call needs no pause; when
    none could be made it is an outage, and said, however short the lease was.
    """
    if reason is None or _made() > made:
        return Answer(expired=True)
    return Answer(unavailable=str(reason))


def _made() -> int:
    """How much was done to tables that no answer has told of."""
    return sum(map(len, _untold.values()))


def _make_tables(sink: Sink, chunks: list[Chunk], lease: float) -> Mapping[str, SinkUnavailable]:
    """Make the tables that chunks of several need, as far as that goes together. Return by fingerprint why the store
    gave no answer for a shape.
    """
    shapes = {chunk.schema.fingerprint: chunk.schema for chunk in chunks}
    if len(shapes) < 2:
        return {}
    done, failed = sink.ensure_all(shapes.values(), _deadline(lease))
    for schema, changes in done:
        _untold.setdefault((schema.table, schema.fingerprint), []).extend(changes)
    if any(changes for _, changes in done):
        _after_ddl()
    return failed


def _opened() -> Sink:
    global _sink
    if _sink is None:
        assert _spec is not None
        sink = build(_spec)
        sink.open()
        _sink = sink
    return _sink


def _deadline(lease: float) -> float:
    now = time.monotonic()
    if now >= lease:
        raise LeaseExpired("the lease ran out before the rows were sent")
    return min(lease, now + CALL_S)


def _write_group(
    sink: Sink, chunks: list[Chunk], lease: float, missing: Mapping[str, SinkUnavailable]
) -> list[ChunkResult]:
    schema = chunks[0].schema
    failures: list[list[ChunkFailure]] = [[] for _ in chunks]
    untold = _untold.setdefault((schema.table, schema.fingerprint), [])
    try:
        if reason := missing.get(schema.fingerprint):  # asked for just now, in this call
            raise _Unmade(reason)
        if done := _ensure(sink, schema, lease):
            untold += done
            _after_ddl()
        untold += _write_rows(sink, schema, chunks, failures, lease)
    except TableRefused as error:
        name = type(error).__name__
        failures = [[ChunkFailure(row.offset, False, name, str(error)) for row in chunk.rows] for chunk in chunks]
    return [
        ChunkResult(len(chunk.rows), tuple(failed), tuple(untold) if index == 0 else ())
        for index, (chunk, failed) in enumerate(zip(chunks, failures, strict=True))
    ]


def _ensure(sink: Sink, schema: TableSchema, lease: float) -> Sequence[AppliedDdl]:
    try:
        return sink.ensure(schema, _deadline(lease))
    except SinkUnavailable as error:
        raise _Unmade(error) from error


def _write_rows(
    sink: Sink, schema: TableSchema, chunks: list[Chunk], failures: list[list[ChunkFailure]], lease: float
) -> Sequence[AppliedDdl]:
    rows: list[Row] = []
    origins: list[int] = []
    for index, chunk in enumerate(chunks):
        own = _not_refused(chunk, failures[index]) if _refused else chunk.rows
        rows.extend(own)
        origins.extend([index] * len(own))

    def remember(position: int, failure: RowFailure) -> None:
        _refused[_identity(chunks[origins[position]], rows[position])] = failure

    written = write_reduced(
        rows, schema.key_positions(), lambda reduced: sink.write(schema, reduced, _deadline(lease)), remember
    )
    for position, failure in written.failures:
        failures[origins[position]].append(_named(rows[position], failure))
    return written.ddl


def _not_refused(chunk: Chunk, failed: list[ChunkFailure]) -> list[Row]:
    """The rows of a chunk that no earlier try has found to be refused; the others are put among the failures."""
    rows = []
    for row in chunk.rows:
        if (failure := _refused.get(_identity(chunk, row))) is None:
            rows.append(row)
        else:
            failed.append(_named(row, failure))
    return rows


def _identity(chunk: Chunk, row: Row) -> tuple[str, int, int, int]:
    return chunk.header.table, chunk.header.partition, row.offset, row.version


def _named(row: Row, failure: RowFailure) -> ChunkFailure:
    return ChunkFailure(row.offset, failure.transient, failure.error, failure.message)
