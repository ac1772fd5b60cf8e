"""Kudu and HBase, each asked in a process of its own: Kudu's client can end the process it is in."""

from __future__ import annotations

from multiprocessing import get_context
from multiprocessing.connection import Connection

from models import Column, Kind, TableSchema
from parrot_faust.checkup.findings import Finding, failed, ok
from parrot_faust.errors import ParrotError
from parrot_faust.sinks.factory import SinkSpec, build

ANSWER_S = 45.0
#: Never made: only asked for.
PROBE = TableSchema.of(
    "parrot.check.probe",
    (Column("id", Kind.INT64, False),),
    ("id",),
    database="parrot",
    namespace="check",
    relation="probe",
)
CURES = {
    "kudu": "see whether its masters run at sinks.kudu.masters, and let this user in (parrot status: the local ones)",
    "hbase": "see whether both Thrift servers run at sinks.hbase.thrift and thrift2",
}


def look(spec: SinkSpec, timeout_s: float = ANSWER_S) -> Finding:
    """Connect to a store and ask it for a table that it need not have."""
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_ask, args=(spec, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        answer = ours.recv() if ours.poll(timeout_s) else f"no answer within {timeout_s:.0f} s"
    except EOFError:
        process.join(timeout_s)
        answer = f"its client ended the process with status {process.exitcode}"
    finally:
        process.kill()
        process.join()
        ours.close()
    return ok(_title(spec), "answers") if answer is None else failed(_title(spec), answer, CURES[spec.kind])


def _title(spec: SinkSpec) -> str:
    return {"kudu": "Kudu", "hbase": "HBase"}[spec.kind]


def _ask(spec: SinkSpec, answers: Connection) -> None:
    sink = build(spec)
    try:
        sink.open()
        sink.shape(PROBE)
    except (ParrotError, OSError) as error:
        answers.send(str(error) or type(error).__name__)
    else:
        answers.send(None)
    finally:
        sink.close()
