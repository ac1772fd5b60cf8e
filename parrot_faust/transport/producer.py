"""Faust's producer, with every topic that is sent to kept in the client's view of the cluster."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from faust.transport.drivers import aiokafka as driver


class KnownTopicsProducer(driver.Producer):
    """Faust's producer, without a moment in which a topic is forgotten.

    aiokafka 0.14 begins with all topics there are and afterwards asks only for those it had to look for. One that it
    knew from the beginning leaves its view with the next answer. Records that wait to be sent just then would wait for
    their partition's leader for 20 minutes, Faust's time-out, while the client asks again and again for other topics.
    """

    async def send(self, topic: str, *args: Any, **kwargs: Any) -> Awaitable[Any]:
        """As Faust's."""
        client = self._ensure_producer().client
        if topic not in client._topics:
            client.add_topic(topic)
        sent: Awaitable[Any] = await super().send(topic, *args, **kwargs)
        return sent
