"""What a histogram counts adds up, in the bucket it belongs to."""

from __future__ import annotations

from parrot_faust.delivery.histogram import Histogram


def test_a_measurement_counts_in_the_first_bucket_that_holds_it() -> None:
    histogram = Histogram((1.0, 10.0))
    for value in (0.5, 1.0, 1.1, 10.0, 10.1, 1e9):
        histogram.add(value)
    assert histogram.view() == {"bounds": [1.0, 10.0], "counts": [2, 2, 2], "sum": 1_000_000_022.7}


def test_a_weight_counts_as_so_many_and_what_is_negative_as_nothing_late() -> None:
    histogram = Histogram((1.0,))
    histogram.add(2.5, 4)
    histogram.add(-3.0, 2)
    assert histogram.view() == {"bounds": [1.0], "counts": [2, 4], "sum": 10.0}
