"""What the web view has done for people: verdicts on schema changes, dead letters sent again, tables and sinks paused.

All is recorded.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec
from aiokafka.errors import KafkaError
from faust.exceptions import FaustError

from models import Fate, Pause, Resolution, Steer
from parrot_faust.errors import BrokerUnavailable, LetterError, ParrotError
from parrot_faust.letters.box import Box
from parrot_faust.letters.kept import Kept
from parrot_faust.letters.planning import plan
from parrot_faust.letters.sending import requests
from parrot_faust.schema.history import SchemaSeen

if TYPE_CHECKING:
    from parrot_faust.parts import Parts

_STEERED = {
    "pause": "is to pause before its next write",
    "resume": "is to go on",
    "restart": "is to begin anew with a process of its writer's",
}
PATIENCE_S = 30.0  # for the broker, and for reading all letters


class Acting:
    """Does one thing at a time."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._turn = asyncio.Lock()

    async def act(self, action: str, fields: Mapping[str, str], who: str) -> str:
        """Do it and return what came of it in words.

        It is recorded before and after; what can't be recorded is not done. Raise ParrotError when it can't be done.
        """
        does = {
            "approve": self._verdict,
            "reject": self._verdict,
            "redrive": self._redrive,
            "discard": self._discard,
            "pause": self._pause,
            "resume": self._pause,
            "restart": self._steer,
        }[action]
        if "sink" in fields:
            does = self._steer
        entry = {"id": uuid4().hex, "action": action, "fields": dict(fields), "who": who}
        async with self._turn:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._record(entry, "asked", "")
                    try:
                        words = await does(action, fields, who)
                    except ParrotError as error:
                        await self._record(entry, "refused", str(error))
                        raise
                    await self._record(entry, "done", words)
                    return words
            except (KafkaError, FaustError, OSError) as error:
                raise BrokerUnavailable((), error) from error

    async def _record(self, entry: Mapping[str, Any], state: str, words: str) -> None:
        told = {**entry, "state": state, "words": words, "at_ms": int(time.time() * 1000)}
        told["worker"] = self._parts.standing.identity
        outbox, topic = self._parts.outbox, self._parts.names.audit
        await outbox.confirm(
            [await outbox.send(topic, msgspec.json.encode(told), key=entry["id"].encode(), partition=0)]
        )

    async def _verdict(self, word: str, fields: Mapping[str, str], _: str) -> str:
        table = fields.get("table", "")
        parts = self._parts
        held = parts.schemas.history(table).held if table in parts.schemas.tables() else ()
        if not held:
            raise LetterError(f"no shape of {table!r} waits for a verdict")
        if fields.get("shape", "") != held[-1].schema.fingerprint:
            raise LetterError(f"the shapes of {table} that wait are not those that were shown: look again")
        event = SchemaSeen(None, table, -1, -1, "", (), int(time.time() * 1000), verdict=word)
        sent = await parts.outbox.send(parts.names.schemas, msgspec.json.encode(event), key=table.encode(), partition=0)
        await parts.outbox.confirm([sent])
        return f"{word} of {table} is on its way to the worker that keeps the schemas"

    async def _pause(self, word: str, fields: Mapping[str, str], _: str) -> str:
        """Pause a table as its circuit breaker would, until a person lets it go on."""
        table, parts = fields.get("table", ""), self._parts
        known = parts.windowing.breakers.pause(table)
        if table not in parts.sources:
            raise LetterError(f"no table {table!r} is captured")
        if (known is not None) == (word == "pause"):
            raise LetterError(f"{table} is {'paused already' if known else 'not paused'}")
        at_ms = max(int(time.time() * 1000), known.at_ms + 1 if known else 0)
        pause = Pause(table, word == "pause", at_ms, f"{word}d by a person on the web view")
        sent = await parts.outbox.send(
            parts.names.breakers, msgspec.json.encode(pause), key=table.encode(), partition=0
        )
        await parts.outbox.confirm([sent])
        return f"{table} {'is to pause before its next batch' if pause.paused else 'is to go on'}, in every worker"

    async def _steer(self, word: str, fields: Mapping[str, str], who: str) -> str:
        """Let the writers of a sink wait, go on, or begin anew, in every worker."""
        sink, said = fields.get("sink", ""), f"a person at {who}"
        if word not in (Steer.PAUSE, Steer.RESUME, Steer.RESTART):
            raise LetterError(f"{word} is nothing that a sink can be told")
        workers = tuple(worker for worker in fields.get("workers", "").split(",") if worker)
        await self._parts.steering.order(
            sink, Steer(word), said, workers=workers, only_failed=fields.get("only_failed") == "true"
        )
        return f"{sink} {_STEERED[word]}, in every worker" if not workers else f"{sink} {_STEERED[word]}"

    async def _redrive(self, _: str, fields: Mapping[str, str], __: str) -> str:
        box = self._box()
        letters, quarantined = await box.letters(), await box.letters(quarantine=True)
        held = [kept for kept in (*letters, *quarantined) if not kept.standing.closed]
        chosen = _open(letters, fields)
        request = uuid4().hex
        made = await plan(box, chosen, held, request, lambda *_: None)
        if made.decided:
            await box.write(made.decided)
        if made.asked:
            await box.ask(list(requests(request, made.asked)))
        decided = f"; {len(made.decided):,} need not be, or can't" if made.decided else ""
        self._parts.observing.letters_acted_on()
        return (
            f"{len(made.asked):,} letters are to be sent again{decided}. The page of errors shows what became of them"
        )

    async def _discard(self, _: str, fields: Mapping[str, str], __: str) -> str:
        """Close letters with nothing done about them, when they are as many as were shown."""
        box = self._box()
        chosen = _open(await box.letters(), fields)
        if fields.get("letters", "") != str(len(chosen)):
            raise LetterError(f"{len(chosen):,} letters are open, which are not those that were shown: look again")
        request = uuid4().hex
        await box.write([Resolution(kept.filing.place, Fate.DISCARDED, request) for kept in chosen])
        self._parts.observing.letters_acted_on()
        return f"thrown away: {len(chosen):,}. What is thrown away stays in its topic, and nothing is done about it"

    def _box(self) -> Box:
        return Box(self._parts.settings, self._parts.observing.letters_reader)


def _open(letters: list[Kept], fields: Mapping[str, str]) -> list[Kept]:
    """Those of a table and reason that are open. Raise LetterError when there are none."""
    table, reason = fields.get("table", ""), fields.get("reason", "")
    chosen = [kept for kept in letters if kept.standing.open and (kept.letter.topic, kept.reason) == (table, reason)]
    if not chosen:
        raise LetterError(f"no dead letter of {table!r} with reason {reason!r} is open")
    return chosen
