"""A held record is replaced by a newer one of its key, and by nothing else."""

from __future__ import annotations

import pytest

from parrot_faust.delivery.supersession import Watch

K, OTHER = b'{"id": 1}', b'{"id": 2}'


def watch(*held: tuple[int, str], flattened: bool = False, excused: set[tuple[int, str]] | None = None) -> Watch:
    return Watch(
        [(offset, K, sink) for offset, sink in held],
        tombstones_delete=flattened,
        excused=lambda offset, sink: (offset, sink) in (excused or set()),
    )


@pytest.mark.parametrize(
    ("offset", "key", "value", "replaced"),
    [
        (11, K, b"{}", True),
        (9, K, b"{}", False),  # older
        (10, K, b"{}", False),  # itself
        (11, OTHER, b"{}", False),
        (11, None, b"{}", False),
        (11, K, None, False),  # a tombstone only confirms a delete
    ],
)
def test_only_a_newer_record_of_the_key_replaces(
    offset: int, key: bytes | None, value: bytes | None, replaced: bool
) -> None:
    made = watch((10, ""))
    made.see(offset, key, value)
    assert made.superseded == ({(10, ""): offset} if replaced else {})


def test_a_tombstone_is_a_delete_in_a_flattened_topic() -> None:
    made = watch((10, ""), flattened=True)
    made.see(11, K, None)
    assert made.superseded == {(10, ""): 11}


def test_a_record_that_is_held_back_itself_replaces_nothing_for_its_sink() -> None:
    made = watch((10, "kudu"), (10, ""), (11, "kudu"), excused={(11, "kudu")})
    made.see(11, K, b"{}")
    assert made.superseded == {(10, ""): 11}, "in the other stores it was applied"
    made.see(12, K, b"{}")
    assert made.superseded == {(10, ""): 11, (10, "kudu"): 12, (11, "kudu"): 12}


def test_the_first_one_found_is_named_and_those_added_later_are_watched() -> None:
    made = Watch((), tombstones_delete=False)
    made.see(5, K, b"{}")
    made.add(4, K, "")
    made.see(6, K, b"{}")
    made.see(7, K, b"{}")
    assert made.superseded == {(4, ""): 6}
