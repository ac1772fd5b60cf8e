from __future__ import annotations

import pytest

from parrot_faust.names import Names, is_debezium_own, is_schema_change_topic

NAMES = Names("shop")
OWN = [
    NAMES.writes("kudu"),
    NAMES.writes("hbase"),
    NAMES.held,
    NAMES.rules,
    NAMES.schemas,
    NAMES.anchor,
    NAMES.images,
    NAMES.verifications,
    NAMES.redrive,
    NAMES.resolved,
    NAMES.tallies,
    NAMES.windows,
    NAMES.breakers,
    NAMES.sinks,
    NAMES.dead("shop.public.orders"),
    NAMES.quarantine("shop.public.orders"),
]


def test_every_topic_is_named_under_the_app_and_no_two_alike() -> None:
    assert all(topic.startswith("shop.") for topic in OWN)
    assert len(set(OWN)) == len(OWN)
    assert not set(OWN) & {topic.replace("shop", "other", 1) for topic in OWN}


def test_side_topics_of_two_sources_never_meet() -> None:
    assert NAMES.dead("a.b") != NAMES.dead("a.c")
    assert NAMES.dead("a.b") != NAMES.quarantine("a.b")


@pytest.mark.parametrize("topic", [*OWN, "shop-rules-changelog", "shop-schemas-changelog", "shop-__assignor-__leader"])
def test_own_topics_are_known(topic: str) -> None:
    assert NAMES.owns(topic)
    assert not Names("sho").owns(topic)
    assert not Names("shop2").owns(topic)


@pytest.mark.parametrize(
    "topic",
    [
        "shop.public.orders",
        "shop.orders",
        "shop-eu.public.orders",
        "shop",
        "shopping.held",
        "x.shop.held",
        "shop.held.x",
    ],
)
def test_source_topics_are_not_taken_for_own_ones_when_the_app_is_called_like_the_source(topic: str) -> None:
    assert not NAMES.owns(topic)


@pytest.mark.parametrize(
    "topic",
    [
        "__debezium-heartbeat.shop",
        "__consumer_offsets",
        "__transaction_state",
        "shop.transaction",
        "shop.message",
        "debezium_signal",
        "debezium-signals",
        "shop.public.debezium_signal",
        "shop.public.debezium-signals",
    ],
)
def test_debeziums_own_topics_are_known(topic: str) -> None:
    assert is_debezium_own(topic)


@pytest.mark.parametrize(
    "topic",
    [
        "shop.public.orders",
        "bank.public.transaction",
        "bank.public.message",
        "bank.public.transactions",
        "shop.public.__draft",
        "shop.public.my_debezium_signal",
        "shop.public.debezium_signal_log",
    ],
)
def test_tables_with_names_like_debeziums_are_still_tables(topic: str) -> None:
    assert not is_debezium_own(topic)


def test_schema_change_topic_is_the_prefix_that_others_are_named_after() -> None:
    topics = frozenset({"shop", "shop.public.orders", "shopping", "flat", "two.parts", "two.parts.more"})
    assert [topic for topic in sorted(topics) if is_schema_change_topic(topic, topics)] == ["shop"]
