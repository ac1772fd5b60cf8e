"""The load under which faults happen: seeded work on three tables, in transactions of several sizes, at a rate.

Every row has a column `n` that holds the number of the change which brought it, the same nowhere else: so a row read
from a store tells which change it shows, and what is newer than what.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any

import psycopg

Statement = tuple[str, tuple[Any, ...]]
MARKER = 0  # the key's number of a row that only `Work.marks` touches
TICK_S = 0.05


def _nothing_dropped(_row: Mapping[str, Any]) -> bool:
    return False


@dataclass(frozen=True)
class LoadTable:
    """A table of the load. `key` makes a key of a number, `values` the other columns but `n`; a bad row breaks a rule.

    `drops` says of a row (by column name) whether a rule drops it, which leaves no trace in any topic.
    """

    name: str
    columns: str
    keys: tuple[str, ...]
    key: Callable[[int], tuple[Any, ...]]
    others: tuple[str, ...]
    values: Callable[[random.Random, bool], tuple[Any, ...]]
    rules: str
    drops: Callable[[Mapping[str, Any]], bool] = _nothing_dropped


ACCOUNTS = LoadTable(
    "accounts",
    "id int primary key, owner text, balance numeric(14,2), note text, n bigint",
    ("id",),
    lambda number: (number,),
    ("owner", "balance", "note"),
    lambda rng, bad: (
        rng.choice(("Åse", "Jürgen", "李小龍", "Zoë O'Hara", "🦜", None)),
        Decimal(-1 if bad else rng.randrange(1_000_000)) / 100,
        "x" * rng.randrange(200),
    ),
    "columns:\n  balance: [{be_between: {min_value: 0}}]\n",
)
ORDERS = LoadTable(
    "orders",
    "id bigint primary key, account int, status text, total numeric(12,2), placed timestamptz, n bigint",
    ("id",),
    lambda number: (1_000_000_000_000 + number,),
    ("account", "status", "total", "placed"),
    lambda rng, bad: (
        rng.randrange(10_000),
        "lost" if bad else rng.choice(("new", "paid", "shipped")),
        Decimal(rng.randrange(1_000_000)) / 100,
        f"2026-01-{rng.randrange(1, 29):02d} 12:00:00.{rng.randrange(1_000_000):06d}+00",
    ),
    "columns:\n  status: [{be_in_set: [new, paid, shipped]}]\n",
)
LINES = LoadTable(
    "lines",
    "order_id bigint, line_no int, quantity int, price numeric(10,2), n bigint, primary key (order_id, line_no)",
    ("order_id", "line_no"),
    lambda number: (number // 4, number % 4),
    ("quantity", "price"),
    lambda rng, bad: (0 if bad else rng.randrange(1, 9), Decimal(rng.randrange(100_000)) / 100),
    "columns:\n  quantity: [{be_between: {min_value: 0, strict_min: true}, action: drop}]\n",
    lambda row: row["quantity"] is not None and row["quantity"] <= 0,
)
TABLES = (ACCOUNTS, ORDERS, LINES)


@dataclass
class Work:
    """Seeded work: the same seed gives the same statements, whatever becomes of them."""

    seed: int
    bad_share: float = 0.03
    tables: tuple[LoadTable, ...] = TABLES
    n: int = 0
    _number: int = MARKER
    _there: dict[str, list[int]] = field(default_factory=dict)
    _gone: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        for table in self.tables:
            self._there[table.name], self._gone[table.name] = [], []

    def create(self) -> Iterator[str]:
        """The statements that make the tables."""
        for table in self.tables:
            yield f"create table {table.name} ({table.columns})"

    def initial(self, rows: int = 100) -> Iterator[Statement]:
        """The rows that are there before anything is captured: the markers and some of each table."""
        for table in self.tables:
            yield self._insert(table, MARKER, bad=False)
            for _ in range(rows):
                yield self._insert(table, self._new(table))

    def changes(self) -> Iterator[list[Statement]]:
        """Endless transactions, one statement a change of a row."""
        kinds = (self._grow, self._update, self._remove, self._revive, self._move, self._replace)
        while True:
            transaction: list[Statement] = []
            for _ in range(self._rng.choice((1, 1, 2, 3, 7))):
                table = self._rng.choice(self.tables)
                (kind,) = self._rng.choices(kinds, (22, 45, 10, 10, 6, 7))
                transaction += kind(table)
            if transaction:
                yield transaction

    def marks(self) -> list[Statement]:
        """A change of each table's marker."""
        return [self._set(table, MARKER, bad=False) for table in self.tables]

    # -- one kind of change each -------------------------------------------------------------------------------------

    def _grow(self, table: LoadTable) -> list[Statement]:
        return [self._insert(table, self._new(table))]

    def _update(self, table: LoadTable) -> list[Statement]:
        return [self._set(table, self._rng.choice(self._there[table.name]))]

    def _remove(self, table: LoadTable) -> list[Statement]:
        return [self._delete(table)] if len(self._there[table.name]) > 50 else []

    def _revive(self, table: LoadTable) -> list[Statement]:
        gone = self._gone[table.name]
        if not gone:
            return []
        number = gone.pop(self._rng.randrange(len(gone)))
        self._there[table.name].append(number)
        return [self._insert(table, number)]

    def _move(self, table: LoadTable) -> list[Statement]:
        """A row gets another key: a delete and an insert for everyone who reads."""
        there = self._there[table.name]
        old = there.pop(self._rng.randrange(len(there)))
        self._gone[table.name].append(old)
        new = self._new(table)
        moved = ", ".join(f"{column} = %s" for column in (*table.keys, "n"))
        return [
            (f"update {table.name} set {moved} where {_is(table)}", (*table.key(new), self._next(), *table.key(old)))
        ]

    def _replace(self, table: LoadTable) -> list[Statement]:
        """Deleted and inserted again in one transaction: both have the same time."""
        if len(self._there[table.name]) <= 50:
            return []
        removed = self._delete(table)
        return [removed, *self._revive(table)]

    def _delete(self, table: LoadTable) -> Statement:
        there = self._there[table.name]
        number = there.pop(self._rng.randrange(len(there)))
        self._gone[table.name].append(number)
        return f"delete from {table.name} where {_is(table)}", table.key(number)

    def _insert(self, table: LoadTable, number: int, *, bad: bool | None = None) -> Statement:
        columns = (*table.keys, *table.others, "n")
        values = (*table.key(number), *table.values(self._rng, self._bad(bad)), self._next())
        marks = ", ".join(["%s"] * len(columns))
        return f"insert into {table.name} ({', '.join(columns)}) values ({marks})", values

    def _set(self, table: LoadTable, number: int, *, bad: bool | None = None) -> Statement:
        columns = ", ".join(f"{column} = %s" for column in (*table.others, "n"))
        values = (*table.values(self._rng, self._bad(bad)), self._next(), *table.key(number))
        return f"update {table.name} set {columns} where {_is(table)}", values

    def _bad(self, told: bool | None) -> bool:
        return self._rng.random() < self.bad_share if told is None else told

    def _new(self, table: LoadTable) -> int:
        self._number += 1
        self._there[table.name].append(self._number)
        return self._number

    def _next(self) -> int:
        self.n += 1
        return self.n


def _is(table: LoadTable) -> str:
    return " and ".join(f"{column} = %s" for column in table.keys)


class Load:
    """Does the work on a thread of its own, at `rate` changes a second, until it is stopped."""

    def __init__(self, database: Mapping[str, Any], schema: str, work: Work, rate: int) -> None:
        self._database, self._schema, self._work, self._rate = database, schema, work, rate
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        #: Changes committed so far.
        self.made = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the transaction at hand. Raise what has ended it before."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._work_on()
        except BaseException as error:  # noqa: BLE001 - raised again by `stop`
            self._error = error

    def _work_on(self) -> None:
        with psycopg.connect(**self._database, autocommit=True) as database:
            database.execute(f"set search_path to {self._schema}")
            transactions = self._work.changes()
            began = time.monotonic()
            while not self._ended.wait(TICK_S):
                due = int((time.monotonic() - began) * self._rate)
                while self.made < due and not self._ended.is_set():
                    (statements,) = islice(transactions, 1)
                    with database.transaction(), database.pipeline():
                        for statement, values in statements:
                            database.execute(statement, values)
                    self.made += len(statements)
