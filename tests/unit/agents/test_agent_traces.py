"""What the agents write into the trace of a batch."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from agent_stubs import TOPIC, chunk, event, garbage, turns
from test_changes_agent import World as Sources
from test_changes_waiting import policy, wider
from test_writer_agent import WRITES
from test_writer_agent import World as Store

from agents import changes as agent
from parrot_faust.errors import SinkUnavailable
from parrot_faust.logs.fields import Run
from parrot_faust.schema import Behaviour
from parrot_faust.tracing import Trail


@dataclass
class Kept:
    """Traces that stay here."""

    begun: list[Trail] = field(default_factory=list)
    ended: list[Trail] = field(default_factory=list)

    def begin(self, agent: str, run: Run) -> Trail | None:
        self.begun.append(Trail(agent, run.topic, run.partition, run.first, run.last))
        return self.begun[-1]

    def end(self, trail: Trail | None, error: str = "") -> None:
        if trail is not None:
            assert not trail.ended, "a trace ends once"
            trail.end(error)
            self.ended.append(trail)

    def close(self) -> None: ...


def steps(trail: Trail) -> list[str]:
    assert all(trail.began <= step.began <= step.ended <= trail.ended for step in trail.steps)
    return [step.name for step in trail.steps]


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def sources(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> Sources:
    monkeypatch.setattr(agent, "FIRST_LOOK_S", 0.0)
    monkeypatch.setattr(agent, "LONGEST_LOOK_S", 0.0)
    return Sources(traces=kept)


@pytest.fixture
def store(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr("agents.writer.delays", lambda *_: iter(lambda: 0.0, None))
    return Store(traces=kept)


async def test_a_batch_of_changes_is_traced_from_its_bytes_to_the_broker_s_word(sources: Sources, kept: Kept) -> None:
    sources.producer.prompt = False
    await sources.changes().take(sources.batches.of([event(5), event(6), garbage(7)]))
    assert not kept.ended, "the broker has confirmed nothing"
    sources.producer.confirm(list(sources.producer.sent))
    await turns()
    (trail,) = kept.ended
    assert (trail.agent, trail.topic, trail.partition, trail.first, trail.last) == ("changes", TOPIC, 0, 5, 7)
    assert steps(trail) == ["decode", "check", "send", "wait"]
    assert trail.attributes == {"changes": 3, "forwarded": 2, "dead_lettered": 1}
    assert not trail.error


async def test_what_the_broker_does_not_take_is_an_error_of_the_batch(sources: Sources, kept: Kept) -> None:
    sources.producer.prompt = False
    await sources.changes().take(sources.batches.of([event(0)]))
    sources.producer.sent[0].confirmation.set_exception(OSError("gone"))
    sources.producer.confirm(sources.producer.sent[1:])
    await turns()
    assert [trail.error for trail in kept.ended] == ["OSError('gone')"]


async def test_waiting_for_a_decision_is_a_step(sources: Sources, kept: Kept) -> None:
    sources.producer.terms = policy(Behaviour.REVIEW)
    changes = sources.changes()
    await changes.take(sources.batches.of([event(0)]))
    await changes.take(sources.batches.of([event(1), wider(2, extra="y")]))
    await turns(20)
    assert len(kept.ended) == 1
    # Another owner's generation reads it again: this worker's batch ends unsettled.
    await changes.take(sources.batches.of([event(1)], generation=2))
    await turns(20)
    _, given_up, again = kept.ended
    assert steps(given_up) == ["decode", "check", "send", "held"]
    assert given_up.error == "the partition was taken away"
    assert not again.error


async def test_a_batch_of_a_store_is_traced_with_the_sources_it_carries(store: Store, kept: Kept) -> None:
    store.store.answers = [SinkUnavailable("kudu", "away")]
    await store.writer().take(store.batch(chunk(0), chunk(2, 3)))
    (trail,) = kept.ended
    assert (trail.agent, trail.topic, trail.first, trail.last) == ("kudu_writer", WRITES, 40, 41)
    assert steps(trail) == ["write", "wait"]
    assert trail.attributes == {
        "changes": 5,
        "sink": "kudu",
        "sources": [f"{TOPIC}[0] 0..1", f"{TOPIC}[0] 2..4"],
    }
    assert not trail.error


async def test_a_batch_whose_partition_was_taken_away_says_so(store: Store, kept: Kept) -> None:
    store.owned = lambda: False
    await store.writer().take(store.batch(chunk(0)))
    assert [trail.error for trail in kept.ended] == ["the partition was taken away"]


async def test_an_error_that_nobody_foresaw_is_in_the_trace(store: Store, kept: Kept) -> None:
    store.store.answers = [ZeroDivisionError("never")]
    with pytest.raises(ZeroDivisionError):
        await store.writer().take(store.batch(chunk(0)))
    assert [trail.error for trail in kept.ended] == ["ZeroDivisionError('never')"]
