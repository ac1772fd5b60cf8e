"""What the broker is asked beside the stream, where it does not answer."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from parrot_faust.transport import admin as module
from parrot_faust.transport.admin import BrokerAdmin

LOG = logging.getLogger("test.admin")


@pytest.mark.parametrize("error", [KafkaConnectionError("no broker"), TimeoutError()])
async def test_what_an_agent_needs_is_read_once_the_broker_is_back_and_that_is_said_once(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers: list[Any] = [error, error, [(b"k", b"v")]]

    async def read(_self: BrokerAdmin, topic: str, partition: int) -> Any:
        assert (topic, partition) == ("app.images", 3)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(BrokerAdmin, "_read_all", read)
    monkeypatch.setattr(module, "FIRST_WAIT_S", 0.0)
    monkeypatch.setattr(module, "LONGEST_WAIT_S", 0.0)
    assert await BrokerAdmin({}, 1, LOG).read_all("app.images", 3) == [(b"k", b"v")]
    assert answers == []
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("app.images[3] can't be read now")
