"""The transport class that Faust finds by the URL scheme `parrot`."""

from __future__ import annotations

from typing import ClassVar

from faust.transport.drivers import aiokafka

from parrot_faust.transport.consumer import BatchConsumer
from parrot_faust.transport.producer import KnownTopicsProducer


class Transport(aiokafka.Transport):
    """Faust's aiokafka transport with the batch consumer, and a producer that forgets no topic."""

    Consumer: ClassVar[type[BatchConsumer]] = BatchConsumer
    Producer: ClassVar[type[KnownTopicsProducer]] = KnownTopicsProducer
