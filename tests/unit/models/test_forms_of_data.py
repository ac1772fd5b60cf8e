from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

import models
from models import Action, Change, Column, DeadLetter, Kind, Op, Row, RowFailure, RowOp, Severity, Stage, WriteResult


def test_operations_are_debeziums_codes() -> None:
    assert "".join(Op) == "cudrtm"
    assert Op("d") is Op.DELETE


def test_strictest_action_is_the_last() -> None:
    assert list(Action) == ["warn", "default", "null", "drop", "quarantine", "fail"]
    assert list(Severity) == ["critical", "warning", "info"]


@pytest.mark.parametrize("stage", Stage)
def test_only_what_a_check_held_back_is_quarantined(stage: Stage) -> None:
    letter = DeadLetter("t", 0, 1, None, None, stage, "DecodeError", "no event")
    assert letter.quarantined is (stage is Stage.CHECK)


def test_dead_letter_keeps_every_byte_and_tells_absent_from_empty() -> None:
    every = bytes(range(256))
    for key, value in ((every, every), (b"", b""), (None, None), (every, None)):
        letter = DeadLetter("t", 3, 1 << 62, key, value, Stage.WRITE, "e", "m\0ü", "kudu", 5, False, "r", "v")
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(letter), type=DeadLetter) == letter


def test_failure_of_a_row_travels_as_it_is() -> None:
    result = WriteResult(3, (RowFailure(1, False, "ValueRefused", "too long"),))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(result), type=WriteResult) == result


def test_row_is_written_without_names_of_fields() -> None:
    # A chunk holds hundreds; names would be most of it.
    row = Row(7, 9, RowOp.UPSERT, (1, "x"), (1,))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(row)) == [7, 9, 0, [1, "x"], [1]]


def test_every_kind_is_documented() -> None:
    text = Kind.__doc__ or ""
    assert [kind for kind in Kind if kind.name not in text and kind.name not in ("INT16", "INT32")] == []


def test_defaults_are_the_common_case() -> None:
    assert Column("c", Kind.STRING) == Column("c", Kind.STRING, True, None, None, "")
    assert Change(Op.CREATE, 0, 0, 0, (1,), None, (1,)).unset == ()


def test_all_of_it_is_exported() -> None:
    assert sorted(models.__all__) == models.__all__
    assert all(getattr(models, name).__module__.startswith("models.") for name in models.__all__)


def test_importing_the_models_needs_nothing_but_msgspec() -> None:
    script = (
        "import sys, msgspec; before = set(sys.modules); import models;"
        "print({m.partition('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names))"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "{'models'}"
