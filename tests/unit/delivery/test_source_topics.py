"""Topics that appear, go and come back are taken in, and none is read twice or forgotten."""

from __future__ import annotations

from parrot_faust.delivery.topics import Seen, SourceTopics


def seen_by_all(_topic: str) -> bool:
    return False


def test_new_topics_are_taken_in_once() -> None:
    topics = SourceTopics(["a"])
    assert topics.look(["a", "c", "b"], seen_by_all) == Seen(new=("c", "b"))
    assert not topics.look(["a", "b", "c"], seen_by_all)
    assert topics.live == ["a", "c", "b"]


def test_a_topic_that_goes_leaves_the_subscription_and_comes_back_into_it() -> None:
    topics = SourceTopics(["a", "b"])
    assert topics.look(["a"], seen_by_all) == Seen(lost=("b",))
    assert topics.live == ["a"]
    assert not topics.look(["a"], seen_by_all)
    assert topics.look(["a", "b"], seen_by_all) == Seen(back=("b",))
    assert topics.live == ["a", "b"]


def test_a_topic_made_again_between_two_looks_is_given_up_once_and_then_looked_for_again() -> None:
    topics = SourceTopics(["a", "b"])
    unseen = {"b"}
    assert topics.look(["a", "b"], unseen.__contains__) == Seen(lost=("b",))
    assert topics.live == ["a"]
    # The consumer has had no reason to look since: it still knows of none, and must not keep the topic out.
    assert topics.look(["a", "b"], unseen.__contains__) == Seen(back=("b",))
    assert topics.live == ["a", "b"]
    unseen.clear()
    assert not topics.look(["a", "b"], unseen.__contains__)


def test_what_the_application_knows_is_what_is_looked_at() -> None:
    known = ["a"]
    topics = SourceTopics(known)
    topics.look(["a", "b"], seen_by_all)
    assert known == ["a", "b"]
