from __future__ import annotations

from itertools import islice

import pytest

from parrot_faust.delivery.retry import delays


def test_waits_double_up_to_the_cap_and_stay_there() -> None:
    assert list(islice(delays(1.0, 10.0, lambda: 1.0), 7)) == [1, 2, 4, 8, 10, 10, 10]


def test_no_wait_is_shorter_than_half() -> None:
    assert list(islice(delays(1.0, 10.0, lambda: 0.0), 6)) == [0.5, 1, 2, 4, 5, 5]


def test_each_wait_is_spread_anew() -> None:
    jitter = iter([0.0, 0.5, 0.99])
    assert list(islice(delays(2.0, 2.0, lambda: next(jitter)), 3)) == pytest.approx([1.0, 1.5, 1.99])


def test_waits_never_end_and_never_overflow() -> None:
    assert max(islice(delays(0.001, 60.0, lambda: 0.999), 5_000)) < 60.0
