"""Every PostgreSQL type that Debezium emits: literals, what SQL says of them, and what may differ, all as tables.

A column has a group; a group says, for the modes of a connector, which kind the worker makes and which expression of
PostgreSQL's gives the value that the stores must hold. The expressions know nothing of the worker's own mapping.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from models import Kind

INFINITE_US = "when {v} > 'epoch' then 9223372036825200000 when {v} < 'epoch' then -9223372036832400000 end"


class Modes(NamedTuple):
    """The connector's options that decide how values are sent."""

    decimal: str = "precise"
    time: str = "adaptive"
    binary: str = "bytes"
    hstore: str = "json"
    interval: str = "numeric"
    unknown: bool = False

    def options(self) -> dict[str, str]:
        return {
            "decimal.handling.mode": self.decimal,
            "time.precision.mode": self.time,
            "binary.handling.mode": self.binary,
            "hstore.handling.mode": self.hstore,
            "interval.handling.mode": self.interval,
            "include.unknown.datatypes": str(self.unknown).lower(),
        }


class View(NamedTuple):
    """What the stores must hold: its kind, the expression that gives it, and how the two are compared.

    `declared` is the type for JSON without schema; None where nothing can be declared, and then it is not compared.
    """

    kind: Kind
    sql: str
    compare: str = "exact"
    declared: str | None = None


class Column(NamedTuple):
    """`lost` names the loss of a literal ("" for a value that SQL itself gives), which must show whenever `WHEN` says
    so and at no other time.
    """

    name: str
    type: str
    group: str
    literals: tuple[str, ...]
    lost: Mapping[str, str] = {}


def numeric(modes: Modes, value: str = "{v}", declared: str | None = "decimal variable") -> View:
    return {
        "precise": View(Kind.DECIMAL, f"{value}::text", "number", declared),
        "double": View(Kind.FLOAT64, f"{value}::float8"),
        "string": View(Kind.STRING, f"{value}::text"),
    }[modes.decimal]


def binary(modes: Modes, value: str = "{v}") -> View:
    base64 = f"replace(encode({value}, 'base64'), E'\\n', '')"
    return {
        "bytes": View(Kind.BYTES, value, declared="bytes"),
        "base64": View(Kind.STRING, base64),
        "base64-url-safe": View(Kind.STRING, f"translate({base64}, '+/', '-_')"),
        "hex": View(Kind.STRING, f"encode({value}, 'hex')"),
    }[modes.binary]


def time_of_day(modes: Modes, declared: str) -> View:
    whole = "(extract(epoch from {v}) * 1000000)::int8"
    cut = "(floor(extract(epoch from {v}) * 1000) * 1000)::int8"
    return View(Kind.TIME, cut if modes.time == "connect" else whole, declared=declared)


def moment(modes: Modes, declared: str) -> View:
    micros = "(extract(epoch from {v}) * 1000000)::int8"
    if modes.time == "connect":
        micros = "(floor(extract(epoch from {v}) * 1000) * 1000)::int8"
    return View(Kind.TIMESTAMP, f"case when isfinite({{v}}) then {micros} {INFINITE_US}", declared=declared)


def interval(modes: Modes) -> View:
    if modes.interval == "string":
        parts = "".join(
            f" || trim_scale(extract({part} from {{v}})::numeric)::text || '{letter}'"
            for part, letter in (
                ("year", "Y"),
                ("month", "M"),
                ("day", "DT"),
                ("hour", "H"),
                ("minute", "M"),
                ("second", "S"),
            )
        )
        return View(Kind.STRING, f"case when isfinite({{v}}) then 'P'{parts} else {{v}}::text end")
    month = "(extract(year from {v}) * 12 + extract(month from {v})) * 30.4375"
    rest = "extract(hour from {v}) * 3600000000 + extract(minute from {v}) * 60000000 + extract(microseconds from {v})"
    micros = f"({month} + extract(day from {{v}})) * 86400000000 + {rest}"
    clamped = f"trim_scale(least({micros}, 9223372036854775807))::text"
    return View(Kind.INT64, f"case when isfinite({{v}}) then {clamped} else {{v}}::text end", "number", "int64")


def array(items: str, *, plain: bool = True) -> View:
    """An array whose items are, in JSON, what the expression `items` of `x` says."""
    sql = f"(select coalesce(json_agg({items}), '[]') from unnest({{v}}) x)::text"
    return View(Kind.STRING, f"case when {{v}} is not null then {sql} end", "json", "array" if plain else None)


def moments(modes: Modes) -> View:
    micros = "extract(epoch from x) * 1000000"
    return array(
        {
            "connect": f"floor({micros} / 1000)::int8",
            "nanoseconds": f"({micros} * 1000)::int8",
            "isostring": """to_char(x, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""",
        }.get(modes.time, f"({micros})::int8")
    )


def times(modes: Modes) -> View:
    """The connector cuts the items' microseconds off, whatever the mode."""
    millis = "floor(extract(epoch from x) * 1000)"
    return array(
        {
            "connect": f"{millis}::int8",
            "nanoseconds": f"({millis} * 1000000)::int8",
            "isostring": """to_char(x, 'HH24:MI:SS.MS"Z"')""",
        }.get(modes.time, f"({millis} * 1000)::int8")
    )


def text(value: str = "{v}") -> Callable[[Modes], View]:
    return lambda _modes: View(Kind.STRING, f"{value}::text", declared="string")


def plain(kind: Kind, declared: str, value: str = "{v}") -> Callable[[Modes], View]:
    return lambda _modes: View(kind, value, declared=declared)


def unknown(modes: Modes) -> View:
    """The text of a type that Debezium does not know, as bytes; numbers in it may have a point and a zero more."""
    view = binary(modes, "convert_to({v}::text, 'UTF8')")
    return view._replace(compare="numerals" if modes.binary == "bytes" else "base64 numerals")


_DAY = (
    "case when isfinite({v}) then {v} - date '1970-01-01' when {v} > 'epoch' then 2147483647 "
    "when {v} < 'epoch' then -2147483648 end"
)

GROUPS: Mapping[str, Callable[[Modes], View]] = {
    "bool": plain(Kind.BOOL, "bool"),
    "bit1": plain(Kind.BOOL, "bool", "({v} = B'1')"),
    "int16": plain(Kind.INT16, "int16"),
    "int32": plain(Kind.INT32, "int32"),
    "int64": plain(Kind.INT64, "int64", "{v}::int8"),
    "float32": plain(Kind.FLOAT32, "float32", "{v}::float8"),
    "float64": plain(Kind.FLOAT64, "float64"),
    "numeric": numeric,
    "numeric(10,2)": lambda modes: numeric(modes, declared="decimal(10,2) base64"),
    "numeric(38,0)": lambda modes: numeric(modes, declared="decimal(38,0) base64"),
    "numeric(38,38)": lambda modes: numeric(modes, declared="decimal(38,38) base64"),
    "numeric(39,1)": lambda modes: numeric(modes, declared="decimal(39,1) base64"),
    "numeric undeclared": lambda modes: numeric(modes, declared=None),
    "money": lambda modes: numeric(modes, "{v}::numeric", "decimal(19,2) base64"),
    "text": text(),
    "char(4)": text("rpad({v}::text, 4)"),
    "bytea": binary,
    "date": plain(Kind.DATE, "date", _DAY),
    "time": lambda modes: time_of_day(modes, "time"),
    "time(3)": lambda modes: time_of_day(modes, "time(ms)"),
    "timetz": lambda _modes: View(Kind.STRING, "({v} at time zone 'UTC')::time::text || 'Z'", declared="string"),
    "timestamp": lambda modes: moment(modes, "timestamp"),
    "timestamp(3)": lambda modes: moment(modes, "timestamp(ms)"),
    "timestamptz": lambda _modes: moment(Modes(), "timestamp"),
    "interval": interval,
    "bits": lambda _modes: View(Kind.BYTES, "{v}::text", "bits", "bytes"),
    "hstore": lambda modes: View(
        Kind.STRING, "hstore_to_json({v})::text", "json", "string" if modes.hstore == "json" else None
    ),
    "point": lambda _modes: View(Kind.STRING, "case when {v} is not null then array[{v}[0], {v}[1]] end", "point"),
    "array": lambda _modes: array("x"),
    "text array": lambda _modes: array("x::text"),
    "numeric array": lambda modes: array("x::float8" if modes.decimal == "double" else "x::text", plain=False),
    "bytea array": lambda modes: array(f"encode(x, '{'hex' if modes.binary == 'hex' else 'base64'}')"),
    "date array": lambda modes: array(
        """to_char(x, 'YYYY-MM-DD"Z"')""" if modes.time == "isostring" else "x - date '1970-01-01'"
    ),
    "timestamp array": moments,
    "timestamptz array": lambda _modes: array("""to_char(x at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""),
    "time array": times,
    "timetz array": lambda _modes: array("""to_char((x at time zone 'UTC')::time, 'HH24:MI:SS"Z"')"""),
    "hstore array": lambda modes: array(
        "hstore_to_json(x)" if modes.hstore == "map" else "replace(hstore_to_json(x)::text, ': ', ':')"
    ),
    "nested array": lambda _modes: View(Kind.STRING, "to_json({v})::text", "json", "array"),
    "bits array": lambda _modes: View(Kind.BYTES, "{v}::text", "bits", "bytes"),
    "unknown": unknown,
}

#: When a literal that has this loss (see `parrot_faust.schema.losses`) differs; `read` says that a snapshot read it.
WHEN: Mapping[str, Callable[[Modes, bool], bool]] = {
    "numeric-special": lambda modes, _read: modes.decimal != "double",
    "numeric-zeros": lambda modes, _read: modes.decimal == "string",
    "money-snapshot": lambda modes, read: read and modes.decimal != "double",
    "old-snapshot": lambda modes, read: read or modes.time == "nanoseconds",
    "old-snapshot zoned": lambda _modes, read: read,
    "nanos-range": lambda modes, _read: modes.time == "nanoseconds",
    "interval-infinite": lambda _modes, _read: True,
    "time-24": lambda modes, _read: modes.time == "isostring",
    "array-nested": lambda _modes, _read: True,
    "array-null": lambda _modes, _read: True,
    "generated-log": lambda _modes, read: not read,
    "old-snapshot date": lambda _modes, read: read,
    "name-log": lambda modes, read: not read and not modes.unknown,
}

_SPECIAL = dict.fromkeys(("'NaN'", "'Infinity'", "'-Infinity'"), "numeric-special")
_OLD = ("'0001-01-01'", "'0044-03-15 01:02:03 BC'", "'4713-01-01 BC'")
_FAR = ("'9999-12-31 23:59:59'", "'9999-12-31 23:59:59.999'", "'9999-12-31 23:59:59.999999'", "'12024-01-01'")
_MOMENTS_LOST = dict.fromkeys(_OLD, "old-snapshot") | dict.fromkeys((*_FAR, "'infinity'", "'-infinity'"), "nanos-range")
_MIDNIGHT = "'24:00'"
_GAP = "'1582-10-10'"  # of the days that the Julian calendar does not have
_PAIR = '(1,"x y")'

COLUMNS: tuple[Column, ...] = (
    Column("b", "boolean", "bool", ("true", "false")),
    Column("i2", "smallint", "int16", ("-32768", "32767", "0")),
    Column("i4", "integer", "int32", ("-2147483648", "2147483647")),
    Column("i8", "bigint", "int64", ("-9223372036854775808", "9223372036854775807", "-1")),
    Column("id8", "bigint generated always as identity", "int64", ()),
    Column("i2g", "integer generated always as (id * 2) stored", "int32", (), {"": "generated-log"}),
    Column("dflt", "integer not null default 7", "int32", ()),
    Column("o", "oid", "int64", ("4294967295",)),
    Column(
        "f4",
        "real",
        "float32",
        ("'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "3.4028235e38", "1e-45", "0.1", "16777217"),
    ),
    Column(
        "f8",
        "double precision",
        "float64",
        ("'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "1.7976931348623157e308", "5e-324", "0.1", "9007199254740993"),
    ),
    Column(
        "n",
        "numeric",
        "numeric",
        ("1e130", "'NaN'", "'Infinity'", "'-Infinity'", "0.0000001", "-123456789012345678901234567890123456789.5", "1"),
        _SPECIAL,
    ),
    Column("n10", "numeric(10,2)", "numeric(10,2)", ("-99999999.99", "0.00", "'NaN'", "12.5"), _SPECIAL),
    Column("n38", "numeric(38,0)", "numeric(38,0)", ("99999999999999999999999999999999999999", "-1", "0")),
    Column("n38s", "numeric(38,38)", "numeric(38,38)", ("-0.99999999999999999999999999999999999999", "1e-38")),
    Column("n39", "numeric(39,1)", "numeric(39,1)", ("99999999999999999999999999999999999999.9", "-0.1")),
    Column(
        "nneg",
        "numeric(5,-2)",
        "numeric undeclared",
        ("1234500", "-100"),
        {"1234500": "numeric-zeros", "-100": "numeric-zeros"},
    ),
    Column("nsmall", "numeric(3,5)", "numeric undeclared", ("0.00123", "-0.00999")),
    Column(
        "m", "money", "money", ("'12.34'", "'-92233720368547758.08'"), {"'-92233720368547758.08'": "money-snapshot"}
    ),
    Column("c", "char(4)", "char(4)", ("'c'", "'\U0001f99c'")),
    Column("vc", "varchar(20)", "text", ("'ø'", "''")),
    Column("t", "text", "text", ("E'\U0001f99c \\u202eرتل\\x01\\n\\t\"\\\\'", "''", "'null'", "'NaN'")),
    Column("nm", "name", "text", ("'n'",), {"'n'": "name-log"}),
    Column("ch", '"char"', "text", ("'x'",)),
    Column("ct", "citext", "text", ("'CiText'",)),
    Column("isn", "isbn", "text", ("'978-0-393-04002-9'",)),
    Column("by", "bytea", "bytea", ("'\\x00ff7f'", "''")),
    Column("d", "date", "date", ("'0001-01-01'", "'9999-12-31'", "'1969-12-31'", _GAP), {_GAP: "old-snapshot date"}),
    Column("ti", "time", "time", ("'00:00'", "'23:59:59.999999'", _MIDNIGHT), {_MIDNIGHT: "time-24"}),
    Column("ti3", "time(3)", "time(3)", ("'23:59:59.999'", _MIDNIGHT), {_MIDNIGHT: "time-24"}),
    Column("tz", "timetz", "timetz", ("'10:00:00.123456+02'", "'00:00+14'", "'23:59:59-11'")),
    Column(
        "ts",
        "timestamp",
        "timestamp",
        (
            "'1969-07-20 20:17:40.000001'",
            "'9999-12-31 23:59:59.999999'",
            "'infinity'",
            "'-infinity'",
            "'12024-01-01'",
            *_OLD,
        ),
        _MOMENTS_LOST,
    ),
    Column(
        "ts3",
        "timestamp(3)",
        "timestamp(3)",
        ("'1969-12-31 23:59:59.999'", "'9999-12-31 23:59:59.999'", "'infinity'", "'-infinity'", "'0001-01-01'"),
        _MOMENTS_LOST,
    ),
    Column("ts0", "timestamp(0)", "timestamp(3)", ("'1970-01-01'", "'9999-12-31 23:59:59'"), _MOMENTS_LOST),
    Column(
        "tstz",
        "timestamptz",
        "timestamptz",
        (
            "'2024-03-31 02:30+01'",
            "'9999-12-31 23:59:59.999999Z'",
            "'1969-07-20 20:17:40.000001Z'",
            "'infinity'",
            "'-infinity'",
            "'12024-01-01Z'",
            "'0001-01-01Z'",
            "'0044-03-15 01:02:03Z BC'",
        ),
        dict.fromkeys(("'0001-01-01Z'", "'0044-03-15 01:02:03Z BC'"), "old-snapshot zoned"),
    ),
    Column(
        "iv",
        "interval",
        "interval",
        (
            "'1 year 2 mons 3 days 04:05:06.789012'",
            "'-1 mon 1 day -00:00:00.000001'",
            "'0'",
            "'infinity'",
            "'178000000 years'",
        ),
        {"'infinity'": "interval-infinite"},
    ),
    Column("u", "uuid", "text", ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",)),
    Column("j", "json", "text", ("""'{"b": 1,  "a":[null, 1.50]}'""", "'null'", "'1e400'")),
    Column("jb", "jsonb", "text", ("""'{"b": 1,  "a":[null, 1.50]}'""", "'null'", """'"\\ud83e\\udd9c"'""")),
    Column("x", "xml", "text", ("""'<a b="c">ø</a>'""",)),
    Column("e", "mood", "text", ("'ok'", "'sad é'")),
    Column("di", "whole", "int32", ("1",)),
    Column("dn", "price", "numeric undeclared", ("1.25",)),
    Column("dt", "short", "text", ("'abc'",)),
    Column("ip", "inet", "text", ("'10.0.0.1/8'", "'fe80::/10'")),
    Column("net", "cidr", "text", ("'10.0.0.0/8'",)),
    Column("mac", "macaddr", "text", ("'08:00:2b:01:02:03'",)),
    Column("mac8", "macaddr8", "text", ("'08:00:2b:01:02:03:04:05'",)),
    Column("b1", "bit(1)", "bit1", ("B'1'", "B'0'")),
    Column("b9", "bit(9)", "bits", ("B'100000001'", "B'000000000'")),
    Column("b64", "bit(64)", "bits", (f"B'1{'0' * 62}1'",)),
    Column("vb", "varbit", "bits", ("B'101'", "B'1111111100000000'")),
    Column("r4", "int4range", "text", ("'[1,10)'", "'empty'", "'(,5)'")),
    Column("r8", "int8range", "text", ("'[1,10)'",)),
    Column("rn", "numrange", "text", ("'[1.5,2.50]'",)),
    Column("rd", "daterange", "text", ("'[2024-01-01,2024-02-01)'",)),
    Column("rts", "tsrange", "text", ("'[2024-01-01 00:00,2024-02-01 00:00)'",)),
    Column("rtz", "tstzrange", "text", ("'[2024-01-01 00:00Z,2024-02-01 00:00Z)'",)),
    Column("hs", "hstore", "hstore", ("""'a=>1, b=>NULL, "c d"=>"q\\""'""", "''")),
    Column("pt", "point", "point", ("'(1.5,-2.5)'", "'(0.1,1e300)'")),
    Column("tv", "tsvector", "text", ("'a:1 fat:2A'",)),
    Column("lt", "ltree", "text", ("'a.b.c'",)),
    Column("ai", "int[]", "array", ("'{1,NULL,3}'", "'{}'")),
    Column("aii", "int[]", "nested array", ("'{{1,2},{3,4}}'",), {"'{{1,2},{3,4}}'": "array-nested"}),
    Column("ai8", "bigint[]", "array", ("'{9223372036854775807,NULL}'",)),
    Column("ai2", "smallint[]", "array", ("'{1,NULL}'",)),
    Column("ab", "boolean[]", "array", ("'{t,f,NULL}'",)),
    Column("at", "text[]", "array", ("""'{"a,b",NULL,"NULL","","q\\"\\\\","\U0001f99c"}'""",)),
    Column("av", "varchar(5)[]", "array", ("'{a,NULL}'",)),
    Column("ac", "char(3)[]", "array", ("'{a,NULL}'",)),
    Column("an", "numeric(5,2)[]", "numeric array", ("'{1.50,NULL}'",)),
    Column("ann", "numeric[]", "numeric array", ("'{1.5,2,NULL}'",)),
    Column("af", "double precision[]", "array", ("'{0.1,NaN,-Infinity,NULL}'",)),
    Column("af4", "real[]", "array", ("'{0.1,NaN,3.4028235e38}'",)),
    Column("ad", "date[]", "date array", ("'{2024-02-29,NULL}'",)),
    Column("ats", "timestamp[]", "timestamp array", ("'{\"2024-02-29 12:34:56.789012\",NULL}'",)),
    Column("atz", "timestamptz[]", "timestamptz array", ("'{\"2024-02-29 12:34:56.789012+02\",NULL}'",)),
    Column("ati", "time[]", "time array", ("'{12:34:56.789012}'",)),
    Column("atiz", "timetz[]", "timetz array", ("'{12:34:56.789012+02}'",)),
    Column("au", "uuid[]", "array", ("'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,NULL}'",)),
    Column("aby", "bytea[]", "bytea array", ("""'{"\\\\x00ff",NULL}'""",)),
    Column("aj", "json[]", "text array", ("""'{"{\\"a\\":1}"}'""",)),
    Column("ajb", "jsonb[]", "text array", ("""'{"{\\"a\\":1}"}'""",)),
    Column("aip", "inet[]", "array", ("'{10.0.0.1}'",)),
    Column("ar", "int4range[]", "text array", ("'{\"[1,3)\"}'",)),
    Column("ah", "hstore[]", "hstore array", ("'{\"a=>1\"}'",)),
    Column("ae", "mood[]", "nested array", ("'{ok,NULL}'",), {"'{ok,NULL}'": "array-null"}),
    Column("abit", "bit(3)[]", "bits array", ("'{101}'",), {"'{101}'": "array-null"}),
    Column("mr", "int4multirange", "unknown", ("'{[1,2),[5,9)}'",)),
    Column("ln", "line", "unknown", ("'{1,2,3}'",)),
    Column("ls", "lseg", "unknown", ("'[(1,2),(3,4.5)]'",)),
    Column("bx", "box", "unknown", ("'(3,4),(1,2)'",)),
    Column("pa", "path", "unknown", ("'[(1,2),(3,4)]'",)),
    Column("po", "polygon", "unknown", ("'((1,2),(3,4),(5,6))'",)),
    Column("ci", "circle", "unknown", ("'<(1,2),3>'",)),
    Column("tq", "tsquery", "unknown", ("'fat & rat'",)),
    Column("lsn", "pg_lsn", "unknown", ("'16/B374D848'",)),
    Column("x8", "xid8", "unknown", ("'123'",)),
    Column("jp", "jsonpath", "unknown", ("'$.a[*]'",)),
    Column("co", "pair", "unknown", (f"'{_PAIR}'",)),
)

#: Types and extensions that the columns need, in a schema of the test's own (extensions: in the database).
EXTENSIONS = ("hstore", "ltree", "citext", "isn")
TYPES = (
    "create type mood as enum ('ok', 'sad é')",
    "create type pair as (a int, b text)",
    "create domain whole as int check (value > 0)",
    "create domain price as numeric(6,2)",
    "create domain short as varchar(10)",
)


def view(column: Column, modes: Modes) -> View:
    """What the stores must hold for a column under these modes."""
    made = GROUPS[column.group](modes)
    return made._replace(sql=made.sql.replace("{v}", f'"{column.name}"'))
