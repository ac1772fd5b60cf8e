"""What the broker is asked beside the stream, where it does not answer."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import pytest
from aiokafka.errors import KafkaConnectionError

from parrot_faust.transport import admin as module
from parrot_faust.transport.admin import BrokerAdmin

LOG = logging.getLogger("test.admin")


class Record(NamedTuple):
    """What is used of a record."""

    key: bytes
    value: bytes


@pytest.mark.parametrize("tail", [None, 7])
@pytest.mark.parametrize("error", [KafkaConnectionError("no broker"), TimeoutError()])
async def test_what_an_agent_needs_is_read_once_the_broker_is_back_and_that_is_said_once(
    error: Exception, tail: int | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers: list[Any] = [error, error, [Record(b"k", b"v")]]

    async def read(_self: BrokerAdmin, topic: str, partition: int, count: int | None) -> Any:
        assert (topic, partition, count) == ("app.images", 3, tail)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(BrokerAdmin, "_read", read)
    monkeypatch.setattr(module, "FIRST_WAIT_S", 0.0)
    monkeypatch.setattr(module, "LONGEST_WAIT_S", 0.0)
    admin = BrokerAdmin({}, 1, LOG)
    if tail is None:
        assert await admin.read_all("app.images", 3) == [(b"k", b"v")]
    else:
        assert await admin.read_tail("app.images", 3, tail) == [b"v"]
    assert answers == []
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("app.images[3] can't be read now")
