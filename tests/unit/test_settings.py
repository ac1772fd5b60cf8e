"""Settings: what is read, what the environment changes, and what every complaint names."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import pytest

from parrot_faust.errors import SettingsError
from parrot_faust.settings import MAX_BYTES, Settings, load

BASE = "source: {topics: 'shop\\..*'}\nsinks: {kudu: {masters: ['m:7051']}}\n"
SECRET = "hunter2-geheim"  # what no error may show

Read = Callable[..., Settings]
Refused = Callable[..., SettingsError]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "parrot.yaml"


@pytest.fixture
def read(file: Path) -> Read:
    def read(text: str, environ: Mapping[str, str] | None = None) -> Settings:
        file.write_text(text, encoding="utf-8")
        return load(file, environ or {})

    return read


@pytest.fixture
def refused(read: Read) -> Refused:
    def refused(text: str, environ: Mapping[str, str] | None = None) -> SettingsError:
        with pytest.raises(SettingsError) as caught:
            read(text, environ)
        return caught.value

    return refused


def test_smallest_file_is_enough(read: Read) -> None:
    settings = read(BASE)
    assert settings.source.topics == r"shop\..*"
    assert settings.sinks.kudu is not None
    assert settings.sinks.kudu.masters == ("m:7051",)
    assert settings.sinks.hbase is None
    assert settings.web.host == "127.0.0.1"
    assert settings.tables == {}


def test_file_is_read_whole(read: Read) -> None:
    settings = read(
        "app: shop\nbrokers: [a:1, b:2]\nstate: some/where\n"
        "source:\n  topics: x\n  exclude: [y]\n  format: avro\n  registry: http://r:8081\n"
        "sinks:\n  kudu: {masters: [m:1], buckets: 8}\n  hbase: {thrift: 'h:9090', thrift2: 'h:9091', family: f}\n"
        "tables:\n  shop.public.orders: {key: [id], columns: {id: int64}, sinks: [hbase], kudu: {replicas: 1}}\n"
    )
    assert (settings.app, settings.brokers, settings.state) == ("shop", ("a:1", "b:2"), Path("some/where"))
    assert settings.source.exclude == ("y",)
    assert settings.sinks.hbase is not None
    assert settings.sinks.hbase.family == "f"
    table = settings.tables["shop.public.orders"]
    assert (table.key, table.columns, table.sinks, table.kudu.replicas) == (("id",), {"id": "int64"}, ("hbase",), 1)


def test_settings_can_not_be_changed(read: Read) -> None:
    with pytest.raises(AttributeError):
        read(BASE).app = "other"  # type: ignore[misc]


def test_defaults_are_allowed_values(read: Read) -> None:
    assert read(BASE) == msgspec.convert(msgspec.to_builtins(read(BASE), enc_hook=str), Settings, dec_hook=_path)


def _path(kind: type, value: object) -> object:
    return kind(value)


def test_brokers_may_be_written_with_commas(read: Read) -> None:
    assert read(BASE + "brokers: 'a:1, b:2,'\n").brokers == ("a:1", "b:2")


# -- which file ------------------------------------------------------------------------------------------------------


def test_file_is_the_named_one_else_that_of_the_environment_else_parrot_yaml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("parrot", "second", "third"):
        Path(f"{name}.yaml").write_text(f"app: {name}\n{BASE}")
    assert load(environ={}).app == "parrot"
    assert load(environ={"PARROT_CONFIG": ""}).app == "parrot"
    assert load(environ={"PARROT_CONFIG": "second.yaml"}).app == "second"
    assert load(Path("third.yaml"), {"PARROT_CONFIG": "second.yaml"}).app == "third"


def test_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="PARROT_CONFIG") as caught:
        load(tmp_path / "absent.yaml", {})
    assert caught.value.file == str(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"app: \xff\n", 0, "UTF-8 at byte 5"),
        (b"# " + b"x" * MAX_BYTES, 0, "larger than"),
        (b"", 0, "names and values"),
        (b"- a\n- b\n", 0, "names and values"),
        (b"app: shop\nweb: [1, 2\nsinks: {}\n", 3, "expected ','"),
        (b"app: shop\n---\napp: other\n", 2, "another document"),
        (b"app: shop\n# fine\nquality: a\x07b\n", 3, "character that YAML does not allow"),
        (b"app: x\nweb: " + b"[" * 50_000, 2, "nested too deeply"),
        (b"".join(b" " * depth + b"a:\n" for depth in range(30)), 21, "nested too deeply"),
    ],
)
def test_what_is_no_settings_file_is_refused_by_name_and_line(
    file: Path, content: bytes, line: int, words: str
) -> None:
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=words) as caught:
        load(file, {})
    assert (caught.value.file, caught.value.line) == (str(file), line)
    assert str(caught.value).startswith(f"{file}:{line}: " if line else f"{file}: ")


def test_many_tables_are_no_depth(read: Read) -> None:
    tables = "".join(f"  a.t{number}: {{key: [id], kudu: {{buckets: 2}}}}\n" for number in range(50))
    assert len(read(f"{BASE}tables:\n{tables}").tables) == 50


# -- YAML that is more than data -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "app: !!str x",
        "app: !own x",
        "app: !<tag:yaml.org,2002:str> x",
        "app: !!python/object/apply:os.system ['true']",
        "web: &anchor {port: 1}",
        "batch: *anchor",
        "brokers: [&a 'a:1', *a]",
        "batch: {<<: *x}",
        "!!str app: x",
        "quality: it's\nweb: &anchor {port: 1}\nstate: it's",
        "brokers: [a#b, &x c]",
    ],
)
def test_tags_anchors_and_aliases_are_refused_with_their_line(refused: Refused, text: str) -> None:
    error = refused(f"# a comment first, with 'quotes' and \"more\"\n\n{BASE}{text}\n")
    assert "tags, anchors and aliases" in str(error)
    assert error.line == 5 + text.partition("&anchor")[0].count("\n")


@pytest.mark.parametrize("text", ["a&b", "rules,!x", "'&x'", "it's !", '"*a"', "x*y # &a !b *c"])
def test_signs_inside_a_text_are_no_tags(read: Read, text: str) -> None:
    assert str(read(f"{BASE}quality: {text}\n").quality) == text.partition(" #")[0].strip("'\"")


@pytest.mark.parametrize(
    ("text", "line", "name"),
    [
        (f"{BASE}app: a\nquality: q\napp: b\n", 5, "app"),
        (f"sinks: {{}}\nsource:\n  topics: x\n  registry_password: {SECRET}1\n  registry_password: {SECRET}2\n", 5,
         "registry_password"),
        (f"{BASE}tables:\n  a.b:\n    key: [id]\n  a.b:\n    key: [no]\n", 6, "a.b"),
    ],
)  # fmt: skip
def test_name_that_stands_twice_is_refused_without_its_values(
    refused: Refused, text: str, line: int, name: str
) -> None:
    error = refused(text)
    assert error.line == line
    assert f'duplicate key "{name}"' in str(error)
    assert SECRET not in str(error)


# -- names and values ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "line", "words"),
    [
        ("delivry: {}", 3, "there is no setting delivry; did you mean delivery?"),
        ("web:\n  prot: 1", 4, "there is no setting web.prot; did you mean port?"),
        ("web: {port: 1, enabeld: true}", 3, "there is no setting web.enabeld; did you mean enabled?"),
        ("tables:\n  a.b: {}\n  c.d:\n    kudu:\n      bukets: 3", 7,
         "there is no setting tables.c.d.kudu.bukets; did you mean buckets?"),
        ("qqqq: 1", 3, "there is no setting qqqq; known here: app, brokers,"),
        ("web: {qqqq: 1}", 3, "there is no setting web.qqqq; known here: host, port, enabled"),
        ("7: 1", 3, "there is no setting 7;"),
    ],
)  # fmt: skip
def test_unknown_name_is_refused_with_line_and_nearest_right_name(
    refused: Refused, file: Path, more: str, line: int, words: str
) -> None:
    error = refused(BASE + more + "\n")
    assert words in str(error)
    assert (error.file, error.line) == (str(file), line)


@pytest.mark.parametrize(
    ("more", "line", "words"),
    [
        ("web:\n  enabled: true\n  port: many", 5, "web.port: expected `int`, got `str`"),
        ("web:\n  port: '6066'", 4, "web.port: expected `int`"),
        ("web: {enabled: no}", 3, "web.enabled: expected `bool`"),
        ("state: 5", 3, "state: expected `str`, got `int`"),
        ("app: 2020-01-01", 3, "app: expected `str`, got `date`"),
        ("schema_change: strict", 3, "schema_change: 'strict' is none of exception, evolve,"),
            ("schema_change: evolved", 3, "did you mean evolve?"),
            ("schema_change_kinds: {AddColum: review}", 3, "did you mean AddColumn?"),
            ("schema_change_kinds:\n  DropColumn: evolve\n  Truncate: evolve", 5, "truncates are reported and not"),
            ("tables:\n  a.b:\n    schema_change_kinds: {RenameColumn: evolve}", 5, "do not tell a rename"),
        ("brokers:\n  - a:1\n  - 5", 3, "brokers.1: expected `str`, got `int`"),
        ("tables:", 3, "tables: expected `object`, got `null`"),
        ("tables:\n  a.b:", 4, "tables.a.b: expected `object`, got `null`"),
        ("tables:\n  a.b: {}\n  c.d:\n    kudu: {buckets: x}", 6, "tables.c.d.kudu.buckets: expected `int | null`"),
        ("tables:\n  a.b: {}\n  c.d:\n    columns:\n      id: 1", 7, "tables.c.d.columns.id: expected `str`"),
        ("tables: {a.b: {kudu: {replicas: 2}}}", 3, "tables.a.b.kudu.replicas: 2: Kudu wants an odd number"),
        ("tables:\n  a.b:\n    kudu:\n      columns:\n        '*':\n          encoding: dictt", 8,
         "tables.a.b.kudu.columns.*.encoding: 'dictt' is none of auto, plain, bitshuffle, rle, dict, prefix; "),
        ("tables:\n  a.b:\n    hbase:\n      families:\n        x: {ttl: 5}", 7, "microseconds as their version"),
        ("tables:\n  a.b:\n    hbase:\n      families:\n        x: {versions: 0}", 7, "versions: 0 must be at least 1"),
        ("tables:\n  a.b:\n    hbase:\n      families:\n        x: {compression: gzip}", 7,
         "compression: 'gzip' is none of none, gz, snappy, lz4, zstd, lzo, bzip2"),
        ("tables: {a.b: {hbase: {salt: 257}}}", 3, "tables.a.b.hbase.salt: 257 is not within 1 and 256"),
        ("tables: {a.b: {hbase: {row_key: binry}}}", 3, "'binry' is none of text, binary; did you mean binary?"),
        ("tables: {a.b: {hbase: {salt: 2, splits: [a]}}}", 3, "splits: a salted table is cut where its salts are"),
        ("tables: {a.b: {hbase: {row_key: binary, splits: [x]}}}", 3, "splits: 'x' is no row key in hexadecimal"),
        ("tables:\n  a.b: {}\n  c.d:\n    sinks: [hbase]", 6,
         "tables.c.d.sinks: sink 'hbase' is not configured; there is kudu"),
        ("\napp: shop/x", 4, "app: 'shop/x' can't be part"),
        ("app: ''", 3, "app: '' can't be part"),
        ("web: {port: 0}", 3, "web.port: 0 is no port"),
        ("web: {port: 65536}", 3, "web.port: 65536 is no port"),
        ("batch:\n  records: 0", 4, "batch.records: 0 must be at least 1"),
        ("batch: {partition_batches: 0}", 3, "batch.partition_batches: 0 must be at least 1"),
        ("batch: {group_bytes: -1}", 3, "batch.group_bytes: -1 must be at least 1"),
        ("delivery: {chunk_rows: 0}", 3, "delivery.chunk_rows: 0 must be at least 1"),
        ("delivery: {retry_first_s: 0}", 3, "delivery.retry_first_s: 0.0 must be more than 0"),
        ("delivery: {retry_cap_s: .nan}", 3, "delivery.retry_cap_s: nan must be more than 0"),
        ("topics: {retention_days: 0}", 3, "topics.retention_days: 0 must be at least 1"),
        ("delivery:\n  lease_s: 8.0", 4, "delivery.lease_s: must be at least two heartbeats and shorter"),
        ("log:\n  repeats: -1", 4, "log.repeats: -1 must be at least 1, or 0 for no limit"),
        ("log:\n  format: xml", 4, "log.format"),
        ("log:\n  level: loud", 4, "log.level"),
        ("tracing:\n  endpoint: localhost:4318", 4, "tracing.endpoint: is no address of a collector"),
        ("tracing:\n  endpoint: http://h:99999", 4, "tracing.endpoint: is no address of a collector"),
        ("tracing:\n  endpoint: http://u:p@h:1", 4, "tracing.endpoint: holds a login"),
        ("tracing: {share: 0}", 3, "tracing.share: 0.0 must be more than 0 and at most 1"),
        ("tracing: {share: 1.5}", 3, "tracing.share: 1.5 must be more than 0 and at most 1"),
        ("delivery:\n  lease_s: 3.9", 4, "delivery.lease_s: must be at least two heartbeats and shorter"),
    ],
)  # fmt: skip
def test_wrong_value_is_refused_with_its_setting_and_line(
    refused: Refused, file: Path, more: str, line: int, words: str
) -> None:
    error = refused(BASE + more + "\n")
    assert words in str(error)
    assert (error.file, error.line) == (str(file), line)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("app: x\nsinks: {kudu: {masters: [m]}}\n", 0, "source is missing"),
        ("source: {topics: x}\n", 0, "sinks is missing"),
        ("source:\n  format: json\nsinks: {}\n", 1, "source.topics is missing"),
        ("source: {topics: x}\nsinks:\n  kudu:\n    buckets: 4\n", 3, "sinks.kudu.masters is missing"),
        ("source: {topics: x}\nsinks: {}\n", 2, "sinks: needs kudu, hbase or both"),
        (
            "source:\n  topics: '('\nsinks: {kudu: {masters: [m]}}\n",
            2,
            "source.topics: '(' is no regular expression",
        ),
        (
            "source:\n  topics: x\n  exclude: [a, '[']\nsinks: {hbase: {thrift: 'h:1', thrift2: 'h:2'}}\n",
            3,
            "source.exclude: '['",
        ),
        (
            "source:\n  topics: x\n  format: avro\nsinks: {hbase: {thrift: 'h:1', thrift2: 'h:2'}}\n",
            3,
            "avro needs source.registry",
        ),
        ("source:\n  topics: x\n  format: avroo\nsinks: {}\n", 3, "did you mean avro?"),
    ],
)
def test_wrong_source_or_sink_is_refused_with_its_setting_and_line(
    refused: Refused, text: str, line: int, words: str
) -> None:
    error = refused(text)
    assert words in str(error)
    assert error.line == line


# -- the environment -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "value", "path", "expected"),
    [
        ("PARROT_APP", "other", "app", "other"),
        ("PARROT_BROKERS", "a:1,b:2", "brokers", ("a:1", "b:2")),
        ("PARROT_BROKERS", "['a:1', 'b:2']", "brokers", ("a:1", "b:2")),
        ("PARROT_WEB__PORT", "7000", "web.port", 7000),
        ("PARROT_WEB__ENABLED", "false", "web.enabled", False),
        ("PARROT_WEB", "{port: 7000}", "web.port", 7000),
        ("PARROT_SINKS__KUDU__MASTERS", "x:1, y:2", "sinks.kudu.masters", ("x:1", "y:2")),
        ("PARROT_SINKS__KUDU__TABLE", "x.{table}", "sinks.kudu.table", "x.{table}"),
        ("PARROT_SOURCE__FORMAT", "json", "source.format", "json"),
        ("PARROT_SOURCE__TOPICS", "[ab]+", "source.topics", "[ab]+"),
        ("PARROT_SOURCE__REGISTRY", "", "source.registry", None),
        ("PARROT_SOURCE__REGISTRY_PASSWORD", "12345", "source.registry_password", "12345"),
        ("PARROT_SOURCE__REGISTRY_PASSWORD", "@a: b: #c", "source.registry_password", "@a: b: #c"),
        ("PARROT_SOURCE__REGISTRY_PASSWORD", "", "source.registry_password", ""),
        ("PARROT_QUALITY", "5", "quality", Path("5")),
        ("PARROT_DELIVERY__LEASE_S", "5", "delivery.lease_s", 5.0),
        ("PARROT_LOG__FORMAT", "json", "log.format", "json"),
        ("PARROT_TRACING__ENDPOINT", "http://h:1", "tracing.endpoint", "http://h:1"),
    ],
)
def test_environment_overrides_one_value(read: Read, variable: str, value: str, path: str, expected: object) -> None:
    found: object = read(BASE + "web: {host: kept.local}\nstate: kept\n", {variable: value})
    assert isinstance(found, Settings)
    assert found.web.host == "kept.local" or variable == "PARROT_WEB"
    assert found.state == Path("kept")
    for name in path.split("."):
        found = getattr(found, name)
    assert found == expected


def test_environment_reaches_into_a_section_that_is_empty_in_the_file(read: Read) -> None:
    assert read(BASE + "web:\n", {"PARROT_WEB__PORT": "7000"}).web.port == 7000


def test_environment_of_a_value_comes_after_that_of_its_section(read: Read) -> None:
    for names in (("PARROT_WEB", "PARROT_WEB__PORT"), ("PARROT_WEB__PORT", "PARROT_WEB")):
        values = {"PARROT_WEB": "{port: 1, host: h}", "PARROT_WEB__PORT": "2"}
        web = read(BASE, {name: values[name] for name in names}).web
        assert (web.port, web.host) == (2, "h")


@pytest.mark.parametrize("variable", ["PARROT_CONFIG", "PARROT_STATE", "PARROT_STATE_ID", "PARROT_TEST_KEEP", "APP"])
def test_variables_that_mean_something_else_change_nothing(read: Read, variable: str) -> None:
    assert read(BASE, {variable: "other"}) == read(BASE)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("PARROT_WEB__PROT", "1", "there is no setting web.prot; did you mean port?"),
        ("PARROT_SINKS__KUDU__MASTER", "m", "there is no setting sinks.kudu.master; did you mean masters?"),
        ("PARROT_APP__NAME", "x", "there is no setting app.name"),
        ("PARROT_WEB__PORT", "many", "web.port: expected `int`, got `str`"),
        ("PARROT_WEB__PORT", "70000", "web.port: 70000 is no port"),
        ("PARROT_WEB", "{prot: 1}", "unknown field `prot`"),
        ("PARROT_WEB", "{port: [}", "no YAML"),
        ("PARROT_SOURCE__FORMAT", "jsno", "did you mean json?"),
        ("PARROT_APP", "a/b", "can't be part"),
    ],
)
def test_what_the_environment_sets_wrongly_names_the_variable_and_not_the_file(
    refused: Refused, variable: str, value: str, words: str
) -> None:
    error = refused(BASE + "web: {port: 1}\n", {variable: value})
    assert words in str(error)
    assert (error.file, error.line) == (variable, 0)


def test_environment_does_not_turn_a_text_into_a_section(refused: Refused) -> None:
    assert "web holds no names" in str(refused(BASE + "web: off\n", {"PARROT_WEB__PORT": "1"}))


# -- ${VARIABLE} -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${NAME}", "shop"),
        ("'${NAME}-${TWO}.x'", "shop-2.x"),
        ("${ABSENT:-there}", "there"),
        ("${NAME:-there}", "shop"),
        ("'a${EMPTY}b'", "ab"),
        ("a${ABSENT:-}", "a"),
        ("a$NAME", "a$NAME"),
    ],
)
def test_variable_in_a_text_is_replaced(read: Read, text: str, value: str) -> None:
    environ = {"NAME": "shop", "TWO": "2", "EMPTY": ""}
    assert str(read(f"{BASE}quality: {text}\n", environ).quality) == value
    assert str(read(f"{BASE}brokers:\n  - {text}\n", environ).brokers[0]) == value


def test_replaced_text_is_data_and_no_yaml(read: Read) -> None:
    assert str(read(f"{BASE}quality: ${{X}}\n", {"X": "a: {b}\n&c ${Y}"}).quality) == "a: {b}\n&c ${Y}"


@pytest.mark.parametrize(
    ("more", "line", "name"),
    [("web:\n  host: ${ABSENT}", 4, "host"), ("brokers:\n  - a:1\n  - '${ABSENT}'", 5, "brokers")],
)
def test_variable_that_is_not_set_is_named_with_setting_and_line(
    refused: Refused, more: str, line: int, name: str
) -> None:
    error = refused(BASE + more + "\n", {"OTHER": SECRET})
    assert f"{name} needs the environment variable ABSENT" in str(error)
    assert error.line == line


# -- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        (f"source:\n  topics: 5\n  registry_password: {SECRET}\nsinks: {{}}\n", {}),
        ("source:\n  topics: 5\n  registry_password: ${P}\nsinks: {}\n", {"P": SECRET}),
        (f"source:\n  topics: x\n  registry_password: [{SECRET}]\nsinks: {{}}\n", {}),
        (f"source:\n  topics: x\n  registry_password: {{{SECRET}: 1}}\nsinks: {{}}\n", {}),
        (f"source:\n  topics: x\n  registry_password: 'a\n{SECRET}\n", {}),
        (f"source:\n  topics: x\n  registry_password: a: {SECRET}\n", {}),
        (f"source:\n  topics: x\n  registry_password: !x {SECRET}\n", {}),
        (f"source:\n  topics: x\n  registry_password: {SECRET}\x07\n", {}),
        (f"source:\n  topics: x\n  registry_pasword: {SECRET}\nsinks: {{}}\n", {}),
        ("source: {topics: x}\nsinks: {}\n", {"PARROT_SOURCE__REGISTRY_PASSWORD": SECRET}),
        ("source: {topics: x}\nsinks: {}\n", {"PARROT_SOURCE": f"{{registry_password: {SECRET}"}),
        ("source: {topics: x}\nsinks: {}\n", {"PARROT_SOURCE": f"@{SECRET}"}),
        ("source: {topics: x}\nsinks: {}\n", {"PARROT_SOURCE": f"!x {SECRET}"}),
        ("source: {topics: x}\nsinks: {}\n", {"PARROT_WEB__PORT": SECRET}),
        ("source: {topics: x}\nsinks: {}\n", {"PARROT_SOURCE__REGISTRY_PASWORD": SECRET}),
    ],
)
def test_no_secret_is_shown_in_an_error(refused: Refused, text: str, environ: dict[str, str]) -> None:
    error = refused(text, environ)
    assert SECRET not in str(error)
    assert SECRET not in "".join(traceback.format_exception(error))


def test_no_secret_is_shown_when_settings_are_printed(read: Read) -> None:
    settings = read(
        f"source: {{topics: x, registry_password: {SECRET}}}\nsinks: {{hbase: {{thrift: 'h:1', thrift2: 'h:2'}}}}\n"
    )
    assert settings.source.registry_password == SECRET
    for shown in (settings, settings.source, [settings], {"source": settings.source}):
        assert SECRET not in repr(shown)
        assert SECRET not in f"{shown}"


def test_a_secret_may_lie_in_a_file(read: Read, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{SECRET}\r\n")
    settings = read(
        f"source:\n  topics: x\n  registry_password: '${{file:{tmp_path}/password}}'\n"
        "sinks: {kudu: {masters: [m]}}\n"
    )
    assert settings.source.registry_password == SECRET


@pytest.mark.parametrize("content", [None, b"\xff" + SECRET.encode(), SECRET.encode() * 10_000])
def test_a_secret_s_file_that_can_t_be_read_is_named_with_the_line(
    refused: Refused, tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "password").write_bytes(content)
    error = refused(f"source:\n  topics: x\n  registry_password: '${{file:{tmp_path}/password}}'\n")
    assert error.line == 3
    assert str(tmp_path / "password") in str(error)
    assert SECRET not in str(error)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"source:\n  topics: x\n  registry_password: {SECRET}\n", "source.registry_password"),
        (f"source:\n  topics: x\n  registry: http://me:{SECRET}@r:8081\n", "source.registry"),
        (f"source: {{topics: x}}\nmasking:\n  key: {SECRET}-and-more\n", "masking.key"),
        (f"source: {{topics: x}}\nkafka: {{sasl: {{user: u,\n  password: {SECRET}}}}}\n", "kafka.sasl.password"),
    ],
)
def test_a_secret_in_the_file_itself_is_warned_of_and_not_shown(
    read: Read, caplog: pytest.LogCaptureFixture, text: str, name: str
) -> None:
    read(f"{text}sinks: {{kudu: {{masters: [m]}}}}\n")
    (record,) = caplog.records
    assert f"parrot.yaml:3: {name} is a secret written in the file" in record.getMessage()
    assert SECRET not in record.getMessage()


def test_a_secret_from_elsewhere_is_not_warned_of(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    read(
        BASE + "masking: {key: '${KEY}'}\n", {"KEY": "k" * 20, "PARROT_KAFKA__SASL": f"{{user: u, password: {SECRET}}}"}
    )
    assert not caplog.records


# -- TLS and logins --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "name", "line"),
    [
        ("kafka:\n  tls:\n    ca: absent.pem\n", "kafka.tls.ca", 5),
        ("kafka:\n  tls:\n    key: absent.pem\n", "kafka.tls.key", 5),
        ("kafka:\n  sasl: {user: u}\n", "kafka.sasl.password is missing", 4),
        ("kafka:\n  sasl:\n    user: ''\n    password: x\n", "kafka.sasl.user", 5),
        ("kafka:\n  sasl: {mechanism: SCRAM-SHA-1, user: u, password: x}\n", "did you mean SCRAM-SHA-", 4),
        ("kafka:\n  tls: {verify: no}\n", "did you mean verify_host?", 4),
    ],
)
def test_wrong_security_settings_of_kafka_are_refused_with_their_line(
    refused: Refused, more: str, name: str, line: int
) -> None:
    error = refused(BASE + more)
    assert name in str(error)
    assert error.line == line


def test_wrong_security_settings_of_registry_and_stores_are_refused(refused: Refused) -> None:
    source = "source:\n  topics: x\n  registry: http://r\n  registry_tls: {}\n"
    assert "https://" in str(refused(source + "sinks: {kudu: {masters: [m]}}\n"))
    hbase = "sinks:\n  hbase:\n    thrift: h:1\n    thrift2: h:2\n    tls: {ca: absent.pem}\n"
    assert "sinks.hbase.tls.ca" in str(refused("source: {topics: x}\n" + hbase))
    assert "did you mean required?" in str(
        refused("source: {topics: x}\nsinks: {kudu: {masters: [m], encryption: require}}\n")
    )


# -- masks -------------------------------------------------------------------------------------------------------------


def test_masks_of_a_table_are_read_with_null_written_either_way(read: Read) -> None:
    mask = "{email: sha256, card: redact, a: null, b: 'null', name: keep 2, phone: keep last 4}"
    settings = read(BASE + f"tables: {{t: {{mask: {mask}}}}}\n", {"PARROT_MASKING__KEY": "k" * 16})
    assert settings.tables["t"].mask == {
        "email": "sha256",
        "card": "redact",
        "a": None,
        "b": "null",
        "name": "keep 2",
        "phone": "keep last 4",
    }
    assert settings.masking.key == "k" * 16


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("{mask: {email: sha1}}", "tables.t.mask.email: 'sha1' is no way of masking"),
        ("{mask: {email: 5}}", "expected `str | null`"),
        ("{mask: {id: redact}, key: [id]}", "tables.t.mask.id: redact on a key column would make rows one"),
        ("{mask: sha256}", "expected `object`"),
    ],
)
def test_wrong_mask_is_refused_with_its_line(refused: Refused, table: str, says: str) -> None:
    error = refused(BASE + f"tables:\n  t: {table}\n")
    assert says in str(error)
    assert error.line == 4


def test_a_key_of_masks_that_could_be_guessed_is_refused_and_not_shown(refused: Refused) -> None:
    error = refused(BASE, {"PARROT_MASKING__KEY": "short-secret"})
    assert "at least 16" in str(error)
    assert "short-secret" not in str(error)
    assert error.file == "PARROT_MASKING__KEY"
