"""Which batches of a partition are done, and so how far its offset may be committed.

The rule, in one place: an offset is committed only when every batch up to it has been settled. Batches settle in any
order; the committable offset moves over the unbroken run of settled batches at the head and no further. A partition
that is taken away, or read again from an earlier offset, begins a new account: tickets of the old one settle nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Ticket:
    """One batch handed out: offsets `first` to `last` (inclusive), `size` in bytes."""

    partition: Hashable
    first: int
    last: int
    size: int
    done: bool = False
    note: str = ""


@dataclass(slots=True)
class _Account:
    open: deque[Ticket] = field(default_factory=deque)
    bytes: int = 0
    next_offset: int | None = None
    note: str = ""
    committed: int | None = None


class Ledger:
    """The accounts of all partitions a worker has. Not thread-safe: it belongs to one event loop."""

    def __init__(self) -> None:
        self._accounts: dict[Hashable, _Account] = {}

    def open(self, partition: Hashable, first: int, last: int, size: int = 0) -> Ticket:
        """Record that a batch was handed out and return its ticket. Batches of a partition come in offset order."""
        if last < first:
            raise ValueError(f"{partition}: a batch can't end at {last} when it begins at {first}")
        account = self._accounts.setdefault(partition, _Account())
        if account.open and first <= account.open[-1].last:
            raise ValueError(f"{partition}: a batch from {first} follows one up to {account.open[-1].last}")
        ticket = Ticket(partition, first, last, size)
        account.open.append(ticket)
        account.bytes += size
        return ticket

    def settle(self, ticket: Ticket, note: str = "") -> bool:
        """Say that every record of the batch is applied, held back or dead-lettered. False when the ticket is void.

        `note` is kept with the offset and becomes the commit's metadata once the offset is committable.
        """
        account = self._accounts.get(ticket.partition)
        if account is None or ticket.done or not any(ticket is known for known in account.open):
            return False
        ticket.done, ticket.note = True, note
        while account.open and account.open[0].done:
            head = account.open.popleft()
            account.bytes -= head.size
            account.next_offset, account.note = head.last + 1, head.note
        return True

    def committable(self, partition: Hashable) -> tuple[int, str] | None:
        """The next offset to read and its note, or None when nothing has settled since the last commit."""
        account = self._accounts.get(partition)
        if account is None or account.next_offset is None or account.next_offset == account.committed:
            return None
        return account.next_offset, account.note

    def committed(self, partition: Hashable, offset: int) -> None:
        """Record that the broker has confirmed a commit."""
        if account := self._accounts.get(partition):
            account.committed = offset

    def forget(self, partitions: Iterable[Hashable]) -> None:
        """Begin new accounts: every ticket handed out so far is void."""
        for partition in partitions:
            self._accounts.pop(partition, None)

    def settled(self, partition: Hashable) -> int | None:
        """The offset up to which all is settled, exclusive; None when nothing of this account is."""
        account = self._accounts.get(partition)
        return account.next_offset if account else None

    def confirmed(self, partition: Hashable) -> int | None:
        """The offset whose commit the broker has confirmed last; None when none of this account is."""
        account = self._accounts.get(partition)
        return account.committed if account else None

    def reached(self, partition: Hashable) -> int | None:
        """The first offset that is not settled, once anything was handed out: how far this worker has come."""
        account = self._accounts.get(partition)
        if account is None:
            return None
        return account.open[0].first if account.open else account.next_offset

    def passed(self, partition: Hashable, offset: int) -> bool:
        """Whether a batch reached `offset` or further: reading on from there is reading again, or another topic."""
        account = self._accounts.get(partition)
        if account is None:
            return False
        return (account.open[-1].last if account.open else (account.next_offset or 0) - 1) >= offset

    def partitions(self) -> list[Hashable]:
        """Partitions that have an account."""
        return list(self._accounts)

    def outstanding(self, partition: Hashable) -> tuple[int, int]:
        """Batches and bytes handed out and not yet passed over."""
        account = self._accounts.get(partition)
        return (len(account.open), account.bytes) if account else (0, 0)
