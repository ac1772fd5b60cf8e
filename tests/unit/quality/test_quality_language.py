"""The whole language of rule files: what each part becomes, and what is refused, all of it at once."""

from __future__ import annotations

import json

import pytest
from msgspec import UNSET
from rule_tables import ALL, change, compiled, passes

from models import Action, Change, Column, Kind, Op, Severity, TableSchema
from parrot_faust.errors import RuleError
from parrot_faust.quality import RuleSet, compile_rules, load
from parrot_faust.quality.rules import UPDATES, Breaker, When, Window

FILE = """
version: 1
table: shop.public.orders
defaults: {severity: critical, action: quarantine}
columns:
  country:
    - be_in_set: [NO, SE, DK]
      row_condition: status in ('shipped', 'paid') and amount > 0
      default: NO
  note: [{be_null: , ops: [d], image: before, action: warn}]
rows:
  - expect_column_pair_values_a_to_be_greater_than_b: {column_A: updated, column_B: created, or_equal: true}
  - condition: after.amount >= before.amount
    id: never-less
    ops: [u]
transitions:
  - {column: status, initial: [new], allow: {new: [paid, cancelled], paid: [shipped]}, action: drop}
immutable: [order_id, {column: created, severity: info}]
monotonic: [{column: version, strict: true}]
windows:
  - every: 1m
    grace: 5s
    checks:
      - expect_column_mean_to_be_between: {column: amount, min_value: 10, max_value: 400}
      - be_unique: {column: order_id, mostly: 0.99}
      - freshness: 5m
schema:
  - columns_to_match_set: [order_id, status]
breaker: {failed: 20%, within: 1m, at_least: 100, resume: 10m}
"""


def refused(text: str) -> list[RuleError]:
    with pytest.raises(RuleError) as caught:
        load(text, "t.yaml")
    return [caught.value, *caught.value.also]


def test_every_part_of_a_file_becomes_what_it_says() -> None:
    rules = load(FILE, "orders.yaml")
    by_id = {rule.id: rule for rule in rules.rules}
    assert list(by_id) == [
        "country.be_in_set",
        "note.be_null",
        "updated.created.pair_values_a_to_be_greater_than_b",
        "never-less",
        "status.transitions",
        "status.transitions.initial",
        "order_id.immutable",
        "created.immutable",
        "version.monotonic",
    ]
    country = by_id["country.be_in_set"]
    assert (country.action, country.default, country.when) == (Action.DEFAULT, "NO", UNSET)
    assert by_id["note.be_null"].when == When(("d",), "before")
    assert by_id["never-less"].when == When(("u",), "both")
    status = by_id["status.transitions"]
    assert (status.action, status.when) == (Action.DROP, UPDATES)
    assert status.kwargs == {"allow": [["new", ["paid", "cancelled"]], ["paid", ["shipped"]]]}
    assert by_id["status.transitions.initial"].when == When(("c",), "after")
    assert by_id["status.transitions.initial"].action is Action.DROP
    assert by_id["created.immutable"].severity is Severity.INFO
    assert by_id["version.monotonic"].kwargs == {"strict": True}
    (window,) = rules.windows
    assert (window.every_ms, window.grace_ms) == (60_000, 5_000)
    assert [(rule.id, rule.mostly) for rule in window.rules] == [
        ("amount.mean_to_be_between", 1), ("order_id.be_unique", 0.99), ("freshness", 1),
    ]  # fmt: skip
    assert [rule.id for rule in rules.shape] == ["columns_to_match_set"]
    assert rules.breaker == Breaker(0.2, 60_000, 100, 600_000)
    assert RuleSet.from_json(rules.to_json()) == rules
    assert len(rules.every_rule()) == 13


@pytest.mark.parametrize("word", ["null", "'null'", "~"])
def test_the_action_null_needs_no_quotes(word: str) -> None:
    (rule,) = load(f"table: t\ncolumns: {{a: [{{be_in_set: [1], action: {word}}}]}}", "t.yaml").rules
    assert rule.action is Action.NULL
    (rule,) = load(f"table: t\ndefaults: {{action: {word}}}\ncolumns: {{a: [{{be_in_set: [1]}}]}}", "t.yaml").rules
    assert rule.action is Action.NULL


def test_every_part_counts_for_the_version() -> None:
    versions = {load(FILE, "a.yaml").version}
    for old, new in [
        ("5m", "6m"),
        ("20%", "21%"),
        ("order_id, status]", "order_id]"),
        ("new: [paid", "new: [p"),
        ("5s", "6s"),
    ]:
        assert old in FILE
        versions.add(load(FILE.replace(old, new), "a.yaml").version)
    assert len(versions) == 6


def test_a_set_of_row_rules_has_the_version_it_always_had() -> None:
    # The rules table of an app that is brought up to date holds sets of the version before.
    rules = load("table: t\ncolumns: {a: [not_be_null, {be_between: {min_value: 1}}]}", "t.yaml")
    assert rules.version == "74b89bd769ba"


def test_all_errors_of_a_file_are_told_at_once_in_their_order() -> None:
    errors = refused(
        """table: t
when: {ops: [x]}
columns:
  a:
    - not_be_nul
    - be_between: {min_valu: 1}
    - be_between: {min_value: 5, max_value: 1}
  b: not_be_null
rows: [{condition: 'a ='}]
windows: [{every: soon, checks: []}, {every: 1m, checks: [freshnes]}]
breaker: {failed: 120%, within: 1m, at_least: 1}
tabel: u
"""
    )
    assert [error.line for error in errors] == [2, 5, 6, 7, 8, 9, 10, 10, 11, 12]
    texts = [str(error) for error in errors]
    for text, wanted in zip(
        texts,
        [
            "`ops` is a list",
            "did you mean not_be_null?",
            "did you mean min_value?",
            "is not below",
            "must hold a list of checks",
            "can't be read",
            "every must be a time such as 30s",
            "did you mean freshness?",
            "failed is a share",
            "did you mean table?",
        ],
        strict=True,
    ):
        assert wanted in text
        assert text.startswith("t.yaml:")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("columns: {a: [{be_unique: }]}", "is judged over a window of rows, so put it below `windows:`"),
        ("columns: {a: [{to_exist: }]}", "put it below `schema:`"),
        ("columns: {a: [immutable]}", "put it below `immutable:`"),
        ("rows: [{be_unique: {column: a}}]", "put it below `windows:`"),
        ("windows: [{every: 1m, checks: [{not_be_null: {column: a}}]}]", "put it below `columns: or rows:`"),
        ("windows: [{every: 1m, checks: [{be_unique: {column: a, action: drop}}]}]", "action has no meaning"),
        ("schema: [{column_to_exist: a, mostly: 1}]", "mostly has no meaning for a rule about the table's shape"),
        ("columns: {a: [{be_in_set: [1], action: default}]}", "needs `default:`"),
        ("columns: {a: [{be_in_set: [1], action: drop, default: 1}]}", "not put in by `action: drop`"),
        ("columns: {a: [{be_in_set: [1], default: [1]}]}", "default must be a text"),
        ("columns: {a: [{be_in_set: [1], default: 1, image: before}]}", "can't change the row before"),
        ("columns: {a: [{not_be_null: , action: 'null'}]}", "can't mend what must not be null"),
        ("rows: [{condition: a > 1, action: 'null'}]", "needs a check of one column"),
        ("immutable: [{column: a, action: 'null'}]", "needs a check of one column"),
        ("defaults: {action: 'null'}\nrows: [{condition: a > 1}]", "needs a check of one column"),
        ("defaults: {action: default}", "each rule has a default of its own"),
        ("rows: [{condition: before.a > 1, image: before}]", "can't be meant as well"),
        ("transitions: [{column: a, allow: [new]}]", "allow must be states"),
        ("transitions: [{column: a, allow: {new: paid}}]", "allow must be states"),
        ("transitions: [{column: a, alow: {new: [paid]}}]", "did you mean allow?"),
        ("immutable: [5]", "is no name of a column"),
        ("breaker: {failed: 20%}", "`breaker:` needs within"),
        ("breaker: {failed: 1, within: 1m, at_least: 5}", "below 100%"),
        ("breaker: {failed: x%, within: 1m, at_least: 5}", "failed is a share"),
        ("breaker: {failed: 20%, within: 1m, at_least: 0}", "at_least is a number of rows"),
        ("breaker: {failed: 20%, within: 1m, at_least: 5, resum: 1m}", "did you mean resume?"),
        ("windows: [{every: 1m}]", "a list of `checks:`"),
        ("windows: [{every: 1m, checks: [{volume: {}}]}]", "needs min_share or max_share"),
        ("columns: {a: [{match_json_schema: {type: 5}}]}", "no JSON Schema"),
        ("columns: {a: [{match_json_schema: {'$ref': 'http://example.org/x'}}]}", "nothing is fetched"),
        ("columns: {a: [{match_json_schema: {patternProperties: {a: {}}}}]}", "without a time limit"),
        ("columns: {a: [{match_strftime_format: '%Q'}]}", "is no format"),
    ],
)
def test_a_wrong_part_is_refused_with_what_was_meant(text: str, complaint: str) -> None:
    (error,) = refused(f"table: t\n{text}\n")
    assert complaint in str(error)


def test_another_table_or_a_query_is_refused_by_name_with_the_reason() -> None:
    for name in ("expect_table_row_count_to_equal_other_table", "unexpected_rows_expectation"):
        (error,) = refused(json.dumps({"name": "t", "expectations": [{"type": name, "kwargs": {}}]}))
        assert name in str(error)
        assert "another table or a query" in str(error)


# -- suites ----------------------------------------------------------------------------------------------------------


def test_a_suite_s_parts_go_where_they_belong_and_its_tree_of_conditions_is_read() -> None:
    tree = {
        "type": "and",
        "conditions": [
            {"type": "comparison", "column": {"name": "odd name"}, "operator": "IN", "parameter": ["a'b", "c"]},
            {"type": "nullity", "column": {"name": "b"}, "is_null": False},
            {"type": "or", "conditions": [
                {"type": "comparison", "column": {"name": "b"}, "operator": ">=", "parameter": 1.5},
                {"type": "comparison", "column": {"name": "b"}, "operator": "!=", "parameter": 2},
            ]},
        ],
    }  # fmt: skip
    suite = {
        "name": "t",
        "expectations": [
            {
                "type": "expect_column_values_to_not_be_null",
                "kwargs": {"column": "a", "row_condition": tree, "condition_parser": "great_expectations"},
                "meta": {"parrot": {"action": "drop", "id": "mine"}, "owner": "x"},
                "severity": "warning",
            },
            {
                "type": "expect_column_mean_to_be_between",
                "kwargs": {"column": "b", "min_value": 1, "strict_min": False},
            },
            {"type": "expect_column_to_exist", "kwargs": {"column": "a"}},
        ],
        "meta": {"great_expectations_version": "1.24.1", "parrot": {"every": "5m"}},
    }
    rules = load(json.dumps(suite), "suite.json")
    (rule,) = rules.rules
    assert (rule.id, rule.action, rule.severity) == ("mine", Action.DROP, Severity.WARNING)
    assert isinstance(rules.windows[0], Window)
    assert rules.windows[0].every_ms == 300_000
    assert [one.type for one in rules.shape] == ["expect_column_to_exist"]
    columns = (Column("a", Kind.INT64), Column("odd name", Kind.STRING), Column("b", Kind.FLOAT64))
    made = compile_rules(rules, TableSchema.of("t", columns, ()))
    rows = [(None, "a'b", 1.0), (None, "c", 2.0), (None, "c", None), (None, "x", 1.0), (1, "c", 5.0), (None, "c", 5.0)]
    changes = [Change(Op.CREATE, n, n, 0, (n,), None, row) for n, row in enumerate(rows)]
    assert [position for position, _ in made.scan(changes)] == [0, 1, 5]


def test_a_suite_s_own_words_are_checked_as_well() -> None:
    entry = {
        "type": "expect_column_values_to_be_null",
        "kwargs": {"column": "a"},
        "meta": {"parrot": {"acton": "drop"}},
    }
    (error,) = refused(json.dumps({"name": "t", "expectations": [entry]}))
    assert "did you mean action?" in str(error)


def test_json_s_own_escapes_of_rare_characters_are_read() -> None:
    suite = {
        "name": "t",
        "expectations": [
            {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "a", "value_set": ["😀", "ø"]}}
        ],
    }
    (rule,) = load(json.dumps(suite), "t.json").rules
    assert rule.kwargs["value_set"] == ["😀", "ø"]


EITHER = "rows: [{pair_values_to_be_equal: {column_A: int64, column_B: other, ignore_row_if: either_value_is_missing}}]"
PAIRS = "rows: [{pair_values_to_be_in_set: {column_A: int64, column_B: flag, value_pairs_set: [[1, a], [2, null]]}}]"

# -- what rules let through ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "values", "expected"),
    [
        (
            "rows: [{multicolumn_sum_to_equal: {column_list: [int64, other], sum_total: 5}}]",
            {"int64": 2, "other": 3},
            True,
        ),
        ("rows: [{multicolumn_sum_to_equal: {column_list: [int64, other], sum_total: 5}}]", {"int64": 2}, False),
        ("rows: [{multicolumn_sum_to_equal: {column_list: [int64, other], sum_total: 5}}]", {}, True),
        ("rows: [{multicolumn_values_to_be_equal: {column_list: [int64, other]}}]", {"int64": 2, "other": 2}, True),
        ("rows: [{multicolumn_values_to_be_equal: {column_list: [int64, other]}}]", {"int64": 2}, False),
        (
            "rows: [{select_column_values_to_be_unique_within_record: {column_list: [int64, other]}}]",
            {"int64": 2, "other": 2},
            False,
        ),
        (
            "rows: [{select_column_values_to_be_unique_within_record: {column_list: [int64, other]}}]",
            {"int64": 2},
            True,
        ),
        (PAIRS, {"int64": 1, "flag": "a"}, True),
        (PAIRS, {"int64": 2}, True),
        (PAIRS, {"int64": 1}, False),
        (
            EITHER,
            {"int64": 1},
            True,
        ),
        ("rows: [{pair_values_to_be_equal: {column_A: int64, column_B: other, ignore_row_if: neither}}]", {}, False),
        ("rows: [{condition: int64 > other or flag is null}]", {"int64": 1, "other": 2, "flag": "x"}, False),
        ("rows: [{condition: int64 > other or flag is null}]", {"int64": 1, "other": 2}, True),
        ("rows: [{condition: int64 > other, row_condition: flag == 'x'}]", {"int64": 1, "other": 2}, True),
    ],
)
def test_rules_of_several_columns(more: str, values: dict[str, object], expected: bool) -> None:
    assert passes("", more=more, **values) is expected


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        ("match_regex_list: ['^a', 'z$']", ["ab", "xz"], ["b"]),
        ("match_regex_list: {regex_list: ['^a', 'z$'], match_on: all}", ["az"], ["ab", "xz"]),
        ("not_match_regex_list: ['^a', 'z$']", ["b"], ["ab", "xz"]),
        ("match_strftime_format: '%Y-%m-%d'", ["2024-02-29"], ["2024-02-30", "x"]),
        ("be_json_parseable: ", ['{"a": 1}', "5"], ["{", "", "[" * 100_000]),
        ("match_json_schema: {type: object, required: [a]}", ['{"a": 1}'], ["{}", "5", "{"]),
        ("match_json_schema: {type: string, pattern: '^a+$'}", ['"aa"'], ['"b"']),
        (
            "value_lengths_to_be_between: {min_value: 1, max_value: 3, strict_min: true, strict_max: true}",
            ["ab"],
            ["a", "abc"],
        ),
    ],
)
def test_checks_of_texts(check: str, good: list[str], bad: list[str]) -> None:
    for text, expected in [*((one, True) for one in good), *((one, False) for one in bad)]:
        assert passes(f"string: [{{{check}}}]", string=text) is expected, text[:20]


def update(before: dict[str, object], **after: object) -> Change:
    made = change(Op.UPDATE, **after)
    made.before = change(**before).after
    return made


@pytest.mark.parametrize(
    ("more", "before", "after", "expected"),
    [
        ("transitions: [{column: flag, allow: {new: [paid]}}]", "new", "paid", True),
        ("transitions: [{column: flag, allow: {new: [paid]}}]", "new", "new", True),
        ("transitions: [{column: flag, allow: {new: [paid]}}]", "paid", "new", False),
        ("transitions: [{column: flag, allow: {new: [paid]}}]", "new", None, False),
        ("transitions: [{column: flag, allow: {new: [paid, null]}}]", "new", None, True),
        ("transitions: [{column: flag, allow: {new: [paid]}}]", None, "shipped", True),
        ("transitions: [{column: flag, allow: {null: [new], new: [paid]}}]", None, "shipped", False),
        ("immutable: [flag]", "a", "a", True),
        ("immutable: [flag]", "a", None, False),
        ("immutable: [flag]", None, None, True),
        ("immutable: [{column: flag, row_condition: before.flag == 'a'}]", "b", "c", True),
        ("immutable: [{column: flag, row_condition: before.flag == 'a'}]", "a", "c", False),
        ("monotonic: [flag]", "a", "a", True),
        ("monotonic: [flag]", "b", "a", False),
        ("monotonic: [{column: flag, strict: true}]", "a", "a", False),
        ("monotonic: [{column: flag, decreasing: true}]", "b", "a", True),
        ("monotonic: [flag]", "b", None, False),
        ("monotonic: [flag]", None, "a", True),
    ],
)
def test_what_a_change_may_do(more: str, before: str | None, after: str | None, expected: bool) -> None:
    rules = compiled("", more)
    assert not rules.suspended
    assert (rules.scan([update({"flag": before}, flag=after)]) == []) is expected


def test_states_of_a_column_of_numbers_are_numbers() -> None:
    rules = compiled("", "transitions: [{column: int64, allow: {1: [2]}}]")
    assert rules.scan([update({"int64": 1}, int64=2), update({"int64": 2}, int64=1)]) == [(1, 1)]


def test_a_value_that_the_update_left_out_is_unchanged() -> None:
    rules = compiled("", "immutable: [flag]\ntransitions: [{column: string, allow: {a: [b]}}]")
    one = update({"flag": "a", "string": "a"})
    one.unset = tuple(index for index, column in enumerate(ALL.columns) if column.name in ("flag", "string"))
    assert rules.scan([one]) == []


def test_rules_that_look_at_other_changes_stand_side_by_side() -> None:
    rules = compiled(
        "int64: [{be_in_set: [1]}, {be_in_set: [2], ops: [d], image: before}]\n  string: [{be_in_set: [a], ops: [u]}]",
        "immutable: [flag]",
    )
    changes = [
        change(int64=1),
        change(int64=2),
        change(Op.DELETE, int64=1),
        change(Op.DELETE, int64=2),
        update({"flag": "a"}, int64=1, string="b", flag="b"),
        change(Op.CREATE, int64=1, string="b"),
    ]
    assert rules.scan(changes) == [(1, 0b0001), (2, 0b0010), (4, 0b1100)]


@pytest.mark.parametrize(
    ("column", "default", "fits"),
    [
        (Column("c", Kind.INT8), 5, True),
        (Column("c", Kind.INT8), 300, False),
        (Column("c", Kind.INT64), "5", False),
        (Column("c", Kind.STRING), "x", True),
        (Column("c", Kind.BOOL), True, True),
        (Column("c", Kind.BOOL), 1, False),
        (Column("c", Kind.DATE), "2024-02-29", True),
        (Column("c", Kind.DATE), "soon", False),
        (Column("c", Kind.DECIMAL, precision=4, scale=2), 1.5, True),
        (Column("c", Kind.DECIMAL, precision=4, scale=2), 1.555, False),
        (Column("c", Kind.DECIMAL, precision=4, scale=2), 100, False),
        (Column("c", Kind.FLOAT64), 1, True),
    ],
)
def test_a_default_that_is_no_value_of_the_column_is_told_and_its_rows_are_quarantined(
    column: Column, default: object, fits: bool
) -> None:
    rules = load(json.dumps({"table": "t", "columns": {"c": [{"be_null": None, "default": default}]}}), "t.yaml")
    made = compile_rules(rules, TableSchema.of("t", (column,), ()))
    assert [concern.rule.id for concern in made.concerns] == ([] if fits else ["c.be_null"])
    assert made.action(1) is (Action.DEFAULT if fits else Action.QUARANTINE)


def test_a_change_that_can_not_be_mended_stays_as_it_came() -> None:
    rules = compiled("other: [not_be_null, {be_in_set: [1], action: 'null'}]")
    one = change(other=5)
    came = one.after
    action, failures = rules.settle(one, 0b10)
    assert (action, [failure.rule for failure in failures]) == (
        Action.QUARANTINE, ["other.be_in_set", "other.not_be_null"],
    )  # fmt: skip
    assert one.after == came
