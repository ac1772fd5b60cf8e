"""Finding keys that may differ: every store is read at once, each by its own process, and only sums are compared.

What is held in memory is bounded: sums of at most 2^20 buckets a store, then digests of at most `HELD_ROWS` rows a
store at a time, then `EXAMINED_KEYS` keys a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from operator import add
from typing import NamedTuple, TypeVar

from parrot_faust.errors import SettingsError
from parrot_faust.verify import hashing
from parrot_faust.verify.differences import (
    Key,
    as_kept,
    differing_buckets,
    differing_keys,
    flags,
    groups,
)
from parrot_faust.verify.plan import TablePlan
from parrot_faust.verify.readers import Reader, TooMany
from parrot_faust.verify.scope import Scope

HELD_ROWS = 200_000  # some 40 MB a store
SMALL_ROWS = 50_000  # are read once, with digests of every row
EXAMINED_KEYS = 10_000
SAMPLE_KEYS = 2_000
SOURCE, KUDU = "source", "kudu"

T = TypeVar("T")
#: Hears how many rows more were read of a store.
Heard = Callable[[str, int], None]


class Candidates(NamedTuple):
    """Keys of a table that may differ. `unexamined` differing buckets were not looked into: `keys` were enough.
    `aged_out` rows of the source are none of them: Kudu has them no longer, as it should.
    """

    keys: list[Key]
    rows: dict[str, int]
    unexamined: int = 0
    aged_out: int = 0


def candidates(
    plans: Sequence[TablePlan],
    scopes: Mapping[str, Scope],
    readers: Mapping[str, Reader],
    heard: Heard,
    more: Callable[[int], None],
) -> dict[str, Candidates]:
    """The keys of each table that may differ. `more` is told of rows that will have to be read a second time."""
    found: dict[str, Candidates] = {}
    large = []
    small = [plan for plan in plans if plan.rows <= SMALL_ROWS or scopes[plan.topic].sample is not None]
    sampled = [plan for plan in small if scopes[plan.topic].sample is not None]
    for plan in sampled:
        found[plan.topic] = _sampled(plan, scopes[plan.topic], readers, heard)

    whole = [plan for plan in small if plan not in sampled]

    def all_digests(name: str, plan: TablePlan) -> dict[bytes, bytes] | None:
        try:
            return readers[name].digests(plan, scopes[plan.topic], None, HELD_ROWS, lambda rows: heard(name, rows))
        except TooMany:
            return None  # the source's estimate was wrong

    digests = _side_by_side(whole, all_digests)
    for plan in whole:
        of_table = digests[plan.topic]
        if any(rows is None for rows in of_table.values()):
            large.append(plan)
            continue
        known = {name: rows for name, rows in of_table.items() if rows is not None}
        source = known.pop(SOURCE)
        counts = {name: len(rows) for name, rows in {SOURCE: source, **known}.items()}
        keys, aged_out = _keys(plan, source, known)
        found[plan.topic] = Candidates([hashing.decode_key(key) for key in sorted(keys)], counts, 0, aged_out)

    large += [plan for plan in plans if plan not in small]
    found |= _large(large, scopes, readers, heard, more)
    return found


def _large(
    plans: Sequence[TablePlan],
    scopes: Mapping[str, Scope],
    readers: Mapping[str, Reader],
    heard: Heard,
    more: Callable[[int], None],
) -> dict[str, Candidates]:
    found: dict[str, Candidates] = {}
    buckets = {plan.topic: hashing.buckets_for(plan.rows) for plan in plans}

    def sums_of(name: str, plan: TablePlan) -> list[int]:
        return readers[name].sums(plan, scopes[plan.topic], buckets[plan.topic], lambda rows: heard(name, rows))

    all_sums = _side_by_side(plans, sums_of)
    for plan in plans:
        sums, differing, aged_out = _differing(plan, all_sums[plan.topic], buckets[plan.topic])
        keys: set[bytes] = set()
        unexamined = len(differing)
        for group in groups(differing, list(sums.values()), HELD_ROWS):
            if len(keys) >= EXAMINED_KEYS:
                break
            more(sum(hashing.count_of(sum(each)) for each in sums.values()))
            chosen = flags(group, buckets[plan.topic])

            def digests_of(name: str, plan: TablePlan, chosen: bytes = chosen) -> dict[bytes, bytes]:
                # Twice the rows counted before: the table may grow, but not so fast.
                return readers[name].digests(
                    plan, scopes[plan.topic], chosen, 2 * HELD_ROWS, lambda rows: heard(name, rows)
                )

            digests = _side_by_side([plan], digests_of)[plan.topic]
            keys |= _keys(plan, digests.pop(SOURCE), digests)[0]
            unexamined -= len(group)
        counts = {name: sum(map(hashing.count_of, each)) for name, each in sums.items()}
        chosen_keys = sorted(keys)
        if len(chosen_keys) > EXAMINED_KEYS:
            unexamined += len({hashing.bucket_of(key, buckets[plan.topic]) for key in chosen_keys[EXAMINED_KEYS:]})
            chosen_keys = chosen_keys[:EXAMINED_KEYS]
        found[plan.topic] = Candidates([hashing.decode_key(key) for key in chosen_keys], counts, unexamined, aged_out)
    return found


def _differing(
    plan: TablePlan, sums: Mapping[str, list[int]], buckets: int
) -> tuple[dict[str, list[int]], list[int], int]:
    """The sums of all rows, which buckets differ in any store, and how many rows Kudu has no longer.

    Of old rows Kudu may lack all of a bucket; one that it has some of is looked into.
    """
    if plan.aging is None:
        return dict(sums), differing_buckets(sums[SOURCE], [each for name, each in sums.items() if name != SOURCE]), 0
    source = sums[SOURCE]
    against = [
        each[:buckets] + as_kept(each[buckets:], source[buckets:]) if name == KUDU else each
        for name, each in sums.items()
        if name != SOURCE
    ]
    differing = sorted({bucket % buckets for bucket in differing_buckets(source, against)})
    whole = {name: [*map(add, each[:buckets], each[buckets:])] for name, each in sums.items()}
    old = {name: sum(map(hashing.count_of, each[buckets:])) for name, each in sums.items()}
    return whole, differing, max(0, old[SOURCE] - old[KUDU]) if KUDU in old else 0


def _keys(
    plan: TablePlan, source: Mapping[bytes, bytes], stores: Mapping[str, Mapping[bytes, bytes]]
) -> tuple[set[bytes], int]:
    """The keys that differ in any store, without those that Kudu alone has no longer, and how many these are."""
    if plan.aging is None or KUDU not in stores:
        return differing_keys(source, stores.values()), 0
    gone = {name for name in source.keys() - stores[KUDU].keys() if plan.aged(hashing.decode_key(name))}
    kudu = {**stores[KUDU], **{name: source[name] for name in gone}}
    return differing_keys(source, {**stores, KUDU: kudu}.values()), len(gone)


def _sampled(plan: TablePlan, scope: Scope, readers: Mapping[str, Reader], heard: Heard) -> Candidates:
    """The source's sample, looked up in the stores: what they have beyond the source is not looked for."""
    try:
        source = readers[SOURCE].digests(plan, scope, None, HELD_ROWS, lambda rows: heard(SOURCE, rows))
    except TooMany:
        raise SettingsError(
            f"--sample {scope.sample} of {plan.topic} is more than {HELD_ROWS:,} rows: take a smaller share, or all"
        ) from None
    names = list(source)
    keys = [hashing.decode_key(name) for name in names]

    def look_up(store: str) -> tuple[set[bytes], int, int]:
        differing, count, aged_out = set(names), 0, 0
        for first in range(0, len(keys), SAMPLE_KEYS):
            rows = readers[store].fetch(plan, keys[first : first + SAMPLE_KEYS])
            heard(store, len(rows))
            count += len(rows)
            for name, digest in hashing.digests((list(rows), list(rows.values())), None):
                if source.get(name) == digest:
                    differing.discard(name)
            if store == KUDU and plan.aging is not None:
                part = zip(names[first : first + SAMPLE_KEYS], keys[first : first + SAMPLE_KEYS], strict=True)
                gone = {name for name, key in part if plan.aged(key) and key not in rows}
                differing -= gone
                aged_out += len(gone)
        return differing, count, aged_out

    stores = [name for name in readers if name != SOURCE and name in plan.targets]
    with ThreadPoolExecutor(max(1, len(stores))) as pool:
        looked = dict(zip(stores, pool.map(look_up, stores), strict=True))
    every = sorted(set().union(*(differing for differing, _, _ in looked.values())))
    counts = {SOURCE: len(source), **{name: count for name, (_, count, _) in looked.items()}}
    examined, aged_out = every[:EXAMINED_KEYS], sum(count for _, _, count in looked.values())
    chosen = [hashing.decode_key(name) for name in examined]
    return Candidates(chosen, counts, len(every) - len(examined), aged_out)


def _side_by_side(plans: Sequence[TablePlan], step: Callable[[str, TablePlan], T]) -> dict[str, dict[str, T]]:
    """Do `step` for every store and table: the stores at once, each table after table. The first error is raised."""
    result: dict[str, dict[str, T]] = {plan.topic: {} for plan in plans}
    stores = [SOURCE, *sorted({name for plan in plans for name in plan.targets})]

    def work(name: str) -> None:
        for plan in plans:
            if name == SOURCE or name in plan.targets:
                result[plan.topic][name] = step(name, plan)

    if plans:
        pool = ThreadPoolExecutor(len(stores))
        try:
            for future in as_completed([pool.submit(work, name) for name in stores]):
                future.result()
        finally:
            pool.shutdown(wait=False)  # else one that fails, or Ctrl-C, would wait for the slowest
    return result
