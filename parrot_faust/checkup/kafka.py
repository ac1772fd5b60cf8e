"""The brokers, the topics there, and whether the app may make its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from parrot_faust.checkup.findings import Finding, failed, ok, warning
from parrot_faust.choices import source_topics
from parrot_faust.kafka import client_options
from parrot_faust.names import Names
from parrot_faust.quality.rules import RuleSet
from parrot_faust.settings import Settings
from parrot_faust.transport.admin import REQUEST_TIMEOUT_MS
from parrot_faust.transport.reach import refused

BROKERS, SOURCES, OWN = "Kafka", "source topics", "the app's own topics"
SHOWN = 5


async def look(settings: Settings, rules: Mapping[str, RuleSet]) -> AsyncIterator[Finding]:
    """Look at brokers, source topics and permissions; nothing is made."""
    options = client_options(settings)
    if (why := await refused(options)) is not None:
        yield failed(BROKERS, why.reason, "start the broker, or correct `brokers` and `kafka` in the settings")
        return
    client = AIOKafkaAdminClient(**options, request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await client.start()
        brokers = (await client.describe_cluster())["brokers"]
        topics = {topic["topic"]: len(topic["partitions"]) for topic in await client.describe_topics()}
        replicas = settings.topics.replicas
        if len(brokers) < replicas:
            text = f"{len(brokers)} brokers, while every topic of the app is to have {replicas} copies"
            yield failed(BROKERS, text, "set topics.replicas to no more than there are brokers")
        elif replicas < min(3, len(brokers)):
            text = f"{len(brokers)} brokers, but each of the app's topics is on {replicas} only"
            cure = f"set topics.replicas to {min(3, len(brokers))}, so that nothing is lost with one broker's disk"
            yield warning(BROKERS, text, cure)
        else:
            where = ", ".join(settings.brokers)
            yield ok(BROKERS, f"{_count(len(brokers), 'broker')} at {where}, {_count(len(topics), 'topic')}")
        for finding in _sources(settings, topics, rules):
            yield finding
        yield await _own(settings, topics, client)
    except (KafkaError, OSError) as error:
        yield failed(BROKERS, str(error) or type(error).__name__, "see whether this user may describe topics (ACLs)")
    finally:
        with suppress(KafkaError, OSError):
            await client.close()


def _sources(settings: Settings, topics: Mapping[str, int], rules: Mapping[str, RuleSet]) -> list[Finding]:
    found = source_topics(settings, Names(settings.app), topics)
    if not found:
        text = f"no topic matches {settings.source.topics}"
        return [
            warning(
                SOURCES,
                text,
                "see whether the connector runs (parrot connector list) and what it logs, and source.topics",
            )
        ]
    findings = [ok(SOURCES, f"{len(found)}: {_some(found)}")]
    for what, names in (("rules", list(rules)), ("settings", list(settings.tables))):
        if strays := sorted(set(names) - set(found)):
            text = f"{what} for {_some(strays)}, which no topic is called"
            cure = f"a table is named by its topic, for example {found[0]}; what it has waits until such a topic comes"
            findings.append(warning(SOURCES, text, cure))
    return findings


async def _own(settings: Settings, topics: Mapping[str, int], client: AIOKafkaAdminClient) -> Finding:
    names = Names(settings.app)
    if names.held in topics:
        return ok(OWN, f"{sum(1 for topic in topics if names.owns(topic))} topics of {settings.app} are there")
    new = NewTopic(names.held, settings.topics.partitions, settings.topics.replicas)
    answer = (await client.create_topics([new], validate_only=True)).to_object()
    for error in answer["topic_errors"]:
        if error["error_code"]:
            why = error.get("error_message") or for_code(error["error_code"]).__name__
            cure = f"let this user make topics that begin with {settings.app}. (ACL: Create), or make them beforehand"
            return failed(OWN, f"they can't be made: {why}", cure)
    return ok(OWN, "none yet; they may be made")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
