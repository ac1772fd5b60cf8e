"""Timestamps, dates and decimals cross kudu-python as the integers that both sides hold.

kudu-python turns them into datetime and Decimal objects and back: this costs more than everything else, ends at the
years 1 and 9999, rounds decimals to the context's precision, and gives a decimal its own scale instead of the column's.
It looks its converting functions up in its module by name at every call: in the sink's process ours take their place.
"""

from __future__ import annotations

from operator import index

from parrot_faust.sinks.kudu.values import decimal_text


def cross_as_integers() -> None:
    """From here on kudu-python takes and gives microseconds and days, takes unscaled decimals and gives them as text.

    Holds for the whole process. `index` refuses whatever is no integer.
    """
    from kudu import client, schema  # loads 20 MB of libraries, in the sink's process only

    client.to_unixtime_micros = index
    client.from_unixtime_micros = index
    client.date_to_unix_epoch_days = index
    client.unix_epoch_days_to_date = index
    schema.to_unixtime_micros = index  # of predicates
    schema.date_to_unix_epoch_days = index
    client.to_unscaled_decimal = index
    client.from_unscaled_decimal = decimal_text
