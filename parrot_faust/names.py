"""Names of the project's own Kafka topics, all under the app's name."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Topics that Debezium and Connect keep for themselves, whatever the prefix: they carry no table's changes.
# Transaction marks are `<prefix>.transaction`, messages of the source's log `<prefix>.message`; with a schema in
# between it is a table of that name.
_DEBEZIUM_OWN = re.compile(r"^__|^[^.]*\.(?:transaction|message)$|(?:^|\.)debezium[-_]signals?$")
# What Faust makes for itself under an app's name.
_FAUST_OWN = re.compile(r".*(?:-changelog|-repartition|-__leader)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Names:
    """Topic names of one app."""

    app: str

    def writes(self, sink: str) -> str:
        """Checked chunks for one sink."""
        return f"{self.app}.writes.{sink}"

    @property
    def held(self) -> str:
        """Records on their way to a dead-letter or quarantine topic."""
        return f"{self.app}.held"

    @property
    def rules(self) -> str:
        """Rule sets, keyed by table."""
        return f"{self.app}.rules"

    @property
    def rule_reports(self) -> str:
        """What each worker says of the rules it judges by, keyed by worker."""
        return f"{self.app}.rules.workers"

    @property
    def schemas(self) -> str:
        """Schema changes, keyed by table."""
        return f"{self.app}.schemas"

    @property
    def images(self) -> str:
        """Values that the stores lack because the change that brought them was held back, keyed by row."""
        return f"{self.app}.images"

    @property
    def verifications(self) -> str:
        """Results of comparing source and stores, keyed by table."""
        return f"{self.app}.verifications"

    @property
    def versions(self) -> str:
        """Up to which version each source partition may have used, keyed by source partition."""
        return f"{self.app}.versions"

    @property
    def anchor(self) -> str:
        """An empty topic that the source agent subscribes to when no source topic exists yet."""
        return f"{self.app}.sources"

    @property
    def redrive(self) -> str:
        """Requests to send dead letters again, which every worker reads."""
        return f"{self.app}.redrive"

    @property
    def resolved(self) -> str:
        """What became of dead letters, keyed by their address."""
        return f"{self.app}.resolved"

    @property
    def stats(self) -> str:
        """What each worker says of itself, keyed by worker."""
        return f"{self.app}.stats"

    @property
    def audit(self) -> str:
        """What people had done through the web view."""
        return f"{self.app}.audit"

    @property
    def tallies(self) -> str:
        """What batches come to, on their way to their table's windows."""
        return f"{self.app}.tallies"

    @property
    def windows(self) -> str:
        """What rules say of windows and of tables' shapes."""
        return f"{self.app}.windows"

    @property
    def breakers(self) -> str:
        """Which tables are paused, keyed by table."""
        return f"{self.app}.breakers"

    @property
    def sinks(self) -> str:
        """What people have said of sinks: which are paused, which writers are to begin anew; keyed by sink."""
        return f"{self.app}.sinks"

    def dead(self, topic: str) -> str:
        """Dead letters of a source topic."""
        return f"{self.app}.dead.{topic}"

    def quarantine(self, topic: str) -> str:
        """Changes of a source topic that rules held back."""
        return f"{self.app}.quarantine.{topic}"

    def owns(self, topic: str) -> bool:
        """Whether a topic is one of the app's own, a table's changelog among them."""
        if topic.startswith(f"{self.app}-"):
            return bool(_FAUST_OWN.fullmatch(topic))
        if topic in (self.redrive, self.resolved, self.stats, self.audit, self.rule_reports):
            return True
        if topic in (self.tallies, self.windows, self.breakers, self.sinks):
            return True
        # Not all that begins with the app's name: an app may be called as the topic prefix of its source is.
        own = (self.held, self.rules, self.schemas, self.images, self.versions, self.verifications, self.anchor)
        return topic in own or topic.startswith((self.writes(""), self.dead(""), self.quarantine("")))


def table_topic(prefix: str, schema: str, table: str) -> str:
    """The topic of a table: Debezium writes what a topic's name can't hold as an underscore."""
    return _underscored(r"[^A-Za-z0-9._-]", f"{prefix}.{schema}.{table}")


def avro_name(column: str) -> str:
    """A column's name where changes travel as Avro: Debezium writes what a field's name can't hold as an underscore."""
    name = _underscored(r"[^A-Za-z0-9_]", column)
    return f"_{name}" if name[:1].isdigit() else name


def _underscored(unfit: str, name: str) -> str:
    # Java counts a letter beyond the first 65,536 as two.
    return re.sub(unfit, lambda found: "_" * (1 + (ord(found[0]) > 0xFFFF)), name)


def message_topic(prefix: str) -> str:
    """Where a connector of this topic prefix puts messages that were written into the source's log."""
    return f"{prefix}.message"


def signal_topic(prefix: str) -> str:
    """Where a connector of this topic prefix takes signals from."""
    return f"{prefix}.debezium-signals"


def is_debezium_own(topic: str) -> bool:
    """Whether a topic carries Debezium's own messages: heartbeats, transaction marks, signals, internal state.

    A schema-change topic is named like the topic prefix alone, without a table's part; see `is_schema_change_topic`.
    """
    return bool(_DEBEZIUM_OWN.search(topic))


def is_schema_change_topic(topic: str, topics: frozenset[str]) -> bool:
    """Whether a topic is a connector's schema-change topic: others are named after it, with a dot and a table."""
    return "." not in topic and any(other.startswith(f"{topic}.") for other in topics)
