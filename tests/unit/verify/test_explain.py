"""Which reason a difference gets, and when it gets none."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from parrot_faust.names import Names
from parrot_faust.quality import load
from parrot_faust.verify.broker import Found
from parrot_faust.verify.differences import row_difference
from parrot_faust.verify.explain import Ruled, explained, ruler
from parrot_faust.verify.held import Held, Keys, held_of
from parrot_faust.verify.plan import ColumnPlan, TablePlan
from parrot_faust.verify.report import Reason, RowDifference
from parrot_faust.verify.stored import Logical

PLAN = TablePlan(
    "shop.public.t",
    "public",
    "t",
    (
        ColumnPlan("id", Logical.INT32, "int4", "integer"),
        ColumnPlan("price", Logical.DECIMAL, "numeric", "numeric(10,2)", scale=2),
        ColumnPlan("note", Logical.TEXT, "text", "text"),
    ),
    1,
    {"kudu": "public.t", "hbase": "public.t"},
)
NAMES = Names("app")
SOURCE = (1, "2.00", "new")
OLD = (1, "1.00", "new")


def difference() -> RowDifference:
    found = row_difference(PLAN, (1,), SOURCE, {"kudu": OLD, "hbase": OLD})
    assert found is not None
    return found


def held(*, quarantined: bool = True, sink: str = "") -> Held:
    return Held("place", 0, 5, quarantined, sink, "price between", "v1", "ValueRefused", "too large")


def reasons(found: RowDifference) -> list[Reason]:
    return [store.reason for store in found.stores]


def test_a_quarantined_change_explains_both_stores_and_names_rule_version_and_place() -> None:
    found = explained(difference(), [held()], None, frozenset())
    assert reasons(found) == [Reason.QUARANTINED, Reason.QUARANTINED]
    assert found.explained
    assert found.stores[0].detail == "by rule price between version v1: place"


def test_a_dead_letter_of_one_store_explains_that_store_alone() -> None:
    found = explained(difference(), [held(quarantined=False, sink="kudu")], None, frozenset())
    assert reasons(found) == [Reason.DEAD_LETTER, Reason.UNEXPLAINED]
    assert not found.explained


def test_a_column_that_no_change_has_carried_explains_only_what_differs_in_it() -> None:
    assert reasons(explained(difference(), (), None, frozenset({"price"})))[0] is Reason.SCHEMA_HELD
    assert reasons(explained(difference(), (), None, frozenset({"note"})))[0] is Reason.UNEXPLAINED


@pytest.mark.parametrize(
    ("action", "price", "expected"), [("drop", "-1.00", True), ("drop", "1.00", False), ("quarantine", "-1.00", False)]
)
def test_a_rule_that_drops_explains_a_row_that_breaks_it(action: str, price: str, expected: bool) -> None:
    rules = load(
        f"version: 1\ntable: shop.public.t\ncolumns: {{price: [{{be_between: {{min_value: 0}}, action: {action}}}]}}\n",
        "rules.yaml",
    )
    run = ruler(PLAN, rules)
    assert run is not None
    found = run((1, price, None))
    assert (found is not None) is expected
    if found is not None:
        assert (found.version, found.replaced) == (rules.version, None)
        assert reasons(explained(difference(), (), found, frozenset())) == [Reason.DROPPED, Reason.DROPPED]


def test_a_rule_that_puts_in_another_value_explains_exactly_that_value() -> None:
    rules = load(
        "version: 1\ntable: shop.public.t\n"
        "columns: {price: [{be_between: {min_value: 5}, action: default, default: '1.00'}]}\n",
        "rules.yaml",
    )
    run = ruler(PLAN, rules)
    assert run is not None
    found = run(SOURCE)
    assert found is None  # what was put in breaks the rule itself: the row is quarantined, which leaves a record
    ruled = Ruled("price between", "v", {"price": "1.00"})
    assert reasons(explained(difference(), (), ruled, frozenset())) == [Reason.REPLACED, Reason.REPLACED]
    other = Ruled("price between", "v", {"price": "3.00"})
    assert reasons(explained(difference(), (), other, frozenset())) == [Reason.UNEXPLAINED, Reason.UNEXPLAINED]


def test_what_a_rule_puts_in_is_found_by_running_it() -> None:
    rules = load(
        "version: 1\ntable: shop.public.t\n"
        "columns: {price: [{be_between: {max_value: 1.5}, action: default, default: 1}]}\n",
        "rules.yaml",
    )
    run = ruler(PLAN, rules)
    assert run is not None
    found = run(SOURCE)
    assert found is not None
    assert found.replaced == {"price": "1"}
    assert reasons(explained(difference(), (), found, frozenset())) == [Reason.REPLACED, Reason.REPLACED]


def test_without_rules_nothing_is_dropped() -> None:
    assert ruler(PLAN, None) is None


class Topics:
    """Topics of the source and its side topics, as lists of records."""

    def __init__(self, records: dict[str, list[Found]]) -> None:
        self.records = records

    def read(self, topic: str, take: Callable[[Found], None], start: Mapping[int, int] | None = None) -> None:
        for record in self.records.get(topic, []):
            if start is None or record.offset >= start.get(record.partition, 1 << 60):
                take(record)


def in_quarantine(offset: int) -> Found:
    headers = {"parrot.partition": "0", "parrot.offset": str(offset), "parrot.rule": "r", "parrot.rules_version": "v"}
    return Found(0, 3, b'{"id": 1}', b"{}", headers)


def found_of(*source: Found) -> dict[tuple[int, ...], list[int]]:
    topics = Topics({"app.quarantine.shop.public.t": [in_quarantine(5)], "shop.public.t": list(source)})
    result = held_of(PLAN, [(1,)], topics, NAMES, Keys(lambda _identity: None))
    return {key: [record.offset for record in records] for key, records in result.items()}


def record(offset: int, value: bytes | None = b"{}", key: bytes = b'{"id": 1}') -> Found:
    return Found(0, offset, key, value, {})


def test_a_held_record_counts_when_it_is_its_keys_last() -> None:
    assert found_of(record(5)) == {(1,): [5]}
    assert found_of(record(5), record(6, key=b'{"id": 2}')) == {(1,): [5]}
    assert found_of(record(5), record(6, None)) == {(1,): [5]}  # a tombstone only confirms


def test_a_held_record_with_a_newer_one_of_its_key_is_superseded() -> None:
    assert found_of(record(5), record(6)) == {}


def test_the_key_of_what_is_kept_without_it_is_read_in_the_source_topic() -> None:
    headers = {"parrot.partition": "0", "parrot.error": "ValueRefused", "parrot.withheld": "1"}
    dead = [Found(0, n, None, b"{}", {**headers, "parrot.offset": offset}) for n, offset in enumerate(("2", "5", "7"))]
    source = [record(2), record(5), record(7, key=b'{"id": 2}')]
    topics = Topics({"app.dead.shop.public.t": dead, "shop.public.t": source})
    found = held_of(PLAN, [(1,), (3,)], topics, NAMES, Keys(lambda _identity: None))
    assert {key: [(one.offset, one.error) for one in records] for key, records in found.items()} == {
        (1,): [(5, "ValueRefused")]
    }
    topics.records["shop.public.t"] = []  # nobody knows whose they are any more
    assert held_of(PLAN, [(1,)], topics, NAMES, Keys(lambda _identity: None)) == {}


def test_keys_are_read_from_json_with_and_without_schema_and_rubbish_is_no_key() -> None:
    keys = Keys(lambda _identity: None)
    assert keys(b'{"schema": {}, "payload": {"b": "x", "a": 1}}', ("a", "b")) == (1, "x")
    assert keys(b'{"b": "x", "a": 1}', ("a", "b")) == (1, "x")
    for data in (b"", b"\xff", b"[1]", b'{"a": 1}', b"\0\0\0\0\1rest"):
        assert keys(data, ("a", "b")) is None
