"""The letters that `changes` makes of records that it holds back: what a mask hides stays out of them."""

from __future__ import annotations

from collections.abc import Sequence

from models import Change, DeadLetter, RuleFailure, Stage
from parrot_faust.errors import TableRefused, UnknownSchema
from parrot_faust.masking import Masking, TableMask
from parrot_faust.transport import Batch


def dead_letter(masking: Masking, batch: Batch, index: int, error: str, message: str, version: int) -> DeadLetter:
    """The letter of the record at `index` of a batch, which could not be decoded or taken."""
    record = batch.records[index]
    withheld = batch.topic in masking  # what can't be masked stays where it is: in the source topic
    return DeadLetter(
        topic=batch.topic,
        partition=batch.partition,
        offset=record.offset,
        key=None if withheld else record.key,
        value=masking.withheld(record.key, record.value) if withheld else record.value,
        withheld=withheld,
        stage=Stage.DECODE,
        error=error,
        message=message,
        timestamp_ms=record.timestamp,
        headers=() if withheld else tuple(record.headers),
        version=version,
    )


def quarantined(
    batch: Batch, change: Change, failures: Sequence[RuleFailure], version: int, mask: TableMask | None
) -> DeadLetter:
    """The letter of a change that rules hold back."""
    record = batch.records[change.index]
    if mask:
        failures = mask.failures(failures)
    return DeadLetter(
        topic=batch.topic,
        partition=batch.partition,
        offset=record.offset,
        key=mask.record_key(change) if mask else record.key,
        value=mask.record(change) if mask else record.value,
        masked=mask.columns if mask else (),
        stage=Stage.CHECK,
        error="RuleFailed",
        message="; ".join(f"{failure.rule}: {failure.reason}" for failure in failures),
        timestamp_ms=record.timestamp,
        rule=",".join(failure.rule for failure in failures),
        rules_version=failures[0].version,
        headers=() if mask else tuple(record.headers),
        version=version,
    )


def shown(masking: Masking, table: str, error: Exception) -> str:
    """An error's text as it may be shown: what a decoder says of a value may hold it."""
    if table not in masking or isinstance(error, TableRefused | UnknownSchema):
        return str(error)
    return "the text may hold values and is left out, because the table has masked columns"
