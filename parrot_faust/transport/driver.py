"""The transport class that Faust finds by the URL scheme `parrot`."""

from __future__ import annotations

from typing import ClassVar

from faust.transport.drivers import aiokafka

from parrot_faust.transport.consumer import BatchConsumer


class Transport(aiokafka.Transport):
    """Faust's aiokafka transport with the batch consumer; the producer is Faust's own."""

    Consumer: ClassVar[type[BatchConsumer]] = BatchConsumer
