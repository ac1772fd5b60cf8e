"""The arithmetic of the soak."""

from __future__ import annotations

import pytest
from soak import Sample, Soak, fit


def test_the_line_through_the_samples_is_that_of_least_squares() -> None:
    assert fit([(0, 1), (1, 3), (2, 5)]) == pytest.approx((2, 1))
    slope, base = fit([(0, 0), (1, 2), (2, 1), (3, 3)])
    assert (slope, base) == pytest.approx((0.8, 0.3))


@pytest.mark.parametrize(("mb_a_second", "flat"), [(0.0, True), (0.05, True), (0.5, False)])
def test_a_leak_is_seen(mb_a_second: float, flat: bool) -> None:
    held = Soak({"worker 1": [Sample(at, 200 + mb_a_second * at, 50) for at in range(300)]})
    memory, handles = held.lines(60)
    assert memory.flat is flat
    assert memory.per_hour == pytest.approx(mb_a_second * 3600)
    assert handles.flat
