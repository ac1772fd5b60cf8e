"""Client of a schema registry that speaks Confluent's API: Confluent's own, Apicurio's, Redpanda's, Karapace."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import aiohttp

from parrot_faust.errors import RegistryUnavailable
from parrot_faust.settings import Source
from parrot_faust.tls import Tls, context, refusal

LOGIN = "the user and password given (source.registry_user, source.registry_password)"

# Long enough for a registry that is just starting, short enough to say within a batch that it is away.
_TIMEOUT_S = 5.0
# How long the answer "no such schema" is believed: a schema may be registered, or replicated, a moment later, and a
# topic of garbage must not become a flood of questions.
_ABSENT_S = 30.0
# A schema that refers to others which refer to others ... seldom goes beyond two.
_MAX_REFERENCES = 100
_MAX_DEPTH = 200

#: A registry's own 404 carries the code of what is missing: a subject, a version, a schema. A bare 404, even in JSON,
#: is also what a wrong address answers, and must not turn good records into dead letters.
_NOT_FOUND = (40401, 40402, 40403)


class RegistryClient:
    """Schemas by id. Ids are immutable, so every schema is asked for once and kept.

    `url` is the base of the API, for example ``http://127.0.0.1:8081`` (Apicurio: with ``/apis/ccompat/v7``). It may
    carry a user and password, which are used and never shown. `tls` says whom to trust where the address begins with
    https. Belongs to the event loop that first asks.
    """

    def __init__(
        self,
        url: str,
        *,
        username: str = "",
        password: str = "",
        tls: Tls | None = None,
        timeout_s: float = _TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(url.rstrip("/"))
        host = parts.netloc.rpartition("@")[2]
        #: The address without user and password, for people.
        self.url = urlunsplit(parts._replace(netloc=host, query="", fragment=""))
        self._headers = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}
        username, password = username or unquote(parts.username or ""), password or unquote(parts.password or "")
        if username:
            self._headers["Authorization"] = "Basic " + b64encode(f"{username}:{password}".encode()).decode()
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._ssl: ssl.SSLContext | bool = True if tls is None else context(tls)
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._schemas: dict[int, str] = {}
        self._absent: dict[int, float] = {}
        self._asking: dict[int, asyncio.Task[str | None]] = {}

    async def schema(self, schema_id: int) -> str | None:
        """Return the schema's text, with what it refers to put in; None when the registry says it has no such id.

        Raise RegistryUnavailable for every other answer and for none: whether to ask again is the caller's choice.
        Several who ask for one id at a time share one request.
        """
        if schema_id in self._schemas:
            return self._schemas[schema_id]
        if self._clock() < self._absent.get(schema_id, float("-inf")):
            return None
        task = self._asking.get(schema_id)
        if task is None:
            task = self._asking[schema_id] = asyncio.create_task(self._ask(schema_id))
            task.add_done_callback(lambda _: self._asking.pop(schema_id, None))
        # One who stops waiting must not end it for the others.
        return await asyncio.shield(task)

    async def latest(self, subject: str) -> str | None:
        """Return the newest schema of a subject, None when there is none. Raise RegistryUnavailable."""
        answer = await self._get(f"/subjects/{quote(subject, safe='')}/versions/latest", dict)
        if answer is None:
            return None
        text = str(answer.get("schema"))
        return await self._resolved(text, answer["references"]) if answer.get("references") else text

    async def check(self) -> None:
        """Return when the registry answers as one. Raise RegistryUnavailable, saying what is wrong."""
        if await self._get("/subjects", list) is None:
            raise RegistryUnavailable(self.url, "it has no subjects, so its API is somewhere else")

    async def close(self) -> None:
        """End what is under way and let go of the connections. May be called twice."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def __aenter__(self) -> RegistryClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _ask(self, schema_id: int) -> str | None:
        answer = await self._get(f"/schemas/ids/{schema_id}", dict)
        if answer is None:
            now = self._clock()
            self._absent = {known: until for known, until in self._absent.items() if until > now}
            self._absent[schema_id] = now + _ABSENT_S
            return None
        text = answer.get("schema")
        if not isinstance(text, str):
            raise RegistryUnavailable(self.url, f"its answer for schema {schema_id} holds no schema")
        if references := answer.get("references"):
            text = await self._resolved(text, references)
        self._schemas[schema_id] = text
        return text

    async def _resolved(self, text: str, references: Any) -> str:
        """The schema with the types it refers to written out where each is first used."""
        definitions: dict[str, Any] = {}
        wanted = list(references)
        while wanted:
            reference = wanted.pop()
            try:
                name, subject, version = reference["name"], reference["subject"], int(reference["version"])
            except (TypeError, KeyError, ValueError):
                raise RegistryUnavailable(self.url, f"a reference that names no subject: {reference!r}") from None
            if name in definitions:
                continue
            if len(definitions) >= _MAX_REFERENCES:
                raise RegistryUnavailable(self.url, f"a schema refers to more than {_MAX_REFERENCES} others")
            answer = await self._get(f"/subjects/{quote(subject, safe='')}/versions/{version}", dict)
            if answer is None:
                raise RegistryUnavailable(self.url, f"it has no version {version} of {subject}, which a schema needs")
            definitions[name] = _tree(str(answer.get("schema")))
            wanted += answer.get("references") or []
        return json.dumps(_inlined(_tree(text), definitions, set()))

    async def _get(self, path: str, kind: type) -> Any:
        """The JSON at `path`, None when the registry says that there is none."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, headers=self._headers)
        try:
            async with self._session.get(self.url + path, ssl=self._ssl) as response:
                status, body = response.status, await response.read()
        except TimeoutError:
            raise RegistryUnavailable(self.url, f"no answer within {self._timeout.total:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise RegistryUnavailable(self.url, _what(error)) from None
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            raise RegistryUnavailable(self.url, f"HTTP {status} with a body that is no JSON") from None
        if status == 404 and isinstance(answer, dict) and answer.get("error_code") in _NOT_FOUND:
            return None
        if status in (401, 403):
            raise RegistryUnavailable(
                self.url, f"HTTP {status}: it does not accept the user and password given ({LOGIN})"
            )
        if status != 200 or not isinstance(answer, kind):
            raise RegistryUnavailable(self.url, f"HTTP {status} with a body that is not a registry's")
        return answer


def _what(error: Exception) -> str:
    """An error in words that hold no address and so no secret of it."""
    if refused := refusal(error, "source.registry_tls"):
        return refused
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"can't connect: {error.os_error.strerror or type(error.os_error).__name__}"
    return type(error).__name__


def _tree(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text  # the bare name of a type; anything else is refused by whoever reads the schema


def _inlined(tree: Any, definitions: dict[str, Any], done: set[str], namespace: str = "", depth: int = 0) -> Any:
    """`tree` with the first use of each defined name replaced by its definition."""
    if depth > _MAX_DEPTH:
        return tree  # whoever reads the schema refuses it long before this depth
    if isinstance(tree, str):
        full = tree if "." in tree or not namespace else f"{namespace}.{tree}"
        for name in (full, tree):
            if name in definitions and name not in done:
                done.add(name)
                definition = definitions[name]
                if isinstance(definition, dict):
                    # Without a namespace of its own it must not take that of the place it is put in.
                    definition = {"namespace": "", **definition}
                return _inlined(definition, definitions, done, "", depth + 1)
        return tree
    if isinstance(tree, list):
        return [_inlined(each, definitions, done, namespace, depth + 1) for each in tree]
    if not isinstance(tree, dict):
        return tree
    own = tree.get("name")
    inner = str(tree.get("namespace", namespace))
    if isinstance(own, str) and "." in own:
        inner = own.rpartition(".")[0]
    made = dict(tree)
    for part in ("type", "items", "values"):
        if part in made:
            made[part] = _inlined(made[part], definitions, done, inner, depth + 1)
    if isinstance(made.get("fields"), list):
        made["fields"] = [_inlined(each, definitions, done, inner, depth + 1) for each in made["fields"]]
    return made


def registry_of(source: Source) -> RegistryClient | None:
    """The registry that the settings name; None when they name none."""
    if not source.registry:
        return None
    return RegistryClient(
        source.registry,
        username=source.registry_user,
        password=source.registry_password,
        tls=source.registry_tls,
    )
