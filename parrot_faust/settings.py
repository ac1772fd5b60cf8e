"""`parrot.yaml` and the environment, made into frozen, typed, checked settings. Every default has its reason here."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import msgspec
from ruamel.yaml import YAML, tokens
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from parrot_faust.errors import SettingsError

MAX_BYTES = 1 << 20  # a settings file beyond this is no settings file
MAX_DEPTH = 20  # the settings need five; the parser's time grows with the square of it
_BEGIN = (
    tokens.BlockMappingStartToken,
    tokens.BlockSequenceStartToken,
    tokens.FlowMappingStartToken,
    tokens.FlowSequenceStartToken,
)
_END = (tokens.BlockEndToken, tokens.FlowMappingEndToken, tokens.FlowSequenceEndToken)
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the file; a name it does not know is an error."""


class Web(_Section, frozen=True, kw_only=True):
    """The web view. Loopback, because it shows data and takes no password."""

    host: str = "127.0.0.1"
    port: int = 6066
    enabled: bool = True


class Source(_Section, frozen=True, kw_only=True):
    """Where changes come from. `topics` is a regular expression that a topic's whole name must match."""

    topics: str
    exclude: tuple[str, ...] = ()
    format: Literal["auto", "avro", "json", "json-schema", "flattened"] = "auto"
    registry: str | None = None
    registry_user: str = ""
    registry_password: str = ""

    def __repr__(self) -> str:
        return f"Source(topics={self.topics!r}, format={self.format!r})"  # the registry's password stays out of logs


class KuduSection(_Section, frozen=True, kw_only=True):
    """Kudu. Four hash buckets serve a tablet server of four cores; three replicas are what a cluster survives with."""

    masters: tuple[str, ...]
    table: str = "{schema}.{table}"
    buckets: int = 4
    replicas: int = 3
    timeout_s: float = 5.0


class HBaseSection(_Section, frozen=True, kw_only=True):
    """HBase through its Thrift servers: the first API for tables and scans, the second for writes with versions."""

    thrift: str
    thrift2: str
    table: str = "{schema}.{table}"
    family: str = "d"
    timeout_s: float = 5.0


class Sinks(_Section, frozen=True, kw_only=True):
    """The stores; at least one."""

    kudu: KuduSection | None = None
    hbase: HBaseSection | None = None


class KuduTable(_Section, frozen=True, kw_only=True):
    """What differs for one table in Kudu."""

    table: str | None = None
    buckets: int | None = None
    replicas: int | None = None


class HBaseTable(_Section, frozen=True, kw_only=True):
    """What differs for one table in HBase."""

    table: str | None = None
    family: str | None = None


class Table(_Section, frozen=True, kw_only=True):
    """What differs for one source table. `key` names key columns where the source has none; `columns` declares types
    for JSON without schema; `sinks` names the stores it goes to, all when it is empty.
    """

    kudu: KuduTable = KuduTable()
    hbase: HBaseTable = HBaseTable()
    key: tuple[str, ...] = ()
    columns: dict[str, str] = {}
    sinks: tuple[str, ...] = ()


class Batch(_Section, frozen=True, kw_only=True):
    """Bounds of what agents take at once. A thousand records keep the event loop's longest stretch below 100 ms; four
    batches of a partition keep the next one ready; 64 MB bound what a stopped store leaves waiting in memory.
    """

    records: int = 1_000
    bytes: int = 4 << 20
    partition_batches: int = 4
    group_bytes: int = 64 << 20


class Delivery(_Section, frozen=True, kw_only=True):
    """How changes are handed on. A lease is shorter than the session, so that what a frozen worker still holds has
    expired before another has its partitions; a chunk stays below Kafka's default message limit of 1 MB.
    """

    chunk_rows: int = 500
    chunk_bytes: int = 900_000
    retry_first_s: float = 1.0
    retry_cap_s: float = 60.0
    session_timeout_s: float = 10.0
    heartbeat_s: float = 2.0
    lease_s: float = 6.0
    commit_interval_s: float = 1.0


class Topics(_Section, frozen=True, kw_only=True):
    """The project's own topics: their partitions and copies, and how long chunks wait for a store that is away."""

    partitions: int = 4
    replicas: int = 1
    retention_days: int = 14


class Settings(_Section, frozen=True, kw_only=True):
    """All settings. `app` names the consumer group and the project's own topics; `state` can be made again."""

    app: str = "parrot"
    brokers: tuple[str, ...] = ("127.0.0.1:9092",)
    state: Path = Path(".parrot/worker")
    web: Web = Web()
    source: Source
    sinks: Sinks
    quality: Path = Path("quality_rules")
    schema_change: Literal["lenient"] = "lenient"
    truncate: Literal["report"] = "report"
    tables: dict[str, Table] = {}
    batch: Batch = Batch()
    delivery: Delivery = Delivery()
    topics: Topics = Topics()

    def __repr__(self) -> str:
        return f"Settings(app={self.app!r}, brokers={self.brokers!r})"  # the rest may hold secrets


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings file, put the environment over it, and check everything.

    The file is `path`, else `PARROT_CONFIG`, else ``parrot.yaml`` in the current folder. ``PARROT_<SECTION>__<NAME>``
    overrides one value, ``${NAME}`` and ``${NAME:-default}`` in a text are taken from the environment. Raise
    SettingsError with file and line, or the variable, that the wrong value comes from, and the nearest right name.
    """
    file = path or Path(environ.get("PARROT_CONFIG") or "parrot.yaml")
    tree = _read(file)
    _refuse_unknown(tree, Settings, str(file), "")
    plain = _plain(tree, str(file), environ)
    overridden = _override(plain, environ)
    if isinstance(plain.get("brokers"), str):
        plain["brokers"] = [part.strip() for part in plain["brokers"].split(",") if part.strip()]
    try:
        settings = msgspec.convert(plain, Settings, strict=True, dec_hook=_hook)
    except msgspec.ValidationError as error:
        raise _complaint(*_explain(str(error), plain), tree, str(file), overridden) from None
    for where, problem in _problems(settings):
        raise _complaint(where, f"{'.'.join(where)}: {problem}", tree, str(file), overridden)
    return settings


def _hook(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise ValueError(f"Expected `str`, got `{type(value).__name__}`")


def _read(file: Path) -> CommentedMap:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise SettingsError(f"larger than {MAX_BYTES} bytes", file=str(file))
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"can't be read ({error.strerror}); name the settings file in PARROT_CONFIG, or put a parrot.yaml here",
            file=str(file),
        ) from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"is not UTF-8 at byte {error.start}", file=str(file)) from None
    try:
        depth = 0
        for token in YAML(pure=True).scan(text):
            depth += isinstance(token, _BEGIN) - isinstance(token, _END)
            if depth > MAX_DEPTH:
                raise SettingsError("is nested too deeply", file=str(file), line=token.start_mark.line + 1)
            if isinstance(token, (tokens.TagToken, tokens.AnchorToken, tokens.AliasToken)):
                line = token.start_mark.line + 1
                raise SettingsError("tags, anchors and aliases are not allowed here", file=str(file), line=line)
        tree = YAML(typ="rt", pure=True).load(text)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SettingsError("holds a character that YAML does not allow", file=str(file), line=line) from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        problem = str(error.problem or "is no YAML")
        if isinstance(error, DuplicateKeyError):
            problem = problem.partition(" with value ")[0]  # the values may be secrets
        raise SettingsError(problem, file=str(file), line=line) from None
    except YAMLError as error:
        raise SettingsError(str(error), file=str(file)) from None
    if not isinstance(tree, CommentedMap):
        raise SettingsError("must hold names and values, for example `app: parrot`", file=str(file))
    return tree


def _refuse_unknown(tree: Any, kind: Any, file: str, prefix: str) -> None:
    if get_origin(kind) is dict and isinstance(tree, CommentedMap):
        for name, value in tree.items():
            _refuse_unknown(value, get_args(kind)[1], file, f"{prefix}{name}.")
        return
    struct = next((part for part in (kind, *get_args(kind)) if is_section(part)), None)
    if struct is None or not isinstance(tree, CommentedMap):
        return
    fields = _fields(struct)
    for name, value in tree.items():
        if name not in fields:
            raise SettingsError(_unknown(f"{prefix}{name}", fields), file=file, line=tree.lc.key(name)[0] + 1)
        _refuse_unknown(value, fields[name], file, f"{prefix}{name}.")


def _fields(kind: Any) -> dict[str, Any]:
    """Names and types in a section; empty for what is no section."""
    struct = next((part for part in (kind, *get_args(kind)) if is_section(part)), None)
    return {field.name: field.type for field in msgspec.structs.fields(struct)} if struct else {}


def _unknown(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name.rpartition(".")[2], known, 1)
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
    return f"there is no setting {name}; {hint}"


def is_section(kind: Any) -> bool:
    """Whether a type is one of this file's sections."""
    return isinstance(kind, type) and get_origin(kind) is None and issubclass(kind, msgspec.Struct)


def _plain(tree: Any, file: str, environ: Mapping[str, str], name: str = "", line: int = 0) -> Any:
    if isinstance(tree, CommentedMap):
        return {
            str(key): _plain(value, file, environ, str(key), tree.lc.key(key)[0] + 1) for key, value in tree.items()
        }
    if isinstance(tree, CommentedSeq):
        return [_plain(value, file, environ, name, tree.lc.item(index)[0] + 1) for index, value in enumerate(tree)]
    if isinstance(tree, str):
        return _substituted(str(tree), file, environ, name, line)
    if isinstance(tree, float):
        return float(tree)  # the loader has number types of its own, which keep how a number was written
    return tree if isinstance(tree, bool) or not isinstance(tree, int) else int(tree)


def _substituted(text: str, file: str, environ: Mapping[str, str], name: str, line: int) -> str:
    def replace(match: re.Match[str]) -> str:
        found = environ.get(match[1], match[2])
        if found is None:
            raise SettingsError(f"{name} needs the environment variable {match[1]}", file=file, line=line)
        return found

    return _VARIABLE.sub(replace, text)


def _override(plain: dict[str, Any], environ: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """Put the environment's values in their places; return the variable of each."""
    overridden = {}
    for variable, text in sorted(environ.items()):  # so that PARROT_WEB comes before PARROT_WEB__PORT
        path = tuple(variable.removeprefix("PARROT_").lower().split("__"))
        if not variable.startswith("PARROT_") or path[0] not in Settings.__struct_fields__:
            continue  # PARROT_CONFIG, PARROT_STATE_ID and others mean something else
        if path == ("state",):
            continue  # PARROT_STATE names the local distribution's folder
        kind: Any = Settings
        target = plain
        for depth, name in enumerate(path, 1):
            fields = _fields(kind)
            if get_origin(kind) is not dict and name not in fields:
                raise SettingsError(_unknown(".".join(path[:depth]), fields), file=variable)
            kind = get_args(kind)[1] if get_origin(kind) is dict else fields[name]
            if depth < len(path):
                if target.get(name) is None:
                    target[name] = {}
                target = target[name]
                if not isinstance(target, dict):
                    raise SettingsError(f"{'.'.join(path[:depth])} holds no names", file=variable)
        target[path[-1]] = _read_variable(kind, text, variable)
        overridden[path] = variable
    return overridden


def _read_variable(kind: Any, text: str, variable: str) -> Any:
    """A text is taken as it is, a list may be written with commas, all else is YAML."""
    parts = (kind, *get_args(kind))
    if get_origin(kind) is tuple and not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    if kind in (str, Path) or get_origin(kind) is Literal:
        return text
    if str in parts and NoneType in parts:
        return text or None
    try:
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError):
        raise SettingsError("its value is no YAML", file=variable) from None  # and may be a secret


def _explain(message: str, plain: dict[str, Any]) -> tuple[tuple[str, ...], str]:
    """The setting that is wrong and what is wrong with it, from the words of `msgspec`."""
    path, text = _split(message)
    if path[:2] == ("tables", "*"):
        for name, table in plain["tables"].items():  # the message does not say which one
            try:
                msgspec.convert(table, Table, strict=True, dec_hook=_hook)
            except msgspec.ValidationError as error:
                within, text = _split(str(error))
                path = ("tables", name, *within)
                break
    where = ".".join(path)
    if missing := re.match(r"Object missing required field `(\w+)`", text):
        return path, f"{where}.{missing[1]} is missing".removeprefix(".")
    if wrong := re.match(r"Invalid enum value '(.*)'", text, re.DOTALL):
        text = _unlike(wrong[1], get_args(_kind_at(path)))
    return path, f"{where}: {text[0].lower()}{text[1:]}" if where else text


def _split(message: str) -> tuple[tuple[str, ...], str]:
    """The path in a message, a place in a list or mapping being a part of its own, and the rest of the message."""
    text, _, path = message.partition(" - at `$")
    parts = path.removesuffix("`").replace("[...]", ".*").replace("[", ".").replace("]", "").split(".")
    return tuple(part for part in parts if part), text


def _kind_at(path: tuple[str, ...]) -> Any:
    kind: Any = Settings
    for name in path:
        kind = get_args(kind)[1] if get_origin(kind) is dict else _fields(kind).get(name)
    return kind


def _unlike(value: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(value, known, 1)
    return f"{value!r} is none of {', '.join(known)}" + (f"; did you mean {near[0]}?" if near else "")


def _complaint(
    path: tuple[str, ...], text: str, tree: CommentedMap, file: str, overridden: Mapping[tuple[str, ...], str]
) -> SettingsError:
    for depth in range(len(path), 0, -1):
        if variable := overridden.get(path[:depth]):
            return SettingsError(text, file=variable)
    return SettingsError(text, file=file, line=line_at(tree, path))


def line_at(tree: Any, path: Sequence[str]) -> int:
    """The line of a setting, or of the nearest section around it; 0 when unknown."""
    line = 0
    for name in path:
        if not isinstance(tree, CommentedMap) or name not in tree:
            break
        line = tree.lc.key(name)[0] + 1
        tree = tree[name]
    return line


def _problems(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    source, delivery, sinks = settings.source, settings.delivery, settings.sinks
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", settings.app):
        yield ("app",), f"{settings.app!r} can't be part of a Kafka topic's name: use letters, digits, . _ and -"
    for name, pattern in (("topics", source.topics), *(("exclude", text) for text in source.exclude)):
        try:
            re.compile(pattern)
        except re.error as error:
            yield ("source", name), f"{pattern!r} is no regular expression: {error}"
    if sinks.kudu is None and sinks.hbase is None:
        yield ("sinks",), "needs kudu, hbase or both"
    if not 0 < settings.web.port < 65_536:
        yield ("web", "port"), f"{settings.web.port} is no port"
    if not delivery.heartbeat_s * 2 <= delivery.lease_s < delivery.session_timeout_s:
        yield ("delivery", "lease_s"), "must be at least two heartbeats and shorter than session_timeout_s"
    if source.format == "avro" and not source.registry:
        yield ("source", "format"), "avro needs source.registry"
    for section in ("batch", "delivery", "topics"):
        for name, value in msgspec.structs.asdict(getattr(settings, section)).items():
            if isinstance(value, int) and value < 1:
                yield (section, name), f"{value} must be at least 1"
            elif not 0 < value < float("inf"):
                yield (section, name), f"{value} must be more than 0"
    for name, table in settings.tables.items():
        known = tuple(sink for sink in ("kudu", "hbase") if getattr(sinks, sink) is not None)
        for sink in table.sinks:
            if sink not in known:
                yield ("tables", name, "sinks"), f"sink {sink!r} is not configured; there is {', '.join(known)}"
