"""HBase's first Thrift API, as much as reading whole tables fast needs: rows are taken from the bytes as they arrive.

Thrift libraries for Python make an object of every cell, which is 12,000 to 17,000 rows a second. Here a row's cells
are sliced out of the answer. The next batch is asked for before this one is read, so that server and reader work at
once.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator, Sequence

from parrot_faust.errors import SinkUnavailable
from parrot_faust.tls import refusal

BATCH_ROWS = 2_000
RECEIVE = 1 << 20
_STOP, _BOOL, _I32, _I64, _STRING, _STRUCT, _MAP, _LIST = 0, 2, 8, 10, 11, 12, 13, 15
_VERSION, _CALL, _EXCEPTION = 0x80010000, 1, 3
#: Bytes of a value of fixed width, by its type.
_WIDTHS = {2: 1, 3: 1, 4: 8, 6: 2, 8: 4, 10: 8}
#: What follows a row's key (field 2, a map of text to struct), a cell's name (field 1, its bytes) and a cell's value
#: (field 2, its time, and the struct's end).
_ROW, _CELLS, _VALUE, _TIME = b"\x0b\x00\x01", b"\x0d\x00\x02\x0b\x0c", b"\x0b\x00\x01", b"\x0a\x00\x02"
_length = struct.Struct(">i").unpack_from


class Connection:
    """One connection. Every answer must come within `timeout_s`. Raise SinkUnavailable otherwise."""

    def __init__(self, address: str, timeout_s: float, secured: ssl.SSLContext | None = None) -> None:
        host, _, port = address.rpartition(":")
        try:
            self._socket = socket.create_connection((host, int(port)), timeout_s)
            if secured is not None:
                self._socket = secured.wrap_socket(self._socket, server_hostname=host)
        except (OSError, ValueError) as error:
            raise SinkUnavailable("hbase", f"{address}: {refusal(error, 'sinks.hbase.tls') or error}") from None
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._data = b""
        self._place = 0

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def scan(
        self, table: str, families: Sequence[bytes], names: Sequence[bytes], batch: int = BATCH_ROWS
    ) -> Iterator[Rows]:
        """All rows that have anything in `families`, with the cells `names` (family and column) of each."""
        body = _head(4, _LIST) + struct.pack(">bi", _STRING, len(families)) + b"".join(map(_text, families))
        body += _head(5, _I32) + struct.pack(">i", batch)
        body += _head(10, _BOOL) + b"\x00"  # what is read once need not push others out of the block cache
        arguments = _field(1, _STRING, table.encode()) + _head(2, _STRUCT) + body + bytes([_STOP])
        scanner = self._call_for_number("scannerOpenWithScan", arguments + _empty_map(3))
        ask = _head(1, _I32) + struct.pack(">i", scanner) + _head(2, _I32) + struct.pack(">i", batch)
        self._send("scannerGetList", ask)
        while True:
            count = self._rows_follow()
            if count:
                self._send("scannerGetList", ask)
            rows = self._rows(count, names)
            if not count:
                break
            yield rows
        self._call_for_nothing("scannerClose", _head(1, _I32) + struct.pack(">i", scanner))

    def rows(self, table: str, families: Sequence[bytes], names: Sequence[bytes], keys: Sequence[bytes]) -> Rows:
        """The rows of these keys that exist."""
        arguments = _field(1, _STRING, table.encode())
        arguments += _head(2, _LIST) + struct.pack(">bi", _STRING, len(keys)) + b"".join(map(_text, keys))
        arguments += _head(3, _LIST) + struct.pack(">bi", _STRING, len(families)) + b"".join(map(_text, families))
        self._send("getRowsWithColumns", arguments + _empty_map(4))
        return self._rows(self._rows_follow(), names)

    def exists(self, table: str) -> bool:
        """Whether there is such a table."""
        self._send("getTableNames", b"")
        self._answer()
        kind, _ = self._field_head()
        if kind != _LIST:
            raise self._refused(kind)
        self._need(5)
        (count,) = _length(self._data, self._place + 1)
        self._place += 5
        found = {self._string() for _ in range(count)}
        self._end()
        return table.encode() in found

    # -- sending -----------------------------------------------------------------------------------------------------

    def _send(self, method: str, arguments: bytes) -> None:
        head = struct.pack(">I", _VERSION | _CALL) + _text(method.encode()) + struct.pack(">i", 0)
        try:
            self._socket.sendall(head + arguments + bytes([_STOP]))
        except OSError as error:
            raise SinkUnavailable("hbase", str(error)) from None

    def _call_for_number(self, method: str, arguments: bytes) -> int:
        self._send(method, arguments)
        self._answer()
        kind, _ = self._field_head()
        if kind != _I32:
            raise self._refused(kind)
        self._need(4)
        (number,) = _length(self._data, self._place)
        self._place += 4
        self._end()
        return int(number)

    def _call_for_nothing(self, method: str, arguments: bytes) -> None:
        self._send(method, arguments)
        self._answer()
        self._end()

    # -- receiving ---------------------------------------------------------------------------------------------------

    def _more(self) -> None:
        try:
            data = self._socket.recv(RECEIVE)
        except OSError as error:
            raise SinkUnavailable("hbase", str(error) or type(error).__name__) from None
        if not data:
            raise SinkUnavailable("hbase", "the Thrift server closed the connection")
        self._data = self._data[self._place :] + data
        self._place = 0

    def _need(self, size: int) -> None:
        while len(self._data) - self._place < size:
            self._more()

    def _string(self) -> bytes:
        self._need(4)
        (size,) = _length(self._data, self._place)
        self._need(4 + size)
        begin = self._place + 4
        self._place = begin + size
        return self._data[begin : self._place]

    def _answer(self) -> None:
        """Read an answer's head, and raise what the server says instead of an answer."""
        self._need(4)
        kind = self._data[self._place + 3]
        self._place += 4
        self._string()
        self._need(4)
        self._place += 4
        if kind == _EXCEPTION:
            raise self._refused(_STRUCT)

    def _field_head(self) -> tuple[int, int]:
        self._need(1)
        kind = self._data[self._place]
        self._place += 1
        if kind == _STOP:
            return _STOP, 0
        self._need(2)
        number = int.from_bytes(self._data[self._place : self._place + 2], "big")
        self._place += 2
        return kind, number

    def _refused(self, kind: int) -> SinkUnavailable:
        """The server's own words: an exception is a struct whose first text says what is wrong."""
        words = ""
        while kind == _STRUCT:
            inner, _ = self._field_head()
            if inner == _STRING:
                words = self._string().decode("utf-8", "replace")
                break
            if inner not in _WIDTHS:
                break
            self._need(_WIDTHS[inner])
            self._place += _WIDTHS[inner]
        self._socket.close()  # the rest of the answer is still in it
        first = words.splitlines()[0] if words else "an answer that was not understood"
        return SinkUnavailable("hbase", first)

    def _end(self) -> None:
        """Leave the answer's struct, of which nothing more may come."""
        kind, _ = self._field_head()
        if kind != _STOP:
            raise self._refused(kind)

    def _rows_follow(self) -> int:
        self._answer()
        kind, _ = self._field_head()
        if kind != _LIST:
            raise self._refused(kind)
        self._need(5)
        (count,) = _length(self._data, self._place + 1)
        self._place += 5
        return int(count)

    def _rows(self, count: int, names: Sequence[bytes]) -> Rows:
        """Take `count` rows and the end of the answer."""
        width = len(names)
        # Cells come sorted by their names, as signed bytes: this is only a guess at what comes next.
        order = sorted(range(width), key=lambda position: names[position])
        expected = [struct.pack(">i", len(names[at])) + names[at] + _VALUE for at in order]
        steps = [(text, len(text), at) for text, at in zip(expected, order, strict=True)]
        place_of = {names[at]: at for at in range(width)}
        keys: list[bytes] = []
        rows: list[list[bytes | None]] = []
        while len(keys) < count:
            data, place = self._data, self._place
            size = len(data)
            try:
                while len(keys) < count:
                    begin = place
                    (length,) = _length(data, place + 3)
                    key = data[place + 7 : place + 7 + length]
                    place += 7 + length
                    if data[begin : begin + 3] != _ROW or data[place : place + 5] != _CELLS:
                        if place + 5 > size:
                            place = begin
                            break
                        raise SinkUnavailable("hbase", "a row of another form than was asked for")
                    (cells,) = _length(data, place + 5)
                    place += 9
                    row: list[bytes | None] = [None] * width
                    if cells == width:
                        for text, skip, at in steps:
                            if data[place : place + skip] != text:
                                break
                            (length,) = _length(data, place + skip)
                            value = place + skip + 4
                            place = value + length + 12
                            row[at] = data[value : value + length]
                        else:
                            cells = 0
                        if cells:
                            row = [None] * width
                            place = begin + 7 + len(key) + 9
                    for _ in range(cells):
                        (length,) = _length(data, place)
                        name = data[place + 4 : place + 4 + length]
                        place += 7 + length
                        (length,) = _length(data, place)
                        value = place + 4
                        place = value + length + 12
                        if (found := place_of.get(name)) is not None:
                            row[found] = data[value : value + length]
                    place += 1
                    if place > size:
                        place = begin
                        break
                    keys.append(key)
                    rows.append(row)
            except struct.error:
                place = begin
            self._place = place
            if len(keys) < count:
                self._more()
        self._end()
        return keys, rows


#: Row keys, and for each the cells in the order of the names asked for, None where there is none.
Rows = tuple[list[bytes], list[list[bytes | None]]]


def _head(number: int, kind: int) -> bytes:
    return struct.pack(">bh", kind, number)


def _text(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data


def _field(number: int, kind: int, data: bytes) -> bytes:
    return _head(number, kind) + _text(data)


def _empty_map(number: int) -> bytes:
    return _head(number, _MAP) + struct.pack(">bbi", _STRING, _STRING, 0)
