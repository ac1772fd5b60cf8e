"""One table, three forms on the wire, the same changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from debezium_events import KEY_ID, ORDER, ORDERS, PLACEHOLDER, TOPIC, VALUE_ID, Field, Record, Table, records

from models import Kind, Op
from parrot_faust.codec import Decoded, Decoder
from parrot_faust.errors import DecodeError, SettingsError, TableRefused, UnknownSchema

DECLARED = {
    TOPIC: {
        "amount": "decimal(10,2) base64",
        "created": "timestamp",
        "changed": "timestamp",
        "customer": "int32",
    }
}
FORMS = ["avro", "described", "plain"]


def decoder(table: Table | None = None, **settings: Any) -> Decoder:
    table = table or Table()
    made = Decoder(**settings)
    made.learn(table.value_id, json.dumps(table.value_schema()))
    made.learn(table.key_id, json.dumps(table.key_schema()))
    return made


def writer(table: Table, form: str) -> Callable[..., tuple[bytes | None, bytes]]:
    return getattr(table, form)  # type: ignore[no-any-return]


def changes_of(decoded: Decoded) -> list[Any]:
    assert not decoded.failures, [str(failure.error) for failure in decoded.failures]
    return [change for segment in decoded.segments for change in segment.changes]


ROW = (
    1234,
    77,
    "paid",
    Decimal("1234.56"),
    True,
    1.5,
    1_700_000_000_123_456,
    1_700_000_000_123_456,
    "leave it at the neighbour's, please",
    '{"gift": true}',
)


@pytest.mark.parametrize("form", FORMS)
def test_insert_update_delete_and_tombstone_are_told_apart(form: str) -> None:
    write = writer(Table(), form)
    batch = records(
        write("r", None, ORDER), write("c", None, ORDER), write("u", ORDER, {**ORDER, "paid": False}),
        write("d", ORDER, None), (write("c", None, ORDER)[0], None),
    )  # fmt: skip
    decoded = decoder(columns=DECLARED).decode(TOPIC, batch)
    changes = changes_of(decoded)
    assert [change.op for change in changes] == [Op.READ, Op.CREATE, Op.UPDATE, Op.DELETE]
    assert [change.after for change in changes] == [ROW, ROW, (*ROW[:4], False, *ROW[5:]), None]
    assert [change.before for change in changes] == [None, None, ROW, ROW]
    assert [change.key for change in changes] == [(1234,)] * 4
    assert [(change.index, change.offset) for change in changes] == [(place, 100 + place) for place in range(4)]
    assert {change.time_us for change in changes} == {1_700_000_000_123_456}
    assert (decoded.tombstones, decoded.skipped, len(decoded.segments)) == (1, 0, 1)


def test_avro_and_json_with_schema_make_the_very_same_shape() -> None:
    table = Table()
    decoded = decoder().decode(TOPIC, records(table.avro("c", None, ORDER), table.described("c", None, ORDER)))
    (segment,) = decoded.segments
    assert segment.changes[0].after == segment.changes[1].after
    assert segment.schema.key == ("id",)
    schema = segment.schema
    assert (schema.table, schema.database, schema.namespace, schema.relation) == (TOPIC, "shopdb", "public", "orders")


@pytest.mark.parametrize("form", FORMS)
def test_an_unchanged_toast_value_is_unset_and_not_data(form: str) -> None:
    table = Table((*ORDERS, Field("photo", "bytes"), Field("tags", "array", items=Field("x", "string"))))
    full = {**ORDER, "photo": b"\x01\x02", "tags": ["a"]}
    hidden = {**full, "note": PLACEHOLDER, "photo": PLACEHOLDER.encode(), "tags": [PLACEHOLDER]}
    write = writer(table, form)
    first, second = changes_of(decoder(table).decode(TOPIC, records(write("c", None, full), write("u", None, hidden))))
    assert first.unset == ()
    assert second.unset == (8, 10, 11)
    assert [second.after[place] for place in second.unset] == [None, None, None]


@pytest.mark.parametrize("form", FORMS)
def test_a_key_change_is_a_delete_and_a_create_whatever_the_headers(form: str) -> None:
    write = writer(Table(), form)
    (old_key, gone), (new_key, made) = write("d", ORDER, None), write("c", None, {**ORDER, "id": 5})
    batch = [
        Record(1, old_key, gone, headers=(("__debezium.newkey", new_key or b""),)),
        Record(2, old_key, None),
        Record(3, new_key, made, headers=(("__debezium.oldkey", b"\xff\x00"),)),
    ]
    decoded = decoder().decode(TOPIC, batch)
    assert [(change.op, change.key) for change in changes_of(decoded)] == [(Op.DELETE, (1234,)), (Op.CREATE, (5,))]
    assert decoded.tombstones == 1


@pytest.mark.parametrize("form", FORMS)
def test_composite_keys_keep_the_message_keys_order(form: str) -> None:
    table = Table(key=("id", "customer"))
    change = changes_of(decoder(table, columns=DECLARED).decode(TOPIC, records(writer(table, form)("d", ORDER, None))))
    assert change[0].key == (1234, 77)


@pytest.mark.parametrize("form", FORMS)
def test_a_delete_of_a_table_with_default_replica_identity_has_its_key(form: str) -> None:
    table = Table()
    bare = {**dict.fromkeys(ORDER), "id": 9, "customer": 0}
    write = writer(table, form)
    batch = records(write("c", None, ORDER), write("d", bare, None))
    assert changes_of(decoder(columns=DECLARED).decode(TOPIC, batch))[1].key == (9,)


@pytest.mark.parametrize("form", FORMS)
def test_a_table_without_key_is_refused_by_name_unless_settings_name_one(form: str) -> None:
    table = Table(key=())
    batch = records(writer(table, form)("c", None, ORDER), writer(table, form)("d", ORDER, None))
    (first, second) = decoder(table).decode(TOPIC, batch).failures
    assert isinstance(first.error, TableRefused)
    assert first.error.table == TOPIC
    assert "key:" in str(second.error)
    decided = decoder(table, keys={TOPIC: ("customer", "id")}).decode(TOPIC, batch)
    assert [change.key for change in changes_of(decided)] == [(77, 1234), (77, 1234)]
    assert decided.segments[0].schema.key == ("customer", "id")


@pytest.mark.parametrize("form", FORMS)
def test_truncate_needs_no_key_and_messages_are_skipped(form: str) -> None:
    table = Table()
    write = writer(table, form)
    (_, truncate) = write("t")
    decoded = decoder().decode(TOPIC, records(write("c", None, ORDER), (None, truncate)))
    (_, truncated) = changes_of(decoded)
    assert (truncated.op, truncated.key, truncated.after) == (Op.TRUNCATE, (), None)
    assert len(decoded.segments) == 1
    message = b'{"op":"m","message":{"prefix":"p","content":"eA=="},"source":{},"ts_ms":1}'
    decoded = decoder().decode(TOPIC, records((b'{"prefix":"p"}', message)))
    assert (decoded.skipped, decoded.segments, decoded.failures) == (1, [], [])


@pytest.mark.parametrize("form", FORMS)
def test_bad_records_fail_alone_and_neighbours_are_decoded(form: str) -> None:
    write = writer(Table(), form)
    key, good = write("c", None, ORDER)
    bad = [good[:-7], good + b"\x00", b"", b"{", b"\xff\xfe", b"null1", b"[1]", b"{}", b"42", b"[" * 200_000]
    bad += [b"\x00", b"\x00\x00", b"\x00\x00\x00\x00\x63abc", good.replace(b"leave", b"l\xffave")]
    batch = records(*[pair for each in bad for pair in ((key, each), (key, good))])
    decoded = decoder().decode(TOPIC, batch)
    assert [failure.index for failure in decoded.failures] == list(range(0, 2 * len(bad), 2))
    assert all(isinstance(failure.error, DecodeError) and str(failure.error) for failure in decoded.failures)
    assert [change.index for segment in decoded.segments for change in segment.changes] == list(
        range(1, 2 * len(bad), 2)
    )


@pytest.mark.parametrize(
    ("form", "old", "new", "words"),
    [
        ("plain", b'"customer":77', b'"customer":"x"', "after.customer"),
        ("described", b'"customer":77', b'"customer":3000000000', "after.customer"),
        ("described", b'"customer":77', b'"customer":null', "after.customer"),
        ("described", b'"amount":"AeJA"', b'"amount":"A"', "after.amount"),
        ("described", b'"weight":1.5', b'"weight":"heavy"', "after.weight: 'heavy'"),
        ("described", b"2023-11-14T22", b"2023-13-14T22", "after.changed"),
        ("plain", b'"op":"c"', b'"op":"x"', "op: 'x'"),
        ("plain", b'"weight":1.5', b'"weight":1e999', "after.weight"),
        ("plain", b'"id":1234', b'"id":99999999999999999999', "after.id"),
        ("plain", b"leave", b"\\ud800", "no JSON"),
        ("avro", b"2023-11-14T22", b"2023-13-14T22", "after.changed"),
        ("avro", b"leave", b"\xed\xa0\x80ve", "after.note"),
    ],
)
def test_an_error_names_the_field(form: str, old: bytes, new: bytes, words: str) -> None:
    key, good = writer(Table(), form)("c", None, ORDER)
    assert old in good
    decoded = decoder(columns=DECLARED).decode(TOPIC, records((key, good), (key, good.replace(old, new, 1))))
    (failure,) = decoded.failures
    assert words in str(failure.error)


def test_an_id_the_registry_does_not_have_fails_only_its_records_and_is_asked_for_again() -> None:
    table = Table()
    made = Decoder()
    batch = records(table.avro("c", None, ORDER), (None, b"\x00\x00\x00\x00\x63abc"))
    assert made.missing(batch) == {VALUE_ID, KEY_ID, 99}
    made.learn(VALUE_ID, json.dumps(table.value_schema()))
    made.learn(KEY_ID, json.dumps(table.key_schema()))
    made.learn(99, None)
    (failure,) = made.decode(TOPIC, batch).failures
    assert isinstance(failure.error, UnknownSchema)
    assert failure.error.schema_id == 99
    assert made.missing(batch) == {99}


def test_a_schema_change_within_a_batch_begins_a_new_segment_and_an_equal_shape_does_not() -> None:
    table, same = Table(), Table(value_id=8)
    wider = Table((*ORDERS, Field("coupon", "string")), value_id=9)
    made = decoder(table)
    for each in (same, wider):
        made.learn(each.value_id, json.dumps(each.value_schema()))
    decoded = made.decode(
        TOPIC,
        records(
            table.avro("c", None, ORDER),
            same.avro("c", None, ORDER),
            wider.avro("c", None, {**ORDER, "coupon": "x"}),
            table.avro("c", None, ORDER),
        ),
    )
    assert [len(segment.changes) for segment in decoded.segments] == [2, 1, 1]
    first, second, third = (segment.schema for segment in decoded.segments)
    assert first is third
    assert [column.name for column in second.columns][-1] == "coupon"


def test_a_format_that_is_set_refuses_the_others() -> None:
    table = Table()
    avro, plain = records(table.avro("c", None, ORDER), table.plain("c", None, ORDER))
    assert [failure.index for failure in decoder(format="avro").decode(TOPIC, [avro, plain]).failures] == [1]
    assert [failure.index for failure in decoder(format="json").decode(TOPIC, [avro, plain]).failures] == [0]
    described = records(table.described("c", None, ORDER))
    assert not decoder(format="json-schema").decode(TOPIC, described).failures
    assert decoder(format="json-schema").decode(TOPIC, [plain]).failures


@pytest.mark.parametrize("form", FORMS)
def test_a_key_that_the_row_does_not_carry_is_the_message_keys(form: str) -> None:
    table = Table(key=("note",))
    write = writer(table, form)
    key, _ = write("u", None, ORDER)
    _, value = write("u", None, {**ORDER, "note": PLACEHOLDER})
    batch = records(write("c", None, ORDER), (key, value))
    assert changes_of(decoder(table).decode(TOPIC, batch))[1].key == (ORDER["note"],)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("op", ["c", "u", "r"])
def test_an_event_without_the_row_its_operation_promises_is_refused(form: str, op: str) -> None:
    write = writer(Table(), form)
    good = write("c", None, ORDER)
    _, empty = write(op, ORDER, None)
    (failure,) = decoder().decode(TOPIC, records(good, (good[0], empty))).failures
    assert "after" in str(failure.error)


def test_a_format_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(SettingsError, match="json-schema"):
        Decoder(format="jsonschema")


def test_kinds_say_what_the_source_declared() -> None:
    (segment,) = decoder().decode(TOPIC, records(Table().avro("c", None, ORDER))).segments
    kinds = {column.name: (column.kind, column.semantic) for column in segment.schema.columns}
    assert kinds["status"] == (Kind.STRING, "enum")
    assert kinds["changed"] == (Kind.TIMESTAMP, "zoned")
    amount = next(column for column in segment.schema.columns if column.name == "amount")
    assert (amount.kind, amount.precision, amount.scale) == (Kind.DECIMAL, 10, 2)
