"""Sending operations through a session of Kudu's client, and what came of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from models import RowFailure
from parrot_faust.errors import RowRefused, SinkUnavailable
from parrot_faust.sinks.kudu.outcomes import Outcome, message, outcome, status_text
from parrot_faust.sinks.kudu.prepare import Operation

NAME = "kudu"
BUFFER = 32 << 20  # bytes of unsent operations; a chunk is below 1 MB, and Kudu's servers take 50 MB in a call
FLUSH_ROWS = 5_000  # beyond this a bigger flush is no faster
#: How the text begins when an operation found the buffer too full for it.
FULL = "Incomplete"


#: How the text goes on when a whole call to a server failed: which of its rows was to blame is not known then.
WHOLE_CALL = "Failed to write batch"


class Refused(Exception):
    """Kudu never takes some of the rows it was given; `text` is the first reason. A signal within the sink.

    `all_of_them` says that every single row was refused for itself.
    """

    def __init__(self, text: str, *, all_of_them: bool = False) -> None:
        self.text, self.all_of_them = text, all_of_them
        super().__init__(text)


class Sender:
    """Sends operations to one table. `left` gives the seconds a flush may take, or raises SinkUnavailable.

    `before_flush` is called when that was looked at and nothing is sent yet.
    """

    def __init__(self, client: Any, table: Any, left: Callable[[], float], before_flush: Callable[[], None]) -> None:
        self._client, self._table, self._left, self._before_flush = client, table, left, before_flush

    def send(self, operations: Sequence[Operation]) -> None:
        """Return when all are durable. Raise Refused when Kudu never takes some of them, SinkUnavailable when it is
        not known what became of some. Sending the same again is harmless.
        """
        # A session of its own each time: after an error nothing of this attempt may be sent with the next.
        session = self._client.new_session("manual", timeout_ms=_milliseconds(self._left()), mutation_buffer_sz=BUFFER)
        for start in range(0, len(operations), FLUSH_ROWS):
            part = operations[start : start + FLUSH_ROWS]
            self._apply(session, part)
            self._flush(session, len(operations))

    def find_refused(self, operations: Sequence[Operation]) -> list[RowFailure]:
        """Send, narrow a refusal down to its rows by halves and return those; all others are durable."""
        if not operations:
            return []
        try:
            self.send(operations)
        except Refused as refused:
            if refused.all_of_them or len(operations) == 1:
                text = f"Kudu refuses the row: {refused.text}"
                return [RowFailure(operation.row, False, RowRefused.__name__, text) for operation in operations]
            middle = len(operations) // 2
            return self.find_refused(operations[:middle]) + self.find_refused(operations[middle:])
        return []

    def _apply(self, session: Any, operations: Sequence[Operation]) -> None:
        import kudu

        apply, new_upsert = session.apply, self._table.new_upsert
        for operation in operations:
            try:
                apply(self._made(operation) if operation.delete or operation.unset else new_upsert(operation.record))
            except kudu.KuduException as error:
                session.get_pending_errors()  # the refused operation is among them and already known
                if not message(error).startswith(FULL):
                    raise Refused(message(error)) from error
                self._flush(session, len(operations))
                self._apply_alone(session, operation)

    def _apply_alone(self, session: Any, operation: Operation) -> None:
        import kudu

        try:
            session.apply(self._made(operation))
        except kudu.KuduException as error:
            raise Refused(message(error)) from error

    def _made(self, operation: Operation) -> Any:
        """The operation as the client's own object. It must not be touched any more once it is applied."""
        if operation.delete:
            return self._table.new_delete_ignore(operation.record)  # deleting what is not there is no error
        made = self._table.new_upsert()
        for place, value in enumerate(operation.record):
            if place not in operation.unset:
                made[place] = value
        return made

    def _flush(self, session: Any, sent: int) -> None:
        import kudu

        session.set_timeout_ms(_milliseconds(self._left()))
        self._before_flush()
        try:
            session.flush()
        except kudu.KuduException as error:
            raise _what_failed(session, message(error), sent) from error


def _what_failed(session: Any, said: str, sent: int) -> Refused | SinkUnavailable:
    errors, overflowed = session.get_pending_errors()
    texts = [status_text(error) for error in errors]
    unknown = [text for text in texts if outcome(text) is Outcome.AGAIN]
    if overflowed or unknown or not texts:
        return SinkUnavailable(NAME, (unknown or [said])[0])
    by_row = not any(WHOLE_CALL in text for text in texts)
    return Refused(texts[0], all_of_them=by_row and len(texts) == sent)


def _milliseconds(seconds: float) -> int:
    return max(1, int(seconds * 1000))
