"""The demo's database: a shop, seeded, and the work that is done on it."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg

TABLES = ("customers", "products", "orders", "order_lines")
KEYS = {"customers": ("id",), "products": ("id",), "orders": ("id",), "order_lines": ("order_id", "line_no")}

SCHEMA = """
create table customers (id int primary key, email text, name text, country text, vip boolean, profile jsonb,
  created timestamptz);
create table products (id int primary key, sku text, name text, price numeric(10,2), weight double precision,
  description text, active boolean, updated timestamp);
create table orders (id bigint primary key, customer_id int, status text, total numeric(12,2), placed timestamptz,
  note text);
create table order_lines (order_id bigint, line_no int, product_id int, quantity int, price numeric(10,2),
  primary key (order_id, line_no));
-- A change of key is sent as a delete and an insert, and the insert carries a long text that did not change only if
-- the source logs whole rows.
alter table products replica identity full;
"""
ADD_COLUMN = "alter table orders add column channel text"

COUNTRIES = ("NO", "SE", "DK", "FI", "DE", "IT", "FR")
NAMES = ("Åse Ødegård", "Jürgen Groß", "María José", "李小龍", "Zoë O'Hara", "ابن سينا", "Anna 🦜")
LONG_TEXT = 9_000  # characters that don't compress: above the size from which PostgreSQL stores a text elsewhere
STATUSES = ("new", "paid", "shipped", "cancelled")

Statement = tuple[str, tuple[Any, ...]]


def create(connection: psycopg.Connection[Any]) -> None:
    """Make the tables anew, empty."""
    for table in TABLES:
        connection.execute(f"drop table if exists {table}")
    connection.execute(SCHEMA)


@dataclass
class Work:
    """Seeded work: the same seed gives the same statements. `bad_share` of the rows break a rule."""

    seed: int
    bad_share: float = 0.03
    with_channel: bool = False
    customers: list[int] = field(default_factory=list)
    products: list[int] = field(default_factory=list)
    orders: list[int] = field(default_factory=list)
    lines: list[tuple[int, int]] = field(default_factory=list)
    _next: int = 1

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - work that can be repeated, no secret

    def initial(self) -> Iterator[Statement]:
        """The rows that are there before anything is captured."""
        for _ in range(200):
            yield self._new_customer()
        for _ in range(60):
            yield self._new_product()
        for _ in range(150):
            yield from self._new_order()

    def changes(self) -> Iterator[Statement]:
        """Endless work, one statement a row change."""
        kinds = (
            (self._insert_order, 24),
            (self._update_order, 30),
            (self._update_customer, 14),
            (self._update_product, 10),
            (self._delete_order, 5),
            (self._delete_line, 5),
            (self._insert_customer, 6),
            (self._change_key, 3),
            (self._insert_line, 3),
        )
        functions, weights = zip(*kinds, strict=True)
        while True:
            (function,) = self._random.choices(functions, weights)
            yield from function()

    # -- one kind of change each -------------------------------------------------------------------------------------

    def _bad(self) -> bool:
        return self._random.random() < self.bad_share

    def _identity(self) -> int:
        self._next += 1
        return self._next

    def _text(self, length: int) -> str:
        return "".join(self._random.choices(string.ascii_letters + string.digits, k=length))

    def _new_customer(self) -> Statement:
        identity = self._identity()
        self.customers.append(identity)
        email = "nobody" if self._bad() else f"{self._text(8).lower()}@example.com"
        profile = (
            f'{{"points": {self._random.randrange(1000)}, "tags": ["a", "b"]}}' if self._random.random() < 0.8 else None
        )
        values = (identity, email, self._random.choice(NAMES), self._random.choice(COUNTRIES), True, profile)
        return "insert into customers values (%s, %s, %s, %s, %s, %s, clock_timestamp())", values

    def _new_product(self) -> Statement:
        identity = self._identity()
        self.products.append(identity)
        price, weight = self._random.randrange(1, 90_000) / 100, self._random.choice((0.1, 2.5, 1e-9, None))
        values = (identity, f"ABC-{identity:05d}", self._text(12), price, weight, self._text(LONG_TEXT))
        return "insert into products values (%s, %s, %s, %s, %s, %s, true, clock_timestamp())", values

    def _new_order(self) -> Iterator[Statement]:
        identity = self._identity()
        self.orders.append(identity)
        total = -5 if self._bad() else self._random.randrange(100, 100_000) / 100
        note = self._random.choice((None, "please ring twice", "‰ … “quoted”"))
        values: tuple[Any, ...] = (identity, self._random.choice(self.customers), "new", total, note)
        if self.with_channel:
            channel = self._random.choice(("web", "shop", None))
            yield "insert into orders values (%s, %s, %s, %s, clock_timestamp(), %s, %s)", (*values, channel)
        else:
            yield "insert into orders values (%s, %s, %s, %s, clock_timestamp(), %s)", values
        for number in range(1, self._random.randrange(2, 4)):
            yield self._line(identity, number)

    def _line(self, order: int, number: int) -> Statement:
        self.lines.append((order, number))
        quantity = 0 if self._bad() else self._random.randrange(1, 9)
        values = (order, number, self._random.choice(self.products), quantity, self._random.randrange(1, 9_999) / 100)
        return "insert into order_lines values (%s, %s, %s, %s, %s)", values

    def _insert_order(self) -> Iterator[Statement]:
        yield from self._new_order()

    def _insert_customer(self) -> Iterator[Statement]:
        yield self._new_customer()

    def _insert_line(self) -> Iterator[Statement]:
        yield self._line(self._random.choice(self.orders), self._identity())

    def _update_order(self) -> Iterator[Statement]:
        status = "lost" if self._bad() else self._random.choice(STATUSES)
        total = self._random.randrange(100, 100_000) / 100
        if self.with_channel and self._random.random() < 0.5:
            yield (
                "update orders set status = %s, channel = %s where id = %s",
                (status, self._random.choice(("web", "shop", "phone", None)), self._random.choice(self.orders)),
            )
        else:
            yield (
                "update orders set status = %s, total = %s where id = %s",
                (status, total, self._random.choice(self.orders)),
            )

    def _update_customer(self) -> Iterator[Statement]:
        email = "no address" if self._bad() else f"{self._text(6).lower()}@example.org"
        yield (
            "update customers set email = %s, vip = not vip where id = %s",
            (email, self._random.choice(self.customers)),
        )

    def _update_product(self) -> Iterator[Statement]:
        identity = self._random.choice(self.products)
        if self._random.random() < 0.1:
            yield "update products set description = %s where id = %s", (self._text(LONG_TEXT), identity)
        else:
            price = self._random.randrange(1, 90_000) / 100
            yield "update products set price = %s, updated = clock_timestamp() where id = %s", (price, identity)

    def _delete_order(self) -> Iterator[Statement]:
        if len(self.orders) > 50:
            yield "delete from orders where id = %s", (self._pop(self.orders),)

    def _delete_line(self) -> Iterator[Statement]:
        if len(self.lines) > 50:
            yield "delete from order_lines where order_id = %s and line_no = %s", self._pop(self.lines)

    def _change_key(self) -> Iterator[Statement]:
        if self._random.random() < 0.5:
            old, new = self._pop(self.orders), self._identity()
            self.orders.append(new)
            yield "update orders set id = %s where id = %s", (new, old)
        else:
            old, new = self._pop(self.products), self._identity()
            self.products.append(new)
            yield "update products set id = %s where id = %s", (new, old)

    def _pop(self, members: list[Any]) -> Any:
        index = self._random.randrange(len(members))
        members[index], members[-1] = members[-1], members[index]
        return members.pop()
