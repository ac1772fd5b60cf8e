"""The judge of the fault suite: reads source, Kudu, HBase and Kafka by itself and holds them against the promises.

It shares nothing with the code that writes but the documented forms: HBase's cells, and chunks on a writes topic.
"""

from __future__ import annotations

import json
import struct
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import msgspec
from durable import Watched, not_durable
from fastavro import parse_schema, schemaless_reader
from pipelines import STORES, Pipeline
from tapes import Address, Entry, Position, Tapes

from models import Chunk

SHOWN = 5  # findings of one kind that are written out
_chunks = msgspec.msgpack.Decoder(Chunk)


@dataclass
class Account:
    """Where every record of the source topics went. `problems` is empty when each went to exactly one place."""

    records: int = 0
    tombstones: int = 0
    quarantined: int = 0
    dropped: int = 0
    dead: int = 0
    skipped: int = 0
    applied: dict[str, int] = field(default_factory=dict)
    twice: int = 0
    problems: list[str] = field(default_factory=list)

    def line(self) -> str:
        """The account in a line."""
        applied = ", ".join(f"{store} {count:,}" for store, count in self.applied.items())
        return (
            f"{self.records:,} records: applied {applied}; quarantined {self.quarantined}, dropped {self.dropped}, "
            f"dead-lettered {self.dead}, tombstones {self.tombstones}, skipped {self.skipped}; filed twice {self.twice}"
        )


@dataclass
class Comparison:
    """Rows compared in both stores, keys whose last change was held back, and what differs."""

    rows: int = 0
    held: int = 0
    differences: list[str] = field(default_factory=list)


class Events:
    """Decodes Debezium's events with fastavro, or as JSON."""

    def __init__(self, registry: str) -> None:
        self._registry = registry
        self._schemas: dict[int, Any] = {}

    def decode(self, data: bytes | None) -> Any:
        """The event; None for bytes that are none."""
        if not data:
            return None
        if data[:1] != b"\0":
            try:
                found = json.loads(data)
            except ValueError:
                return None
            return found.get("payload", found) if isinstance(found, dict) else None
        if len(data) < 5:
            return None
        (identity,) = struct.unpack(">i", data[1:5])
        try:
            return schemaless_reader(BytesIO(data[5:]), self._schema(identity), None)
        except (EOFError, ValueError, IndexError, UnicodeDecodeError, LookupError):
            return None

    def _schema(self, identity: int) -> Any:
        if identity not in self._schemas:
            try:
                with urllib.request.urlopen(f"{self._registry}/schemas/ids/{identity}", timeout=10) as answer:
                    self._schemas[identity] = parse_schema(json.loads(json.loads(answer.read())["schema"]))
            except urllib.error.HTTPError as error:
                raise LookupError(identity) from error
        return self._schemas[identity]


@dataclass
class Picture:
    """What Kafka holds of a pipeline, read once: every input record, and what became of each."""

    inputs: dict[Address, Entry]
    quarantined: Counter[Address]
    dead: Counter[Address]
    dead_in: dict[str, set[Address]]
    dropped: set[Address]
    tombstones: set[Address]
    skipped: set[Address]
    chunks: dict[str, list[tuple[Entry, Chunk]]]

    def held(self, store: str) -> set[Address]:
        """Records that are not applied in a store because they were held back."""
        return set(self.quarantined) | set(self.dead) | self.dead_in[store] | self.dropped


class Oracle:
    """Judges one pipeline. `tables` may grow while it runs."""

    def __init__(self, run: Pipeline, tables: Sequence[Watched]) -> None:
        self.run, self.tables = run, list(tables)
        self.tapes = Tapes(run.addresses.kafka)
        self._events = Events(run.addresses.registry)

    def decode(self, data: bytes | None) -> Any:
        """A Debezium event; None for bytes that are none."""
        return self._events.decode(data)

    # -- lag ---------------------------------------------------------------------------------------------------------

    def topics(self) -> list[str]:
        """Every topic whose records the worker takes in batches: the source's, the writes, the held."""
        app = self.run.app
        sources = [self.run.topic(table.name) for table in self.tables]
        return [*sources, *(f"{app}.writes.{store}" for store in STORES), f"{app}.held"]

    def lag(self) -> tuple[int, Position]:
        """Records that are not committed yet, in all of the worker's topics, and where those end."""
        committed, ends = self.tapes.committed(self.run.app), self.tapes.ends(self.topics())
        return sum(max(0, end - committed.get(place, 0)) for place, end in ends.items()), ends

    # -- P1 ----------------------------------------------------------------------------------------------------------

    def compare(self, picture: Picture | None = None) -> Comparison:
        """Source against Kudu against HBase, row by row, but for keys whose last change was held back."""
        picture = picture or self.picture()
        result = Comparison()
        for table in (one for one in self.tables if one.rows):
            source = self.run.source(table.name, *table.key)
            for store in STORES:
                held = self._held_keys(picture, table, store)
                rows = self.run.store(store, table.name, *table.key)
                result.held += len(held)
                for key in (source.keys() | rows.keys()) - held:
                    result.rows += 1
                    if source.get(key) != rows.get(key):
                        result.differences.append(
                            f"{table.name} {key}: source {source.get(key)}, {store} {rows.get(key)}"
                        )
        return result

    def _held_keys(self, picture: Picture, table: Watched, store: str) -> set[tuple[Any, ...]]:
        topic, held = self.run.topic(table.name), picture.held(store)
        last: dict[bytes, Entry] = {}
        for entry in picture.inputs.values():
            # A record without a row of its own, such as rubbish in the topic, is no key's last.
            if entry.topic == topic and entry.key and entry.value is not None and entry.address not in picture.skipped:
                last[entry.key] = entry
        keys = set()
        for raw, entry in last.items():
            decoded = self._events.decode(raw) if entry.address in held else None
            if isinstance(decoded, dict) and set(table.key) <= decoded.keys():
                keys.add(tuple(decoded[name] for name in table.key))
        return keys

    # -- P3 ----------------------------------------------------------------------------------------------------------

    def picture(self) -> Picture:
        """Read all of Kafka that belongs to the pipeline."""
        app = self.run.app
        sources = {self.run.topic(table.name): table for table in self.tables}
        side = [f"{app}.{kind}.{topic}" for kind in ("quarantine", "dead") for topic in sources]
        writes = {f"{app}.writes.{store}": store for store in STORES}
        entries = self.tapes.read([*sources, *side, *writes])
        made = Picture(
            {}, Counter(), Counter(), {store: set() for store in STORES}, set(), set(), set(),
            {store: [] for store in STORES},
        )  # fmt: skip
        for entry in entries:
            if entry.topic in sources:
                made.inputs[entry.address] = entry
            elif entry.topic in writes:
                made.chunks[writes[entry.topic]].append((entry, _chunks.decode(entry.value or b"")))
            else:
                self._file(made, entry)
        for address, entry in made.inputs.items():
            self._classify(made, sources[entry.topic], address, entry)
        return made

    def _file(self, made: Picture, entry: Entry) -> None:
        headers = {name: value.decode() for name, value in entry.headers.items() if name.startswith("parrot.")}
        address = (headers["parrot.topic"], int(headers["parrot.partition"]), int(headers["parrot.offset"]))
        if entry.topic.startswith(f"{self.run.app}.quarantine."):
            made.quarantined[address] += 1
        elif sink := headers.get("parrot.sink"):
            made.dead_in[sink].add(address)
        else:
            made.dead[address] += 1

    def _classify(self, made: Picture, table: Watched, address: Address, entry: Entry) -> None:
        if entry.value is None:
            made.tombstones.add(address)
            return
        event = self._events.decode(entry.value)
        if not isinstance(event, dict):
            return
        if event.get("op") in ("t", "m"):
            made.skipped.add(address)
        elif (
            event.get("op") in ("c", "u", "r") and isinstance(event.get("after"), dict) and table.drops(event["after"])
        ):
            made.dropped.add(address)

    def account(self, picture: Picture | None = None) -> Account:
        """Hold every input record against where it went: exactly one place a store."""
        picture = picture or self.picture()
        account = Account(
            records=len(picture.inputs),
            tombstones=len(picture.tombstones),
            quarantined=len(picture.quarantined),
            dropped=len(picture.dropped),
            dead=len(set(picture.dead) | set().union(*picture.dead_in.values())),
            skipped=len(picture.skipped),
            twice=sum(picture.quarantined.values()) - len(picture.quarantined)
            + sum(picture.dead.values()) - len(picture.dead),
        )  # fmt: skip
        for store in STORES:
            sent: set[Address] = set()
            for _, chunk in picture.chunks[store]:
                sent |= {(chunk.header.table, chunk.header.partition, row.offset) for row in chunk.rows}
            applied = sent - picture.dead_in[store]
            account.applied[store] = len(applied)
            places = {
                "applied": applied,
                "quarantined": set(picture.quarantined),
                "dropped": picture.dropped,
                "dead-lettered": set(picture.dead) | (picture.dead_in[store] & sent),
                "tombstone": picture.tombstones,
                "skipped": picture.skipped,
            }
            went: dict[Address, list[str]] = defaultdict(list)
            for name, addresses in places.items():
                for address in addresses:
                    went[address].append(name)
            lost = [address for address in picture.inputs if address not in went]
            several = {address: names for address, names in went.items() if len(names) > 1}
            unknown = [address for address in went if address not in picture.inputs]
            account.problems += _told(f"P3 {store}: nothing tells what became of", lost)
            account.problems += _told(f"P3 {store}: went to more than one place:", several.items())
            account.problems += _told(f"P3 {store}: is no record of the source:", unknown)
        return account

    # -- P2 ----------------------------------------------------------------------------------------------------------

    def beyond_durable(self) -> tuple[int, list[str]]:
        """Hold what is committed against what is durable; return how many rows were held, and what is not there.

        What is committed is read first, then the stores, then the topics, so that this may be asked under load: what
        was durable stays so, and all that a store shows was in a topic before. Of a source topic, every record below
        the committed offset must have gone somewhere. Of a writes topic, the last operation of each key below the
        committed offset must be in the store, or one that stands behind it in the topic.
        """
        committed = self.tapes.committed(self.run.app)
        rows = {
            (store, table.name): self.run.store(store, table.name, *table.key)
            for store in STORES
            for table in self.tables
            if table.n
        }
        picture = self.picture()
        held_topic = self._filed(picture)
        checked, problems = 0, []
        for store in STORES:
            sent = {
                (chunk.header.table, chunk.header.partition, row.offset)
                for _, chunk in picture.chunks[store]
                for row in chunk.rows
            }
            gone = sent | picture.held(store) | held_topic | picture.tombstones | picture.skipped
            below = [
                address
                for address in picture.inputs
                if address[2] < committed.get(address[:2], 0) and address not in gone
            ]
            problems += _told(f"P2 {store}: below the committed source offset, and nowhere:", below)
            count, missing = self._not_durable(picture, store, committed, rows)
            checked += count
            problems += missing
        return checked, problems

    def _filed(self, picture: Picture) -> set[Address]:
        """Records that are on the held topic: kept, though their own topic may not have them yet."""
        from models import DeadLetter

        found = set()
        for entry in self.tapes.read([f"{self.run.app}.held"]):
            letter = msgspec.msgpack.decode(entry.value or b"", type=DeadLetter)
            found.add((letter.topic, letter.partition, letter.offset))
        return found

    def _not_durable(
        self, picture: Picture, store: str, committed: Position, rows: Mapping[tuple[str, str], Mapping[Any, Any]]
    ) -> tuple[int, list[str]]:
        numbered = {self.run.topic(table.name): table for table in self.tables if table.n}
        places = {table.name: list(self._columns(table)).index(table.n) for table in numbered.values() if table.n}

        def shown(name: str, key: tuple[Any, ...]) -> Any:
            row = rows[store, name].get(key)
            return None if row is None else row[places[name]]

        checked, missing = not_durable(picture.chunks[store], committed, numbered, picture.dead_in[store], shown)
        return checked, _told(f"P2 {store}: committed and not durable:", missing)

    def _columns(self, table: Watched) -> dict[str, str]:
        from parrot_faust.demo import stores

        return stores.columns(self.run.database, table.name, self.run.name)


def _told(what: str, found: Any) -> list[str]:
    listed = list(found)
    if not listed:
        return []
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return [f"{what} {'; '.join(str(one) for one in listed[:SHOWN])}{more}"]
