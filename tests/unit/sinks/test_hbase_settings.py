from __future__ import annotations

from typing import Any

import msgspec
import pytest

from models import Column, Kind, TableSchema
from parrot_faust.errors import SettingsError, TableRefused
from parrot_faust.sinks.hbase import HBaseSettings, HBaseTableSettings
from parrot_faust.sinks.hbase.settings import address

ID = (Column("id", Kind.INT64, False),)
WHERE = {"thrift": "h:1", "thrift2": "h:2"}


def schema(table: str = "shop.public.orders", namespace: str = "public", relation: str = "orders") -> TableSchema:
    return TableSchema.of(table, ID, ("id",), database="shop", namespace=namespace, relation=relation)


def settings(**chosen: Any) -> HBaseSettings:
    return msgspec.convert({**WHERE, **chosen}, HBaseSettings)


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{schema}.{table}", "public.orders"),
        ("{database}-{schema}.{table}", "shop-public.orders"),
        ("{prefix}_{table}", "shop_orders"),
        ("fixed", "fixed"),
    ],
)
def test_target_is_named_by_the_template(template: str, name: str) -> None:
    assert settings(table=template).target(schema()) == name


def test_source_without_namespaces_leaves_no_dot_behind() -> None:
    assert settings().target(schema("shop.orders", namespace="")) == "orders"


@pytest.mark.parametrize(
    ("relation", "name"),
    [
        ("order lines", "order_x20_lines"),
        ("größe", "gr_xf6__xdf_e"),
        ("a/b:c", "a_x2f_b_x3a_c"),
        ("-dash", "_x2d_dash"),
        ("🦜", "_x1f99c_"),
        ("A-b_9.x", "A-b_9.x"),
    ],
)
def test_character_that_hbase_has_in_no_name_becomes_its_code(relation: str, name: str) -> None:
    assert settings(table="{table}").target(schema(relation=relation)) == name


def test_name_of_nothing_refuses_the_table() -> None:
    with pytest.raises(TableRefused, match="empty"):
        settings(table="{table}").target(schema("shop.public.", relation="."))


def test_own_settings_of_a_table_win_and_the_rest_is_as_for_all() -> None:
    own = settings(family="f", tables={"shop.public.orders": {"table": "o_{table}", "family": "g"}})
    assert (own.target(schema()), own.family_of("shop.public.orders")) == ("o_orders", "g")
    other = schema("shop.public.other", relation="other")
    assert (own.target(other), own.family_of("shop.public.other")) == ("public.other", "f")
    half = settings(tables={"shop.public.orders": {"family": "g"}})
    assert (half.target(schema()), half.family_of("shop.public.orders")) == ("public.orders", "g")


@pytest.mark.parametrize("template", ["{schema}", "{relation}.{table}", "{table", "{}"])
def test_template_that_can_not_be_meant_is_refused(template: str) -> None:
    with pytest.raises(SettingsError, match="template"):
        settings(table=template)
    with pytest.raises(SettingsError, match="template"):
        HBaseTableSettings(table=template)


@pytest.mark.parametrize("family", ["", "a:b", ".d", "a b", "ü"])
def test_family_that_hbase_does_not_take_is_refused(family: str) -> None:
    with pytest.raises(SettingsError, match="family"):
        settings(family=family)
    with pytest.raises(SettingsError, match="family"):
        HBaseTableSettings(family=family)


@pytest.mark.parametrize("where", ["", "host", "host:", ":9090", "host:port", "host:-1", "host:²"])
@pytest.mark.parametrize("name", ["thrift", "thrift2"])
def test_address_without_host_or_port_is_refused_by_its_settings_name(name: str, where: str) -> None:
    with pytest.raises(SettingsError, match=rf"sinks\.hbase\.{name} "):
        settings(**{name: where})


def test_address_is_split_at_its_last_colon() -> None:
    assert address("::1:9090", "thrift") == ("::1", 9090)


@pytest.mark.parametrize("seconds", [0, -1])
def test_time_out_of_nothing_is_refused(seconds: float) -> None:
    with pytest.raises(SettingsError, match="timeout_s"):
        settings(timeout_s=seconds)
