"""Where one row is: each of the answers, and which goes before which."""

from __future__ import annotations

import pytest

from models import Column, Kind, TableSchema
from parrot_faust.creation import HBaseTable
from parrot_faust.errors import SettingsError
from parrot_faust.verify.held import Held
from parrot_faust.verify.tracing import Last, key_of, plan_of, told

HELD = Held("app.quarantine.t[0] offset 4", 0, 9, True, "", "n.max", "v1", "RuleFailed", "n is 5")
DEAD = Held("app.dead.t[0] offset 2", 0, 9, False, "kudu", "", "", "CellTooLarge", "body has 70000 bytes")
LAST = Last(0, 9, False)


def shape(*kinds: Kind) -> TableSchema:
    columns = tuple(Column(f"k{place}", kind) for place, kind in enumerate(kinds))
    return TableSchema.of("p.s.t", columns, tuple(column.name for column in columns), namespace="s", relation="t")


def test_a_key_is_typed_as_its_values() -> None:
    assert key_of(shape(Kind.INT32), "17") == (17,)
    assert key_of(shape(Kind.STRING), "a|b") == ("a|b",)
    assert key_of(shape(Kind.INT64, Kind.STRING), "-5|x") == (-5, "x")
    for kinds, text in (((Kind.INT32,), "x"), ((Kind.INT32, Kind.STRING), "1"), ((Kind.DATE,), "2024-01-01")):
        with pytest.raises(SettingsError):
            key_of(shape(*kinds), text)


def test_only_the_key_s_columns_are_read() -> None:
    plan = plan_of(shape(Kind.INT32), {"kudu": "s.t"}, HBaseTable())
    assert ([column.name for column in plan.columns], plan.keys, plan.topic) == (["k0"], 1, "p.s.t")
    assert (plan.family, plan.row_key, plan.salt) == ("d", "text", 1)


def test_a_row_is_looked_for_under_the_row_key_that_it_has_in_hbase() -> None:
    plan = plan_of(shape(Kind.INT32), {"hbase": "s.t"}, HBaseTable(family="f", row_key="binary", salt=4))
    assert (plan.family, plan.row_key, plan.salt) == ("f", "binary", 4)


@pytest.mark.parametrize(
    ("present", "last", "held", "taken", "written", "state"),
    [
        (True, LAST, (), True, True, "applied"),
        (True, None, (), True, True, "applied"),
        (True, LAST, (HELD,), True, True, "older"),
        (True, LAST, (), False, True, "older"),
        (False, LAST, (HELD,), True, True, "quarantined"),
        (False, LAST, (HELD,), False, True, "quarantined"),
        (False, LAST, (DEAD,), True, True, "dead letter"),
        (False, LAST, (), False, True, "in flight"),
        (False, LAST, (), True, False, "in flight"),
        (False, LAST, (), True, True, "missing"),
        (False, Last(0, 10, True), (), True, True, "deleted"),
        (False, None, (), True, True, "never seen"),
        ("kudu does not answer", LAST, (HELD,), True, True, "not known"),
    ],
)
def test_every_answer_has_its_reason(
    present: bool | str, last: Last | None, held: tuple[Held, ...], taken: bool, written: bool, state: str
) -> None:
    found = told({"kudu": present}, last, held, taken, {"kudu": written})
    assert found["kudu"]["state"] == state
    assert found["kudu"]["words"]


def test_a_dead_letter_of_one_store_is_no_reason_for_the_other() -> None:
    found = told({"kudu": False, "hbase": True}, LAST, (DEAD,), True, {})
    assert (found["kudu"]["state"], found["hbase"]["state"]) == ("dead letter", "applied")
    assert "CellTooLarge: body has 70000 bytes" in found["kudu"]["words"]
