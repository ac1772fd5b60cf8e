"""Every error of Parrot Faust. The type says whether trying again can help.

::

    ParrotError
    ├── SettingsError              a setting is missing or wrong: file, line, what was meant
    ├── RuleError                  a rule file is refused: file, line, column, what was meant
    ├── LetterError                dead letters can't be chosen or sent again as asked
    ├── DistributionError          the local distribution can't do what was asked
    ├── ConnectError               Kafka Connect does not answer, or refuses what was asked
    ├── FailPointReached           a fail point that a test has armed; never met otherwise
    ├── TableNotRecovered          a worker's own table can't be read back from its changelog
    ├── TransientError             trying again may help
    │   ├── SinkUnavailable        a store does not answer, or not in time
    │   ├── SourceUnavailable      the source database does not answer, or not as asked
    │   ├── BrokerUnavailable      Kafka does not answer
    │   ├── RegistryUnavailable    the schema registry does not answer
    │   ├── WorkerUnavailable      no worker's page answered
    │   └── LeaseExpired           this worker may no longer own the partition: nothing was written
    └── TerminalError              trying again can't help: the record is dead-lettered
        ├── DecodeError            bytes that are no Debezium event
        │   └── UnknownSchema      the registry has no schema of that id
        ├── MessageUnreadable      a message of a topic of our own that nobody of ours has written so
        ├── TableRefused           a whole table can't be taken: no key, or the store can't hold it
        └── RowRefused             one row can't be written
            ├── ValueRefused       a value does not fit its column in the store
            └── RowTooLarge        a row is larger than a chunk or the store allows

Errors carry fields, and their text is made from them, so that a message can be shown and its parts counted.
"""

from __future__ import annotations

from collections.abc import Sequence


class ParrotError(Exception):
    """Base of all. `str()` is a sentence for people."""


class SettingsError(ParrotError):
    """A missing or wrong setting."""

    def __init__(self, message: str, *, file: str = "", line: int = 0) -> None:
        self.file, self.line = file, line
        where = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        super().__init__(f"{where}{message}")


class RuleError(ParrotError):
    """A rule file that is refused as a whole. `also` are the other errors in it, when all of them were looked for."""

    def __init__(
        self, message: str, *, file: str = "", line: int = 0, column: int = 0, also: tuple[RuleError, ...] = ()
    ) -> None:
        self.message, self.file, self.line, self.column, self.also = message, file, line, column, also
        where = ":".join(str(part) for part in (file, line, column) if part)
        super().__init__(f"{where}: {message}" if where else message)


class LetterError(ParrotError):
    """Dead letters can't be chosen, sent again or thrown away as asked; the text says what to do."""


class DistributionError(ParrotError):
    """The local distribution can't do what was asked; the text says what to do."""


class ConnectError(ParrotError):
    """Kafka Connect does not answer, or refuses; `status` is its HTTP status, 0 when it did not answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        self.status = status
        super().__init__(message)


class FailPointReached(ParrotError):
    """A fail point was passed that the environment has armed. Nobody handles it: it stands for what nobody foresaw."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"the fail point {name} was armed")


class TableNotRecovered(ParrotError):
    """A table of the worker can't be read back from its changelog. `offset` is -1 where no record is at fault."""

    def __init__(self, topic: str, partition: int, offset: int, reason: str) -> None:
        self.topic, self.partition, self.offset = topic, partition, offset
        where = f"{topic}[{partition}]" if offset < 0 else f"{topic}[{partition}] offset {offset}"
        super().__init__(
            f"the table kept in {where} can't be read back: {reason}; if nothing of this app has written that, delete "
            "the topic while no worker runs: it is made again, and rules and shapes come into it as they are seen"
        )


class TransientError(ParrotError):
    """Trying again may help."""


class SinkUnavailable(TransientError):
    """A store did not answer, or not before the deadline. What was sent may or may not have been applied."""

    def __init__(self, sink: str, message: str) -> None:
        self.sink = sink
        super().__init__(f"{sink} is not available: {message}")


class SourceUnavailable(TransientError):
    """The source database did not answer, or refused."""

    def __init__(self, message: str) -> None:
        super().__init__(f"the source database is not available: {message}")


class BrokerUnavailable(TransientError):
    """Kafka did not answer; `why` is what its client says of that."""

    def __init__(self, brokers: Sequence[str], why: BaseException | str = "") -> None:
        said = str(why) or type(why).__name__
        text = "no broker answers" if not why or "Unable to bootstrap" in said else said
        where = f" at {', '.join(brokers)}" if brokers else ""
        super().__init__(f"Kafka{where}: {text}; see whether it runs, and `brokers` and `kafka` in the settings")


class RegistryUnavailable(TransientError):
    """The schema registry did not answer."""

    def __init__(self, url: str, message: str) -> None:
        self.url = url
        super().__init__(f"schema registry {url} is not available: {message}; see `source.registry` in the settings")


class WorkerUnavailable(TransientError):
    """No worker's page answered."""

    def __init__(self, url: str, message: str) -> None:
        super().__init__(f"no worker answers at {url}: {message}")


class LeaseExpired(TransientError):
    """The time in which this worker surely owns its partitions has run out; nothing was written after that."""


class TerminalError(ParrotError):
    """Trying again can't help."""


class DecodeError(TerminalError):
    """A record's bytes are not a Debezium event this worker can read."""


class UnknownSchema(DecodeError):
    """The registry answered that it has no such schema."""

    def __init__(self, schema_id: int) -> None:
        self.schema_id = schema_id
        super().__init__(f"the schema registry has no schema with id {schema_id}")


class MessageUnreadable(TerminalError):
    """A message in one of the project's own topics is not what belongs there: another program, or version, wrote it."""

    def __init__(self, topic: str, partition: int, offset: int, reason: str) -> None:
        self.topic, self.partition, self.offset = topic, partition, offset
        super().__init__(f"message at offset {offset} of {topic}[{partition}] can't be read: {reason}")


class TableRefused(TerminalError):
    """No change of this table can be taken."""

    def __init__(self, table: str, reason: str) -> None:
        self.table, self.reason = table, reason
        super().__init__(f"table {table} is refused: {reason}")


class RowRefused(TerminalError):
    """One row can't be written."""

    def __init__(self, table: str, reason: str) -> None:
        self.table, self.reason = table, reason
        super().__init__(f"{table}: {reason}")

    def of(self, key: str) -> str:
        """The same sentence, with the key of the row."""
        return f"{self.table}: key ({key}): {self.reason}"


class ValueRefused(RowRefused):
    """A value does not fit its column in the store. `type` is the column's type there."""

    def __init__(self, table: str, column: str, type: str, reason: str) -> None:
        self.column, self.type = column, type
        super().__init__(table, f"column {column} ({type}): {reason}")


class RowTooLarge(RowRefused):
    """A row, or the part of it that `what` names, is larger than what holds it. Sizes in bytes."""

    def __init__(self, table: str, size: int, limit: int, *, what: str = "the row") -> None:
        self.size, self.limit = size, limit
        super().__init__(table, f"{what} has {size} bytes, the limit is {limit}")
