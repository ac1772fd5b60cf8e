from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from models import Column, Kind, TableSchema
from parrot_faust.creation import (
    HBaseFamily,
    HBaseTable,
    KuduColumn,
    KuduTable,
    column_of,
    family_of,
    kudu_table,
)
from parrot_faust.errors import TableRefused
from parrot_faust.settings import HBaseSection, KuduSection, Settings, Sinks, Source, Table
from parrot_faust.sinks.creation_docs import SAYS, filled
from parrot_faust.sinks.hbase.settings import HBaseSettings
from parrot_faust.sinks.hbase.tables import wanted_of
from parrot_faust.sinks.kudu.encodings import ENCODINGS, SHORT_DECIMAL, layout_of, layouts_of
from parrot_faust.sinks.kudu.mapping import TYPES, StoreColumn

PAGE = Path(__file__).parents[2] / "docs" / "autocreation.md"


def test_the_page_says_what_the_code_has() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert filled(text) == text, "run: .venv/bin/python -m parrot_faust.sinks.creation_docs docs/autocreation.md"


@pytest.mark.parametrize("section", SAYS)
def test_every_setting_is_documented(section: type[msgspec.Struct]) -> None:
    assert list(SAYS[section]) == list(section.__struct_fields__)


def test_a_setting_comes_from_the_nearest_place_that_has_it() -> None:
    base = KuduSection(masters=("m:1",), buckets=4, replicas=1, columns={"*": KuduColumn(compression="lz4")})
    patterns = {
        "shop.audit.*": KuduTable(buckets=16),
        "shop.*": KuduTable(buckets=2, replicas=3, create=False, columns={"a": KuduColumn(encoding="rle")}),
    }
    own = {"shop.audit.log": KuduTable(replicas=5, columns={"a": KuduColumn(encoding="plain")})}
    log = kudu_table("shop.audit.log", own, patterns, base)
    assert (log.buckets, log.replicas, log.create, log.table) == (16, 5, False, "{schema}.{table}")
    assert list(log.columns) == ["a", "*"]
    assert column_of("a", log.columns) == KuduColumn(encoding="plain", compression="lz4")
    assert column_of("b", log.columns) == KuduColumn(compression="lz4")
    other = kudu_table("library.public.books", own, patterns, base)
    assert (other.buckets, other.replicas, other.create) == (4, 1, True)


def test_settings_resolve_a_table_of_each_store() -> None:
    sinks = Sinks(
        kudu=KuduSection(masters=("m:1",), patterns={"a.*": KuduTable(table="x_{table}")}),
        hbase=HBaseSection(thrift="h:1", thrift2="h:2", salt=4),
    )
    tables = {"a.b.c": Table(hbase=HBaseTable(row_key="binary", salt=1))}
    settings = Settings(source=Source(topics="x"), sinks=sinks, tables=tables)
    kudu, hbase, other = settings.kudu_table("a.b.c"), settings.hbase_table("a.b.c"), settings.hbase_table("d.e.f")
    assert kudu is not None
    assert hbase is not None
    assert other is not None
    assert (kudu.table, hbase.row_key, hbase.salt) == ("x_{table}", "binary", 1)
    assert (other.row_key, other.salt, other.family) == ("text", 4, "d")


def test_a_column_goes_to_the_first_family_that_takes_it() -> None:
    families = {
        "d": HBaseFamily(columns=("*",)),
        "big": HBaseFamily(columns=("*_json", "x")),
        "x": HBaseFamily(columns=("*",)),
    }
    table = HBaseTable(family="d", families=families)
    assert [family_of(name, table) for name in ("a_json", "x", "y")] == ["big", "big", "x"]
    assert family_of("y", HBaseTable(family="d")) == "d"


def test_key_columns_stay_in_the_table_s_family() -> None:
    settings = HBaseSettings(thrift="h:1", thrift2="h:2", families={"all": HBaseFamily(columns=("*",))})
    schema = TableSchema.of("s.p.t", (Column("id", Kind.INT64, False), Column("a", Kind.STRING)), ("id",))
    assert [settings.families_of(schema)(name) for name in ("id", "a")] == [b"d", b"all"]
    assert list(wanted_of(settings, schema).families) == ["d", "all"]


def test_cuts_are_sorted_and_of_the_form_of_the_row_keys() -> None:
    schema = TableSchema.of("s.p.t", (Column("id", Kind.INT64, False),), ("id",))

    def cuts(**chosen: object) -> tuple[bytes, ...]:
        plain = {"thrift": "h:1", "thrift2": "h:2", **chosen}
        return wanted_of(msgspec.convert(plain, HBaseSettings), schema).splits

    assert cuts() == ()
    assert cuts(splits=["m", "b", "m"]) == (b"b", b"m")
    assert cuts(splits=["80", "00ff"], row_key="binary") == (b"\x00\xff", b"\x80")
    assert cuts(salt=3) == (b"01", b"02")
    assert cuts(salt=3, row_key="binary") == (b"\1", b"\2")
    assert cuts(splits=["m"], tables={"s.p.t": {"salt": 2}}) == (b"01",), "where its salts are"
    with pytest.raises(TableRefused, match="no binary row keys"):
        cuts(splits=["m"], tables={"s.p.t": {"row_key": "binary"}})


def test_every_kudu_type_has_its_encodings() -> None:
    assert set(ENCODINGS) == {*TYPES.values(), "decimal", SHORT_DECIMAL}


def test_a_pattern_s_encoding_goes_to_the_types_that_have_it() -> None:
    patterns = {"*": KuduColumn(encoding="dict", compression="zlib"), "n*": KuduColumn(encoding="rle")}
    assert layout_of(StoreColumn("name", "string", True), patterns).encoding == "dict"
    number = layout_of(StoreColumn("number", "int32", True), patterns)
    assert (number.encoding, number.compression) == ("rle", "zlib")
    assert layout_of(StoreColumn("at", "date", True), patterns).encoding is None
    decimals = [layout_of(StoreColumn("n", "decimal", True, digits), patterns).encoding for digits in (18, 19)]
    assert decimals == ["rle", None]


def test_an_encoding_under_a_full_name_that_its_type_has_not_refuses_the_table() -> None:
    columns = [StoreColumn("a", "bool", True), StoreColumn("b", "string", True)]
    layouts_of("t", columns, {"a": KuduColumn(encoding="rle"), "b*": KuduColumn(encoding="rle")})
    with pytest.raises(TableRefused, match=r"a is bool, which Kudu has no encoding dict for: take one of plain, rle"):
        layouts_of("t", columns, {"a": KuduColumn(encoding="dict")})
