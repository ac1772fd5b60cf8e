from __future__ import annotations

import pytest

from parrot_faust.delivery.ledger import Ledger


def test_nothing_is_committable_before_something_settled() -> None:
    ledger = Ledger()
    assert ledger.committable("p") is None
    ledger.open("p", 0, 9)
    assert ledger.committable("p") is None
    assert ledger.settled("p") is None


def test_settled_batch_commits_the_offset_after_it_with_its_note() -> None:
    ledger = Ledger()
    assert ledger.settle(ledger.open("p", 3, 9), "note")
    assert ledger.committable("p") == (10, "note")
    assert ledger.settled("p") == 10


def test_batch_of_one_record_is_a_batch() -> None:
    ledger = Ledger()
    ledger.settle(ledger.open("p", 0, 0))
    assert ledger.committable("p") == (1, "")


def test_later_batches_wait_for_an_earlier_one() -> None:
    ledger = Ledger()
    first, second, third = (ledger.open("p", start, start + 9) for start in (0, 10, 20))
    assert ledger.settle(third, "third")
    assert ledger.settle(second, "second")
    assert ledger.committable("p") is None
    assert ledger.settle(first, "first")
    assert ledger.committable("p") == (30, "third")


def test_commit_stops_before_the_first_gap() -> None:
    ledger = Ledger()
    first, _, third = (ledger.open("p", start, start + 9) for start in (0, 10, 20))
    ledger.settle(first, "first")
    ledger.settle(third, "third")
    assert ledger.committable("p") == (10, "first")


def test_offsets_that_were_never_delivered_are_no_gap() -> None:
    # Compaction and transaction marks leave holes between batches.
    ledger = Ledger()
    ledger.settle(ledger.open("p", 0, 4))
    ledger.settle(ledger.open("p", 90, 99))
    assert ledger.committable("p") == (100, "")


def test_batch_settles_once() -> None:
    ledger = Ledger()
    ticket = ledger.open("p", 0, 9)
    assert ledger.settle(ticket, "first")
    assert not ledger.settle(ticket, "second")
    assert ledger.committable("p") == (10, "first")


def test_batch_that_waits_settles_once() -> None:
    ledger = Ledger()
    ledger.open("p", 0, 9)
    ticket = ledger.open("p", 10, 19)
    assert ledger.settle(ticket, "first")
    assert not ledger.settle(ticket, "second")
    assert ticket.note == "first"


def test_what_was_committed_is_not_committed_again() -> None:
    ledger = Ledger()
    ledger.settle(ledger.open("p", 0, 9))
    ledger.committed("p", 10)
    assert ledger.committable("p") is None
    assert ledger.settled("p") == 10
    ledger.settle(ledger.open("p", 10, 19))
    assert ledger.committable("p") == (20, "")


def test_commit_that_failed_is_tried_again() -> None:
    ledger = Ledger()
    ledger.settle(ledger.open("p", 0, 9))
    assert ledger.committable("p") == ledger.committable("p") == (10, "")


def test_batches_settled_while_a_commit_was_under_way_are_committed_next() -> None:
    ledger = Ledger()
    ledger.settle(ledger.open("p", 0, 9))
    ledger.settle(ledger.open("p", 10, 19))
    ledger.committed("p", 10)
    assert ledger.committable("p") == (20, "")


def test_tickets_of_a_partition_taken_away_settle_nothing() -> None:
    ledger = Ledger()
    old = ledger.open("p", 0, 9)
    ledger.forget(["p", "never had"])
    assert not ledger.settle(old)
    assert ledger.committable("p") is None
    new = ledger.open("p", 0, 9)
    assert not ledger.settle(old)
    assert ledger.committable("p") is None
    assert ledger.settle(new)
    assert ledger.committable("p") == (10, "")


def test_old_ticket_over_the_same_offsets_does_not_stand_for_the_new_one() -> None:
    ledger = Ledger()
    olds = [ledger.open("p", 0, 9), ledger.open("p", 10, 19)]
    ledger.forget(["p"])
    ledger.open("p", 0, 9)
    for old in olds:
        assert not ledger.settle(old)
    assert ledger.settled("p") is None


def test_partition_read_again_commits_backwards_until_it_has_caught_up() -> None:
    ledger = Ledger()
    ledger.settle(ledger.open("p", 0, 99))
    ledger.committed("p", 100)
    ledger.forget(["p"])
    ledger.settle(ledger.open("p", 50, 59), "again")
    assert ledger.committable("p") == (60, "again")


def test_commit_confirmed_after_the_partition_was_taken_away_begins_no_account() -> None:
    ledger = Ledger()
    ledger.settle(ledger.open("p", 0, 9))
    ledger.forget(["p"])
    ledger.committed("p", 10)
    assert ledger.partitions() == []


def test_partitions_have_accounts_of_their_own() -> None:
    ledger = Ledger()
    ledger.open("p", 0, 9)
    other = ledger.open("q", 0, 4)
    assert ledger.settle(other, "q")
    assert ledger.committable("p") is None
    assert ledger.committable("q") == (5, "q")
    assert ledger.partitions() == ["p", "q"]
    ledger.forget(["p"])
    assert ledger.partitions() == ["q"]
    assert ledger.committable("q") == (5, "q")


def test_outstanding_counts_what_is_not_yet_passed_over() -> None:
    ledger = Ledger()
    assert ledger.outstanding("p") == (0, 0)
    first, second = ledger.open("p", 0, 9, 100), ledger.open("p", 10, 19, 30)
    assert ledger.outstanding("p") == (2, 130)
    ledger.settle(second)  # done, but what it holds is let go with the one before it
    assert ledger.outstanding("p") == (2, 130)
    ledger.settle(first)
    assert ledger.outstanding("p") == (0, 0)


def test_outstanding_of_a_partition_read_again_begins_at_nothing() -> None:
    ledger = Ledger()
    ledger.open("p", 0, 9, 100)
    ledger.forget(["p"])
    ledger.open("p", 0, 4, 7)
    assert ledger.outstanding("p") == (1, 7)


@pytest.mark.parametrize(("first", "last"), [(9, 8), (0, -1)])
def test_batch_that_ends_before_it_begins_is_refused(first: int, last: int) -> None:
    with pytest.raises(ValueError, match="can't end at"):
        Ledger().open("p", first, last)


@pytest.mark.parametrize("first", [0, 5, 9])
def test_batch_that_overlaps_an_open_one_is_refused(first: int) -> None:
    ledger = Ledger()
    ledger.open("p", 0, 9)
    with pytest.raises(ValueError, match="follows one up to 9"):
        ledger.open("p", first, 20)
    assert ledger.outstanding("p") == (1, 0)
    ledger.open("p", 10, 20)


def test_reading_on_from_within_a_batch_that_was_handed_out_is_reading_again() -> None:
    ledger = Ledger()
    assert not ledger.passed("p", 0)
    ticket = ledger.open("p", 5, 9)
    assert [ledger.passed("p", offset) for offset in (0, 5, 9, 10)] == [True, True, True, False]
    ledger.settle(ticket)  # also when it is settled: a topic that was made anew begins at 0
    assert [ledger.passed("p", offset) for offset in (0, 5, 9, 10)] == [True, True, True, False]
    ledger.open("p", 10, 19)
    ledger.forget(["p"])
    assert not ledger.passed("p", 10)


def test_how_far_it_has_come_is_known_before_anything_is_settled() -> None:
    ledger = Ledger()
    assert ledger.reached("p") is None
    first, second = ledger.open("p", 5, 9), ledger.open("p", 10, 14)
    assert ledger.reached("p") == 5
    ledger.settle(second)
    assert ledger.reached("p") == 5
    ledger.settle(first)
    assert ledger.reached("p") == 15
