"""Numbers of several bytes for the generated reader. Each takes the bytes, the position after the first byte and that
byte, and returns the value and where it ends; each raises ValueError where the number does not fit."""

from __future__ import annotations

from collections.abc import Callable

Wide = Callable[[bytes, int, int], tuple[int, int]]

_CONTINUES = 0x8080808080808080


def wide(data: bytes, at: int, first: int) -> tuple[int, int]:
    """A zigzag integer of up to 64 bits."""
    second = data[at]
    if second < 128:
        number = (first & 127) | second << 7
        return (number >> 1) ^ -(number & 1), at + 1
    # Eight bytes at a time: drop each byte's top bit, then close the gaps of one, two and four bits. Past the end of
    # the data zeros are read, and the position returned lies beyond it, which the caller notices.
    number = int.from_bytes(data[at - 1 : at + 7], "little")
    ends = ~number & _CONTINUES
    if ends:
        last = ends & -ends
        number &= last - 1
        number &= 0x7F7F7F7F7F7F7F7F
        number = (number & 0x007F007F007F007F) | (number & 0x7F007F007F007F00) >> 1
        number = (number & 0x00003FFF00003FFF) | (number & 0x3FFF00003FFF0000) >> 2
        number = (number & 0x0FFFFFFF) | (number & 0x0FFFFFFF00000000) >> 4
        return (number >> 1) ^ -(number & 1), at - 1 + (last.bit_length() >> 3)
    number = shift = 0
    for position in range(at - 1, at + 9):
        byte = data[position]
        number |= (byte & 127) << shift
        if byte < 128:
            if number >> 64:
                break
            return (number >> 1) ^ -(number & 1), position + 1
        shift += 7
    raise ValueError("more than 64 bits")


def length(data: bytes, at: int, first: int) -> tuple[int, int]:
    """A length, given back as the even zigzag number it was, so that the caller halves short and long alike."""
    if first < 128:
        raise ValueError("a negative length")
    size, at = wide(data, at, first)
    if size < 0:
        raise ValueError("a negative length")
    return size << 1, at


def bounded(bits: int) -> Wide:
    """Integers of fewer bits."""
    top = 1 << (bits - 1)

    def read(data: bytes, at: int, first: int) -> tuple[int, int]:
        value, at = wide(data, at, first)
        if not -top <= value < top:
            raise ValueError(f"more than {bits} bits")
        return value, at

    return read
