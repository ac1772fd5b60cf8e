"""Reading ranges and single records beside the stream, on the real Kafka."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from transport_apps import Cluster, clusters, values

from parrot_faust.distribution import Addresses
from parrot_faust.transport.reader import RecordReader

pytestmark = pytest.mark.integration


@pytest.fixture
async def cluster(distribution: Addresses) -> AsyncIterator[Cluster]:
    async with clusters(distribution.kafka) as made:
        yield made


@pytest.fixture
async def reader(distribution: Addresses) -> AsyncIterator[RecordReader]:
    made = RecordReader((distribution.kafka,))
    yield made
    await made.close()


async def offsets(reader: RecordReader, topic: str, first: int, end: int) -> list[int]:
    return [record.offset async for records in reader.scan(topic, 0, first, end) for record in records]


async def test_records_are_read_by_their_addresses_and_those_that_are_not_there_left_out(
    cluster: Cluster, reader: RecordReader
) -> None:
    topic = await cluster.kafka.topic("source", partitions=2)
    sent = [*values(5_000)]
    await cluster.kafka.put(topic, sent, partition=1, key=b"k")
    found = await reader.read(topic, 1, [4_999, 3, 3, 2_500, 5_000, -1])
    assert {offset: (record.key, record.value) for offset, record in found.items()} == {
        offset: (b"k", sent[offset]) for offset in (3, 2_500, 4_999)
    }
    assert found[3].timestamp > 0
    assert await reader.read(topic, 0, [0]) == {}
    assert await reader.read(topic, 7, [0]) == {}
    assert await reader.read(f"{topic}.none", 0, [0]) == {}


async def test_a_range_is_read_from_where_it_begins_to_where_it_ends(cluster: Cluster, reader: RecordReader) -> None:
    topic = await cluster.kafka.topic("source")
    await cluster.kafka.put(topic, values(3_000))
    assert await reader.bounds(topic, 0) == (0, 3_000)
    assert await offsets(reader, topic, 100, 2_900) == [*range(100, 2_900)]
    assert await offsets(reader, topic, 2_990, 9_999) == [*range(2_990, 3_000)]
    assert await offsets(reader, topic, 3_000, 9_999) == []
    await cluster.kafka.put(topic, values(1))
    assert await offsets(reader, topic, 3_000, 9_999) == [3_000], "what came meanwhile is there"
    assert await reader.bounds(f"{topic}.none", 0) == (0, 0)
    assert await reader.partitions(topic) == [0]


async def test_a_reader_that_was_closed_connects_no_more(cluster: Cluster, reader: RecordReader) -> None:
    topic = await cluster.kafka.topic("source")
    assert await reader.bounds(topic, 0) == (0, 0)
    await reader.close()
    with pytest.raises(KafkaError):
        await reader.bounds(topic, 0)


async def test_a_large_record_is_read_whole(cluster: Cluster, reader: RecordReader) -> None:
    topic = await cluster.kafka.topic("source", **{"max.message.bytes": str(16 << 20)})
    large = bytes(15_000_000)
    async with AIOKafkaProducer(bootstrap_servers=cluster.kafka.address, max_request_size=16 << 20) as producer:
        await producer.send_and_wait(topic, large, partition=0)
    await cluster.kafka.put(topic, values(1))
    found = await reader.read(topic, 0, [0, 1])
    assert (found[0].value, sorted(found)) == (large, [0, 1])


async def test_marks_of_transactions_end_no_range_early_and_hold_none_up(
    cluster: Cluster, reader: RecordReader
) -> None:
    topic = await cluster.kafka.topic("source")
    async with AIOKafkaProducer(bootstrap_servers=cluster.kafka.address, transactional_id=topic) as producer:
        for _ in range(2):
            async with producer.transaction():
                await producer.send_and_wait(topic, b"x", partition=0)
    begin, end = await reader.bounds(topic, 0)
    assert (begin, end) == (0, 4), "two records and two marks"
    assert await offsets(reader, topic, begin, end) == [0, 2]
    assert sorted(await reader.read(topic, 0, [0, 1, 2, 3])) == [0, 2]


async def test_the_head_of_a_partition_is_the_first_record_there_is(cluster: Cluster, reader: RecordReader) -> None:
    topic = await cluster.kafka.topic("source", partitions=3)
    await cluster.kafka.put(topic, [b"first", b"second"], 0)
    await cluster.kafka.put(topic, [b"other"], 2)
    heads = await reader.heads(topic)
    assert [(partition, record.offset, record.value) for partition, record in heads] == [
        (0, 0, b"first"),
        (2, 0, b"other"),
    ]
    assert await reader.heads(f"{topic}.none") == []
    assert await offsets(reader, topic, 0, 2) == [0, 1], "the connection is free for the next call"
