"""The files to begin with are ones that the worker and Connect take, whatever the database's names are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parrot_faust.beginning import Places, Source, SourceTable, connector_json, parrot_yaml
from parrot_faust.beginning.files import PASSWORD
from parrot_faust.connect import read_config
from parrot_faust.names import table_topic
from parrot_faust.settings import Settings, load

ALL = Places("k1:9092,k2:9092", "http://r:8081", "", "kudu:7051", 3, "h:9090", "h:9091")
CONFLUENT = "io.confluent.connect.avro.AvroConverter"
APICURIO = "io.apicurio.registry.utils.converter.AvroConverter"


def table(name: str, key: tuple[str, ...] = ("id",), **more: object) -> SourceTable:
    known = {"columns": ("id", "name"), "identity": "d", "long_values": False, "rows": 1, "readable": True}
    return SourceTable("public", name, key, **(known | more))  # type: ignore[arg-type]


def source(*tables: SourceTable) -> Source:
    return Source("db", 5432, "reader", "shop", "17.6", tables, ())


def load_of(folder: Path, text: str) -> Settings:
    file = folder / "parrot.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file, {})


def test_the_settings_are_taken_by_the_worker(tmp_path: Path) -> None:
    made = load_of(tmp_path, parrot_yaml("orders", r"shop\.public\..*", ALL))
    assert (made.app, made.brokers) == ("orders", ("k1:9092", "k2:9092"))
    assert re.fullmatch(made.source.topics, "shop.public.orders")
    assert made.source.registry == "http://r:8081"
    assert made.sinks.kudu is not None
    assert made.sinks.kudu.masters == ("kudu:7051",)
    assert made.sinks.hbase is not None
    assert (made.sinks.hbase.thrift, made.sinks.hbase.thrift2) == ("h:9090", "h:9091")


@pytest.mark.parametrize(
    ("places", "has"), [(Places("k:1", kudu="m:1"), "kudu"), (Places("k:1", hbase="h:1", hbase2="h:2"), "hbase")]
)
def test_a_store_that_is_not_there_is_left_to_be_filled_in(tmp_path: Path, places: Places, has: str) -> None:
    made = load_of(tmp_path, parrot_yaml("a", "t", places))
    assert [name for name in ("kudu", "hbase") if getattr(made.sinks, name) is not None] == [has]


def test_a_table_without_a_key_is_named_where_its_key_can_be_given(tmp_path: Path) -> None:
    log = table("Log of all", (), columns=("at", "größe"))
    text = parrot_yaml("a", "t", ALL, source(table("good"), log, table("events", (), columns=("id",))), "shop")
    assert "good" not in text
    assert """'alter table "public"."Log of all" replica identity full'""" in text
    given_keys = text.replace("# tables:", "tables:").replace("# 'shop", "'shop")
    made = load_of(tmp_path, given_keys)
    assert {name: one.key for name, one in made.tables.items()} == {
        "shop.public.Log_of_all": ("at", "gr__e"),  # as topics and Avro have them
        "shop.public.events": ("id",),
    }


def test_the_database_is_named_for_check_and_verify_without_its_password(tmp_path: Path) -> None:
    made = load_of(tmp_path, parrot_yaml("a", "t", ALL, source(table("a")), "My-shop")).source.database
    assert made is not None
    assert (made.host, made.port, made.name, made.user, made.password) == ("db", 5432, "shop", "reader", "")
    assert made.slot == json.loads(connector_json(source(table("a")), "My-shop", ALL, ()))["config"]["slot.name"]


def test_changes_of_partitions_are_the_tables_and_single_rows_can_be_asked_for_again() -> None:
    config = json.loads(connector_json(source(table("a")), "shop", ALL, ()))["config"]
    assert config["publish.via.partition.root"] == "true"
    assert (config["signal.kafka.topic"], config["read.only"]) == ("shop.debezium-signals", "true")


def test_a_table_is_not_captured_whose_columns_are_alike_in_avro() -> None:
    clashing = table("a", columns=("id", "a-b", "a$b", "c"))
    assert "columns a-b and a$b would have the same name" in clashing.problem
    assert json.loads(connector_json(source(clashing), "shop", ALL, ()))["config"]["table.include.list"] == ""


def test_only_tables_that_can_be_followed_are_captured() -> None:
    tables = (table("a.b"), table("nokey", ()), table("secret", readable=False), table("none", identity="n"))
    config = json.loads(connector_json(source(*tables), "shop", ALL, ()))["config"]
    assert config["table.include.list"] == r"public[.]a\.b"


@pytest.mark.parametrize(
    ("places", "converters", "chosen"),
    [
        (ALL, (APICURIO, CONFLUENT), CONFLUENT),
        (ALL, (APICURIO,), APICURIO),
        (ALL, (), "org.apache.kafka.connect.json.JsonConverter"),
        (Places("k:1"), (CONFLUENT,), "org.apache.kafka.connect.json.JsonConverter"),
    ],
)
def test_changes_travel_as_avro_where_it_can_be_written(
    places: Places, converters: tuple[str, ...], chosen: str
) -> None:
    config = json.loads(connector_json(source(table("a")), "shop", places, converters))["config"]
    assert config["key.converter"] == config["value.converter"] == chosen


def test_the_password_is_not_in_the_file_and_comes_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "connector.json"
    file.write_text(connector_json(source(table("a")), "shop", ALL, (CONFLUENT,)))
    assert read_config(file, {PASSWORD: "hunter2"})["database.password"] == "hunter2"
    assert "hunter2" not in file.read_text()


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
@settings(deadline=None)
def test_any_name_gives_files_that_can_be_read(name: str) -> None:
    config = json.loads(connector_json(source(table(name)), "shop", ALL, ()))["config"]
    assert re.fullmatch(config["table.include.list"], f"public.{name}")
    text = parrot_yaml("a", "t", ALL, source(table(name, (), columns=(name,))), "shop")
    with TemporaryDirectory() as folder:
        assert load_of(Path(folder), text).tables == {}
        given_key = text.replace("# tables:", "tables:").replace("  # 'shop", "  'shop").replace('  # "shop', '  "shop')
        assert list(load_of(Path(folder), given_key).tables) == [table_topic("shop", "public", name)]
