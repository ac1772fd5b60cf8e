from __future__ import annotations

import msgspec
import pytest

from models import Column, Kind, TableSchema
from parrot_faust.errors import SettingsError, TableRefused
from parrot_faust.sinks.kudu import KuduSettings, KuduTableSettings

ID = (Column("id", Kind.INT64, False),)


def schema(table: str = "shop.public.orders", namespace: str = "public", relation: str = "orders") -> TableSchema:
    return TableSchema.of(table, ID, ("id",), database="shop", namespace=namespace, relation=relation)


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{schema}.{table}", "public.orders"),
        ("{database}.{schema}.{table}", "shop.public.orders"),
        ("impala::{prefix}.{table}", "impala::shop.orders"),
        ("fixed", "fixed"),
    ],
)
def test_target_is_named_by_the_template(template: str, name: str) -> None:
    assert KuduSettings(masters=("m:1",), table=template).target(schema()) == name


def test_source_without_namespaces_leaves_no_dot_behind() -> None:
    assert KuduSettings(masters=("m:1",)).target(schema("shop.orders", namespace="")) == "orders"


def test_own_settings_of_a_table_win_and_the_rest_is_as_for_all() -> None:
    settings = KuduSettings(
        masters=("m:1",), replicas=3, tables={"shop.public.orders": KuduTableSettings(buckets=8, table="o_{table}")}
    )
    assert settings.of("shop.public.orders") == KuduTableSettings(buckets=8, replicas=3, table="o_{table}", create=True)
    assert settings.of("shop.public.other") == KuduTableSettings(
        buckets=4, replicas=3, table="{schema}.{table}", create=True
    )
    assert settings.target(schema()) == "o_orders"


@pytest.mark.parametrize("template", ["{schema}", "{relation}.{table}", "{table", "{}"])
def test_template_that_can_not_be_meant_is_refused(template: str) -> None:
    with pytest.raises(SettingsError, match="template"):
        KuduSettings(masters=("m:1",), table=template)


@pytest.mark.parametrize("wrong", [{"buckets": 0}, {"replicas": 2}, {"replicas": 0}, {"timeout_s": 0.0}])
def test_counts_that_kudu_does_not_take_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError):
        msgspec.convert({"masters": ["m:1"], **wrong}, KuduSettings)


def test_no_master_is_refused() -> None:
    with pytest.raises(SettingsError, match="masters"):
        KuduSettings(masters=())


def test_name_longer_than_kudu_takes_refuses_the_table() -> None:
    with pytest.raises(TableRefused, match="256"):
        KuduSettings(masters=("m:1",)).target(schema(relation="x" * 256))
